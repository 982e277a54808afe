import type { Route } from '../model/route.ts'
import type { Policy } from './policy.ts'

/** What is kept of one request above this is worth a warning, bytes. */
export const kept = { plenty: 1024 ** 2, most: 16 * 1024 ** 2 } as const

/**
 * The memory that the retries of a route may take, in a sentence: of each request under way its body, and its answer while that is held back.
 * Undefined without retries.
 */
export function keptOf({ retry, split }: Route, { clusters }: Pick<Policy, 'clusters'>): string | undefined {
  if (retry === undefined) return undefined
  const each = (retry.bodies ?? 0) + (retry.answers ?? 0)
  const names = new Set(split.map(({ cluster }) => cluster))
  let requests = 0
  for (const name of names) requests += Object.hasOwn(clusters, name) ? (clusters[name]?.caps.requests ?? 0) : 0
  return `keeps at most ${sizeText(each * requests)} in each process: ${sizeText(each)} of each of ${requests} requests under way`
}

const units = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
] as const

function sizeText(bytes: number): string {
  for (const [unit, size] of units) if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`
  return `${bytes} B`
}
