import type { Policy } from './policy.ts'

/** A plain value, as JSON has them. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain }

/** One effective value that differs; undefined where a side has none. */
export interface PolicyChange {
  /** Dotted, such as `limits.per-client.points` or `routes.orders.split.orders/v1.weight`. */
  readonly path: string
  readonly from: Plain | undefined
  readonly to: Plain | undefined
}

/**
 * Effective differences between two linked policies, sorted by path. What one side lacks altogether is one change with its whole
 * value, and so is a list of plain values. Items that have a name of their own are compared by it and not by place; revision and
 * environment names are left out, and bytes are a length and a checksum.
 */
export function diffPolicies(a: Policy, b: Policy): readonly PolicyChange[] {
  const changes: PolicyChange[] = []
  compare(plainOf(a), plainOf(b), '', changes)
  return changes.sort((one, other) => (one.path < other.path ? -1 : Number(one.path > other.path)))
}

const leftOut: ReadonlySet<string> = new Set(['revision', 'environment', 'environmentClass', 'environments'])

function plainOf(policy: Policy): Plain | undefined {
  return plain(Object.fromEntries(Object.entries(policy).filter(([key]) => !leftOut.has(key))))
}

/** Members that are undefined are not there. */
function plain(value: unknown): Plain | undefined {
  if (value instanceof Uint8Array) return `${value.length} bytes, checksum ${checksum(value)}`
  if (Array.isArray(value)) return value.map((item) => plain(item) ?? null)
  // What is left are the scalars of plain data.
  if (typeof value !== 'object' || value === null) return value as Plain | undefined
  const members = Object.entries(value).map(([name, inner]) => [name, plain(inner)] as const)
  return Object.fromEntries(members.filter((pair): pair is [string, Plain] => pair[1] !== undefined))
}

function compare(from: Plain | undefined, to: Plain | undefined, path: string, changes: PolicyChange[]): void {
  if (same(from, to)) return
  const sides = membersOf(from, to)
  if (sides === undefined) {
    changes.push({ path, from, to })
    return
  }
  for (const name of new Set([...sides.from.keys(), ...sides.to.keys()]))
    compare(sides.from.get(name), sides.to.get(name), path === '' ? name : `${path}.${name}`, changes)
}

function same(a: Plain | undefined, b: Plain | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b))
}

type Members = ReadonlyMap<string, Plain>

/** What is compared inside two values; undefined when they are compared as a whole. */
function membersOf(from: Plain | undefined, to: Plain | undefined): { readonly from: Members; readonly to: Members } | undefined {
  if (isList(from) && isList(to)) return itemsOf(from, to)
  if (isObject(from) && isObject(to)) return { from: new Map(Object.entries(from)), to: new Map(Object.entries(to)) }
  return undefined
}

/** Ways that items of a list can be told apart, the most telling first. */
const identities: readonly ((item: Readonly<Record<string, Plain>>) => string | undefined)[] = [
  ({ name }) => text(name),
  ({ id }) => text(id),
  ({ cluster, subset }) => (text(subset) === undefined ? text(cluster) : `${text(cluster)}/${text(subset)}`),
  ({ service, method }) => (text(service) === undefined || text(method) === undefined ? undefined : `${text(service)}/${text(method)}`),
  ({ host, port }) => (text(host) === undefined ? undefined : `${text(host)}:${JSON.stringify(port)}`),
]

function itemsOf(from: readonly Plain[], to: readonly Plain[]): { readonly from: Members; readonly to: Members } | undefined {
  for (const identity of identities) {
    const sides = { from: named(from, identity), to: named(to, identity) }
    if (sides.from.size === from.length && sides.to.size === to.length) return { from: sides.from, to: sides.to }
  }
  return undefined
}

function named(list: readonly Plain[], identity: (typeof identities)[number]): Members {
  return new Map(
    list.flatMap((item): readonly (readonly [string, Plain])[] => {
      const name = isObject(item) ? identity(item) : undefined
      return name === undefined ? [] : [[name, item]]
    }),
  )
}

function isList(value: Plain | undefined): value is readonly Plain[] {
  return Array.isArray(value)
}

function isObject(value: Plain | undefined): value is Readonly<Record<string, Plain>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: Plain | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** FNV-1a, 32 bits: to tell two descriptor sets apart in a listing, not to prove anything. */
function checksum(bytes: Uint8Array): string {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(16).padStart(8, '0')
}
