import type * as z from 'zod'
import { type Node, type Path, plainOf, type Spot, spotAt } from './read/node.ts'
import type { Report } from './report.ts'
import { type Finding, findingsOf } from './shape/findings.ts'

/** An object after its shape was checked. */
export interface Shaped<T> {
  /** Undefined when nothing of it can be read; members that could not be read are undefined or left out. */
  readonly value: Partial<T> | undefined
  /** Dotted paths that had to be left out, from the object on. Checks across members look here before they complain. */
  readonly removed: readonly string[]
}

/**
 * Checks one object against its schema and reports everything wrong with it. What is sound is read on without the rest, so that
 * checks of meaning find their problems in the same run; the object is broken either way.
 */
export function checkShape<T>(schema: z.ZodType<T>, node: Node, place: { readonly object: string; readonly start: Spot }, report: Report): Shaped<T> {
  const parsed = schema.safeParse(plainOf(node))
  if (parsed.success) return { value: parsed.data, removed: [] }
  const findings = findingsOf(parsed.error.issues, schema, node, place.object)
  for (const { path, which, code, message, hint } of findings) {
    report.error({ code, at: spotAt(node, place.start, path, which), message, hint, object: place.object })
  }
  return salvage(schema, plainOf(node), findings)
}

/** Leaves out what is wrong and reads again; a second and third time for what that uncovers. */
function salvage<T>(schema: z.ZodType<T>, plain: unknown, first: readonly Finding[]): Shaped<T> {
  // A cast because the schema's class is not in its type: objects alone know which members may be left out.
  const partial = schema.type === 'object' ? ((schema as unknown as z.ZodObject).partial() as unknown as z.ZodType<Partial<T>>) : schema
  const removed: string[] = []
  let paths: readonly Path[] = first.map((finding) => finding.drop)
  for (let round = 0; round < 3; round++) {
    for (const path of paths) removed.push(path.join('.'))
    if (paths.some((path) => path.length === 0)) return { value: undefined, removed }
    removeAll(plain, paths)
    const parsed = partial.safeParse(plain)
    if (parsed.success) return { value: parsed.data, removed }
    paths = parsed.error.issues.map((issue) => issue.path.slice(0, -1) as Path)
  }
  return { value: undefined, removed }
}

function removeAll(plain: unknown, paths: readonly Path[]): void {
  // Later items first, so that indexes hold.
  const sorted = paths.toSorted((a, b) => order(b.at(-1)) - order(a.at(-1)))
  for (const path of sorted) {
    let parent: unknown = plain
    for (const step of path.slice(0, -1)) parent = isObject(parent) ? parent[step] : undefined
    const last = path.at(-1)
    if (Array.isArray(parent) && typeof last === 'number') parent.splice(last, 1)
    else if (isObject(parent) && last !== undefined) delete parent[last]
  }
}

function order(step: string | number | undefined): number {
  return typeof step === 'number' ? step : -1
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null
}
