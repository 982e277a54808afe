import { capacityOf, type LimitShape } from '../../../core/model/limit.ts'
import { type Standing, waitOf } from './standing.ts'

/** What came close together is kept as one, and goes when the last of it does: points come back late by at most this share of the window. */
export const slidingGrains = 20

/** What was taken in the last window. Microseconds are the caller's. */
export interface SlidingState {
  readonly kind: 'sliding'
  /** When the last of each group came, oldest first. */
  readonly lasts: number[]
  readonly counts: number[]
  /** When the newest group began. */
  began: number
  used: number
}

/**
 * A log of groups: no window, wherever it begins, ever holds more than the capacity. The two counters that others weigh against each other let
 * almost twice as much through when it comes at the end of one and the start of the next; a log of groups pays with a little lateness instead.
 */
export function readSliding(state: SlidingState | undefined, limit: LimitShape, cost: number, nowUs: number): Standing {
  const capacity = capacityOf(limit)
  if (state === undefined) return { fits: cost <= capacity, remaining: capacity, resetMs: cost <= capacity ? 0 : limit.windowMs }
  forget(state, nowUs - limit.windowMs * 1000)
  const remaining = Math.max(0, capacity - state.used)
  const fits = cost <= remaining
  const until = fits ? state.lasts.at(-1) : lastInTheWay(state, capacity - cost)
  return { fits, remaining, resetMs: until === undefined ? (fits ? 0 : limit.windowMs) : waitOf(until + limit.windowMs * 1000 - nowUs) }
}

export function addSliding(state: SlidingState | undefined, limit: LimitShape, cost: number, nowUs: number): SlidingState {
  if (state === undefined) return { kind: 'sliding', lasts: [nowUs], counts: [cost], began: nowUs, used: cost }
  const newest = state.lasts.length - 1
  if (newest >= 0 && nowUs - state.began < (limit.windowMs * 1000) / slidingGrains) {
    state.lasts[newest] = nowUs
    state.counts[newest] = (state.counts[newest] ?? 0) + cost
  } else {
    state.lasts.push(nowUs)
    state.counts.push(cost)
    state.began = nowUs
  }
  state.used += cost
  return state
}

/** Drops what came at `until` or before. */
function forget(state: SlidingState, until: number): void {
  let gone = 0
  while (gone < state.lasts.length && (state.lasts[gone] ?? 0) <= until) state.used -= state.counts[gone++] ?? 0
  if (gone === 0) return
  state.lasts.splice(0, gone)
  state.counts.splice(0, gone)
}

/** When the group came that has to go before no more than `most` is left; undefined when that is never enough. */
function lastInTheWay({ lasts, counts, used }: SlidingState, most: number): number | undefined {
  let left = used
  for (const [i, count] of counts.entries()) {
    left -= count
    if (left <= most) return lasts[i]
  }
  return undefined
}
