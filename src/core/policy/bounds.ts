import { capacityOf } from '../model/limit.ts'
import type { Limit } from './linked/limits.ts'

/**
 * The most that one key of a limit lets through, in a sentence: with its store, without, and when the store comes back with less than it had
 * counted. `shared`: the policies name a store. N is the number of instances. `charged`: a route lets answers say what they cost.
 */
export function boundOf(said: Limit, shared: boolean, charged = false): string {
  const limit = { ...said, points: mostPoints(said) }
  const most = charged ? `${mostOf(limit)}, beside what answers say they cost more` : mostOf(limit)
  if (limit.mode === 'audit') return `refuses nothing (audit); counts ${most}`
  if (!shared) return `${most}, per process; a restart begins anew`
  return `${most}, over all instances; ${withoutStore(limit)}; what the store forgets may be had again`
}

/** What a claim says at most. */
function mostPoints({ points, claimed }: Limit): number {
  if (claimed === undefined) return points
  return claimed.kind === 'number' ? claimed.ceiling : Math.max(points, ...claimed.values.map((one) => one.points))
}

function mostOf(limit: Limit): string {
  const most = mostCounted(limit)
  return limit.counts === 'failures' ? `${most} of answers 401 and 403, beside those under way` : most
}

function mostCounted(limit: Limit): string {
  const { algorithm, points, windowMs, burst } = limit
  if (algorithm.kind === 'calendar') return `at most ${points} in a calendar ${algorithm.per} (${algorithm.zone})`
  if (algorithm.kind === 'concurrency') return `at most ${points} at a time`
  if (algorithm.kind === 'gcra') return `at most ${burst} at once and ${points + burst} in any ${textOf(windowMs)}`
  return `at most ${capacityOf(limit)} in any ${textOf(windowMs)}`
}

function withoutStore(limit: Limit): string {
  if (limit.onStoreFailure === 'allow') return 'without the store there is no bound (allow)'
  if (limit.onStoreFailure === 'deny') return 'without the store none at all (deny)'
  const more = `while the store is lost up to max(${capacityOf(limit)}, N × cost)`
  return limit.algorithm.kind === 'gcra' ? `${more} at once more, coming back at the same rate` : `${more} more`
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** As the policies write a duration. */
function textOf(ms: number): string {
  let left = ms
  let text = ''
  for (const [unit, length] of units) {
    const count = Math.floor(left / length)
    if (count > 0) text += `${count}${unit}`
    left -= count * length
  }
  return text
}
