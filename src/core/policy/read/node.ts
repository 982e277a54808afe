/** One text that places can be in. */
export interface Source {
  /** Path as diagnostics name it. */
  readonly file: string
  readonly kind: 'file' | 'overlay'
  /** Line and column from 1. */
  readonly position: (offset: number) => { readonly line: number; readonly column: number }
}

/** A place in a source. */
export interface Spot {
  readonly source: Source
  readonly offset: number
}

export type Scalar = string | number | boolean | null

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly at: Spot
  readonly value: Scalar
  /** As written, before `${NAME}` was filled in. */
  readonly text: string
}

export interface ListNode {
  readonly kind: 'list'
  readonly at: Spot
  readonly items: readonly Node[]
}

export interface MapNode {
  readonly kind: 'map'
  readonly at: Spot
  readonly members: ReadonlyMap<string, Member>
}

export interface Member {
  readonly key: Spot
  readonly value: Node
}

/** A value of a policy file with the place of everything in it. */
export type Node = ScalarNode | ListNode | MapNode

export type Path = readonly (string | number)[]

/** The value without its places; mappings have no prototype. */
export function plainOf(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plainOf)
  const plain: Record<string, unknown> = Object.create(null)
  for (const [key, member] of node.members) plain[key] = plainOf(member.value)
  return plain
}

/** One step down, or undefined. */
export function memberOf(node: Node | undefined, step: string | number): Member | undefined {
  if (node?.kind === 'map') return node.members.get(String(step))
  const item = node?.kind === 'list' && typeof step === 'number' ? node.items[step] : undefined
  return item === undefined ? undefined : { key: item.at, value: item }
}

export function nodeAt(node: Node | undefined, path: Path): Node | undefined {
  let at = node
  for (const step of path) at = memberOf(at, step)?.value
  return at
}

/**
 * The place of what `path` names: its key, or its value. Where the file says nothing there, the nearest thing around it
 * that it does say; `start` when that is the whole node.
 */
export function spotAt(node: Node, start: Spot, path: Path, which: 'key' | 'value'): Spot {
  let at = node
  let member: Member | undefined
  for (const step of path) {
    const next = memberOf(at, step)
    if (next === undefined) return member?.key ?? start
    member = next
    at = next.value
  }
  if (member === undefined) return which === 'key' ? start : node.at
  return which === 'key' ? member.key : member.value.at
}

/** A place that is no file's, such as a setting. */
export function outside(name: string): Spot {
  return { source: { file: name, kind: 'file', position: () => ({ line: 1, column: 1 }) }, offset: 0 }
}
