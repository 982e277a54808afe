import { capacityOf } from '../model/limit.ts'
import type { Limit } from './policy.ts'

/**
 * The most that one key of a limit lets through, in a sentence: with its store, and without. `shared`: the policies name a store. N is the number
 * of instances.
 */
export function boundOf(limit: Limit, shared: boolean): string {
  const most = mostOf(limit)
  if (limit.mode === 'audit') return `refuses nothing (audit); counts ${most}`
  if (!shared) return `${most}, per process; a restart begins anew`
  return `${most}, over all instances; ${withoutStore(limit)}`
}

function mostOf(limit: Limit): string {
  const { algorithm, points, windowMs, burst } = limit
  switch (algorithm.kind) {
    case 'gcra':
      return `at most ${burst} at once and ${points + burst} in any ${textOf(windowMs)}`
    case 'sliding':
      return `at most ${capacityOf(limit)} in any ${textOf(windowMs)}`
    case 'calendar':
      return `at most ${points} in a calendar ${algorithm.per} (${algorithm.zone})`
    case 'concurrency':
      return `at most ${points} at a time`
  }
}

function withoutStore(limit: Limit): string {
  const again = `max(${capacityOf(limit)}, N × cost)`
  switch (limit.onStoreFailure) {
    case 'allow':
      return 'without the store there is no bound (allow)'
    case 'deny':
      return 'without the store none at all (deny)'
    case 'local':
      return limit.algorithm.kind === 'gcra'
        ? `while the store is lost up to ${again} at once more, at the same rate`
        : `while the store is lost up to ${again} more`
  }
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
