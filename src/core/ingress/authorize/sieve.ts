import { isTemplateError, parseTemplate, type Segment } from '../../model/template.ts'
import type { CompiledRule } from './compiled-rule.ts'
import type { Asked } from './facts.ts'

/** Picks, in their order, the rules of a list that a request may fit by its host and path. Those it leaves out cannot fit it. */
export type Sieve = (x: Asked, segments: () => readonly string[]) => readonly CompiledRule[]

/** One rule with its place in the list. */
interface Entry {
  readonly at: number
  readonly rule: CompiledRule
}

interface Node {
  readonly literals: Map<string, Node>
  one: Node | undefined
  /** Rules that fit here, whatever follows. */
  readonly rest: Entry[]
  /** Rules that fit when the path ends here. */
  readonly here: Entry[]
}

/** Below this many rules, trying each costs less than looking them up. */
const worthwhile = 8

/** Puts rules into tries of path segments, one per host that they name. */
export function buildSieve(rules: readonly CompiledRule[]): Sieve {
  const placed = rules.some(({ rule: { matcher } }) => matcher.paths !== undefined || matcher.hosts !== undefined)
  if (rules.length < worthwhile || !placed) return () => rules
  const anyHost = openNode()
  /** By host, or by what follows the star's label. */
  const byHost = new Map<string, Node>()
  for (const [at, rule] of rules.entries()) {
    for (const host of rule.rule.matcher.hosts ?? [undefined]) insert(host === undefined ? anyHost : nodeAt(byHost, host), { at, rule })
  }
  return (x, segments) => {
    const found: Entry[] = []
    collect(anyHost, segments(), 0, found)
    if (byHost.size > 0) {
      const { host } = x.request
      collect(byHost.get(host), segments(), 0, found)
      collect(byHost.get(`*${host.slice(host.indexOf('.'))}`), segments(), 0, found)
    }
    return inOrder(found)
  }
}

function openNode(): Node {
  return { literals: new Map(), one: undefined, rest: [], here: [] }
}

function nodeAt(nodes: Map<string, Node>, key: string): Node {
  const known = nodes.get(key) ?? openNode()
  nodes.set(key, known)
  return known
}

function insert(root: Node, entry: Entry): void {
  const { paths } = entry.rule.rule.matcher
  if (paths === undefined) root.rest.push(entry)
  for (const source of paths ?? []) {
    const template = parseTemplate(source)
    if (isTemplateError(template)) throw new Error(`${source}: ${template.message}`)
    // A verb is a part of the last segment's text: the rule itself looks at it.
    const segments = template.verb === undefined ? template.segments : template.segments.slice(0, -1)
    const node = descend(root, segments)
    const isOpen = template.verb !== undefined || template.segments.at(-1)?.kind === 'rest'
    ;(isOpen ? node.rest : node.here).push(entry)
  }
}

function descend(root: Node, segments: readonly Segment[]): Node {
  let node = root
  for (const segment of segments) {
    if (segment.kind === 'rest') return node
    node = segment.kind === 'literal' ? nodeAt(node.literals, segment.text) : (node.one ??= openNode())
  }
  return node
}

function collect(node: Node | undefined, segments: readonly string[], at: number, found: Entry[]): void {
  if (node === undefined) return
  for (const entry of node.rest) found.push(entry)
  const segment = segments[at]
  if (segment === undefined) {
    for (const entry of node.here) found.push(entry)
    return
  }
  collect(node.literals.get(segment), segments, at + 1, found)
  collect(node.one, segments, at + 1, found)
}

/** A rule that names several hosts or paths may be found more than once. */
function inOrder(found: Entry[]): readonly CompiledRule[] {
  if (found.length > 1) found.sort((a, b) => a.at - b.at)
  const rules: CompiledRule[] = []
  for (const { rule } of found) if (rules.at(-1) !== rule) rules.push(rule)
  return rules
}
