/** How long a calendar window is; weeks begin on Monday (ISO 8601). */
export type CalendarPeriod = 'hour' | 'day' | 'week' | 'month'

/**
 * What a limit promises:
 *
 * - `gcra`: an even flow for protection. `burst` may come at once, and comes back at `points` per `windowMs`; any stretch of time holds
 *   at most `points / windowMs × stretch + burst`.
 * - `sliding`: no stretch of `windowMs`, wherever it begins, holds more than `points + burst`.
 * - `calendar`: no period of the calendar in the zone (IANA name) holds more than `points`.
 * - `concurrency`: at most `points` at a time.
 */
export type LimitAlgorithm =
  | { readonly kind: 'gcra' | 'sliding' | 'concurrency' }
  | { readonly kind: 'calendar'; readonly per: CalendarPeriod; readonly zone: string }

/** The numbers of a limit. */
export interface LimitShape {
  readonly algorithm: LimitAlgorithm
  /** Requests (or cost points) per window; of `concurrency`, at a time. */
  readonly points: number
  /** Milliseconds. Of `calendar` the longest that a period can be, but for clock changes; of `concurrency` 0. */
  readonly windowMs: number
  /** See the algorithms; 0 where it says nothing. */
  readonly burst: number
}

const hourMs = 3_600_000

/** Milliseconds: the longest that a period can be, but for clock changes. */
export const periodMs: Readonly<Record<CalendarPeriod, number>> = { hour: hourMs, day: 24 * hourMs, week: 168 * hourMs, month: 744 * hourMs }

/** What a limit holds when it is untouched: the most that can pass at once, and that one request can cost. */
export function capacityOf({ algorithm, points, burst }: LimitShape): number {
  return algorithm.kind === 'gcra' ? burst : points + burst
}

/** Milliseconds in which all of the capacity comes back; 0 for `concurrency`, which waits for others. */
export function refillMs({ algorithm, points, windowMs, burst }: LimitShape): number {
  return algorithm.kind === 'gcra' ? Math.ceil((burst * windowMs) / points) : windowMs
}
