import type { CalendarPeriod } from '../model/limit.ts'

/*
 * How the policy files write quantities:
 *
 *   Duration = [ Int "d" ] [ Int "h" ] [ Int "m" ] [ Int "s" ] [ Int "ms" ]      (at least one part)
 *   Rate     = Int "/" Duration
 *   Quota    = Int "/" ( "hour" | "day" | "week" | "month" )
 *   Size     = Int ( "B" | "KiB" | "MiB" | "GiB" )
 *   Percent  = Int [ "." Int ] "%"                                                (0% to 100%)
 *   Time     = Hour ":" Minute                                                    (00:00 to 24:00)
 *
 * Every parser answers undefined for anything else and never throws. The patterns stand in the JSON Schema too.
 */

export const durationPattern = /^(?=\d)(?:\d{1,4}d)?(?:\d{1,5}h)?(?:\d{1,6}m)?(?:\d{1,8}s)?(?:\d{1,9}ms)?$/
export const ratePattern = /^\d{1,9}\/(?=\d)(?:\d{1,4}d)?(?:\d{1,5}h)?(?:\d{1,6}m)?(?:\d{1,8}s)?(?:\d{1,9}ms)?$/
export const quotaPattern = /^\d{1,9}\/(?:hour|day|week|month)$/
export const sizePattern = /^\d{1,10}(?:B|KiB|MiB|GiB)$/
export const percentPattern = /^(?:100(?:\.0+)?|\d{1,2}(?:\.\d{1,6})?)%$/
export const timePattern = /^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/

const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
const unitBytes: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** Milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined
  let total = 0
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[dhms])/g)) total += Number(count) * (unitMs[unit ?? ''] ?? Number.NaN)
  return total
}

export interface Rate {
  readonly points: number
  readonly windowMs: number
}

export function parseRate(text: string): Rate | undefined {
  const slash = text.indexOf('/')
  const points = /^\d{1,9}$/.test(text.slice(0, Math.max(slash, 0))) ? Number(text.slice(0, slash)) : undefined
  const windowMs = parseDuration(text.slice(slash + 1))
  return slash < 0 || points === undefined || windowMs === undefined ? undefined : { points, windowMs }
}

export interface Quota {
  readonly points: number
  readonly per: CalendarPeriod
}

/** So many points in each period of the calendar. */
export function parseQuota(text: string): Quota | undefined {
  if (!quotaPattern.test(text)) return undefined
  const slash = text.indexOf('/')
  // The cast is safe: the pattern lists these words.
  return { points: Number(text.slice(0, slash)), per: text.slice(slash + 1) as CalendarPeriod }
}

/** Bytes. */
export function parseSize(text: string): number | undefined {
  if (!sizePattern.test(text)) return undefined
  const unit = text.replace(/^\d+/, '')
  return Number(text.slice(0, -unit.length)) * (unitBytes[unit] ?? Number.NaN)
}

/** A share from 0 to 1. */
export function parsePercent(text: string): number | undefined {
  return percentPattern.test(text) ? Number(text.slice(0, -1)) / 100 : undefined
}

/** Minutes since midnight; 24:00 is 1440. */
export function parseTime(text: string): number | undefined {
  return timePattern.test(text) ? Number(text.slice(0, 2)) * 60 + Number(text.slice(3)) : undefined
}
