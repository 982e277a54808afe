import type { CalendarPeriod } from '../../core/model/limit.ts'
import type { Period } from './algorithms/calendar.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** Finds periods of the calendar. Each answer is kept until its period is over: asking a time zone is slow. */
export interface Periods {
  /** The period of the zone that holds this moment (milliseconds since the epoch). @throws RangeError for a zone that is not known here. */
  at(per: CalendarPeriod, zone: string, nowMs: number): Period
  /** Where the period before it begins, it, the next one, and where that ends; four texts in one, parted by spaces. */
  around(per: CalendarPeriod, zone: string, nowMs: number): string
}

interface Known extends Period {
  around: string | undefined
}

export function createPeriods(): Periods {
  const zones = new Map<string, Intl.DateTimeFormat>()
  const known = { hour: new Map<string, Known>(), day: new Map<string, Known>(), week: new Map<string, Known>(), month: new Map<string, Known>() }
  const zoneOf = (zone: string): Intl.DateTimeFormat => {
    const format = zones.get(zone) ?? formatOf(zone)
    zones.set(zone, format)
    return format
  }
  const at = (per: CalendarPeriod, zone: string, nowMs: number): Known => {
    const last = known[per].get(zone)
    if (last !== undefined && nowMs >= last.start && nowMs < last.end) return last
    const period = { ...periodAt(per, zoneOf(zone), nowMs), around: undefined }
    known[per].set(zone, period)
    return period
  }
  return {
    at,
    around(per, zone, nowMs) {
      const period = at(per, zone, nowMs)
      period.around ??= [periodAt(per, zoneOf(zone), period.start - 1).start, period.start, period.end, periodAt(per, zoneOf(zone), period.end).end].join(' ')
      return period.around
    },
  }
}

/** Days, weeks and months begin with the first moment of their first date in the zone, so a day may have 23 or 25 hours. An hour has 60 minutes, but where clocks change within it: there one ends and the next begins. */
function periodAt(per: CalendarPeriod, format: Intl.DateTimeFormat, nowMs: number): Period {
  if (per === 'hour') {
    const offset = offsetAt(format, nowMs)
    const start = Math.floor((nowMs + offset) / hourMs) * hourMs - offset
    const sameAt = (atMs: number) => offsetAt(format, atMs) === offset
    return {
      start: sameAt(start) ? start : edge(start, nowMs, sameAt),
      end: sameAt(start + hourMs - 1) ? start + hourMs : edge(nowMs, start + hourMs - 1, (atMs) => !sameAt(atMs)),
    }
  }
  let first = firstDate(per, nowMs + offsetAt(format, nowMs))
  // Where clocks go back across midnight a date comes twice; its period begins once, and the one before lasts until then.
  while (startOf(first, format) > nowMs) first = firstDate(per, first - dayMs)
  for (;;) {
    const next = firstDate(per, first + spanDays[per] * dayMs)
    const end = startOf(next, format)
    if (nowMs < end) return { start: startOf(first, format), end }
    first = next
  }
}

/** The first moment after `no`, up to `yes`, from which on `holds`. */
function edge(no: number, yes: number, holds: (atMs: number) => boolean): number {
  let [before, from] = [no, yes]
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2)
    if (holds(middle)) from = middle
    else before = middle
  }
  return from
}

/** From the first date of a period, so many days later is a date of the next one. */
const spanDays = { day: 1, week: 7, month: 31 } as const

/** Local midnight of the first date of the period that holds a local time; both as if they were UTC. */
function firstDate(per: 'day' | 'week' | 'month', localMs: number): number {
  const days = Math.floor(localMs / dayMs)
  if (per === 'day') return days * dayMs
  // Day 0 was a Thursday; weeks begin on Monday.
  if (per === 'week') return (days - ((((days + 3) % 7) + 7) % 7)) * dayMs
  const date = new Date(localMs)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

/** The first moment whose local time is `localMs` (as if it were UTC), or, where clocks skip it, the moment they do. */
function startOf(localMs: number, format: Intl.DateTimeFormat): number {
  const offsets = [offsetAt(format, localMs - dayMs), offsetAt(format, localMs + dayMs)] as const
  for (const offset of offsets) if (offsetAt(format, localMs - offset) === offset) return localMs - offset
  return localMs - offsets[0]
}

/** Milliseconds that the zone's clocks are ahead of UTC. */
function offsetAt(format: Intl.DateTimeFormat, atMs: number): number {
  const parts: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(atMs)) parts[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const numeric = 'numeric'
  const fields = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric } as const
  return new Intl.DateTimeFormat('en-US', { timeZone, calendar: 'gregory', hourCycle: 'h23', ...fields })
}
