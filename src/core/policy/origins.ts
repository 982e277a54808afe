import type { Entry } from './link/linking.ts'
import type { Origin } from './loading.ts'
import { memberOf, type Node, type Spot } from './read/node.ts'

/**
 * Where every effective leaf of an object came from: its own place, or, for a default, the nearest thing around it that a file
 * says. Lists of plain values are one leaf.
 */
export function originsOf(entry: Entry<unknown>, into: Record<string, Origin>): void {
  walk(entry.value, entry.node, entry.key, entry.id, into)
}

function walk(value: unknown, node: Node | undefined, around: Spot, path: string, into: Record<string, Origin>): void {
  if (value === undefined) return
  const at = node?.at ?? around
  if (isLeaf(value)) {
    const kind = node === undefined ? 'default' : at.source.kind
    into[path] = { file: at.source.file, ...at.source.position(at.offset), kind, value: JSON.stringify(value) }
    return
  }
  for (const [key, inner] of Object.entries(value)) {
    const member = memberOf(node, Array.isArray(value) ? Number(key) : key)
    walk(inner, member?.value, member?.key ?? around, `${path}.${key}`, into)
  }
}

function isLeaf(value: unknown): value is string | number | boolean | readonly unknown[] | null {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every((item) => typeof item !== 'object' || item === null)
  return Object.keys(value).length === 0
}
