import type { Policy } from './policy.ts'

/** One effective value that differs; undefined where a side has none. */
export interface PolicyChange {
  /** Dotted, such as `limits.per-client.points` or `routes.orders.split.0.weight`. */
  readonly path: string
  readonly from: string | number | boolean | undefined
  readonly to: string | number | boolean | undefined
}

/**
 * Effective differences between two linked policies, sorted by path. Routes and rules are compared by name, not by place;
 * revision and environment names are left out.
 */
export function diffPolicies(a: Policy, b: Policy): readonly PolicyChange[] {
  const [from, to] = [leavesOf(a), leavesOf(b)]
  const paths = Array.from(new Set([...from.keys(), ...to.keys()])).sort()
  return paths.filter((path) => from.get(path) !== to.get(path)).map((path) => ({ path, from: from.get(path), to: to.get(path) }))
}

type Leaf = string | number | boolean | undefined

const leftOut: ReadonlySet<string> = new Set(['revision', 'environment', 'environmentClass', 'environments', 'descriptors'])

function leavesOf(policy: Policy): ReadonlyMap<string, Leaf> {
  const { descriptors } = policy
  const leaves = new Map<string, Leaf>()
  for (const [key, value] of Object.entries(policy)) if (!leftOut.has(key)) collect(value, key, leaves)
  for (const [path, bytes] of Object.entries(descriptors)) leaves.set(`descriptors.${path}`, `${bytes.length} bytes, checksum ${checksum(bytes)}`)
  return leaves
}

function collect(value: unknown, path: string, into: Map<string, Leaf>): void {
  if (value === undefined || value === null) return
  if (typeof value !== 'object') {
    // What is left are the scalars of plain data.
    into.set(path, value as Leaf)
    return
  }
  const entries = Array.isArray(value) ? namedItems(value) : Object.entries(value)
  if (entries.length === 0) into.set(path, Array.isArray(value) ? '[]' : '{}')
  for (const [key, inner] of entries) collect(inner, `${path}.${key}`, into)
}

/** Items that have a name or an id of their own are known by it. */
function namedItems(list: readonly unknown[]): readonly (readonly [string, unknown])[] {
  return list.map((item, i) => {
    const { name, id } = typeof item === 'object' && item !== null ? (item as { readonly name?: unknown; readonly id?: unknown }) : {}
    return [typeof name === 'string' ? name : typeof id === 'string' ? id : String(i), item] as const
  })
}

/** FNV-1a, 32 bits: to tell two descriptor sets apart in a listing, not to prove anything. */
function checksum(bytes: Uint8Array): string {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(16).padStart(8, '0')
}
