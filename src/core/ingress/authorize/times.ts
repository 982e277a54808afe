import type { TimeWindow } from '../../policy/linked/access.ts'

/** Where a moment falls in a zone's week. */
interface WallTime {
  /** 1 (Monday) to 7. */
  readonly day: number
  /** Minutes since midnight. */
  readonly minute: number
}

const days: Readonly<Record<string, number>> = { Mon: 1, Tue: 2, Wed: 3, Thu: 4, Fri: 5, Sat: 6, Sun: 7 }

/**
 * Compiles time windows: any one is enough. A window that wraps over midnight belongs to the day it starts on. A window without
 * days is open every day. @throws RangeError for a zone that the platform does not know.
 */
export function compileTimes(windows: readonly TimeWindow[]): (now: number) => boolean {
  const compiled = windows.map((window) => ({ window, wallTime: wallClock(window.zone) }))
  return (now) => compiled.some(({ window, wallTime }) => isOpen(window, wallTime(now)))
}

function isOpen({ days: on, from, to }: TimeWindow, { day, minute }: WallTime): boolean {
  const startsOn = (one: number) => on.length === 0 || on.includes(one)
  if (from < to) return startsOn(day) && minute >= from && minute < to
  const yesterday = day === 1 ? 7 : day - 1
  return (startsOn(day) && minute >= from) || (startsOn(yesterday) && minute < to)
}

/** Reads a zone's wall clock. Zones are whole minutes off UTC, so one reading holds for its minute. */
function wallClock(zone: string): (now: number) => WallTime {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', weekday: 'short', hour: '2-digit', minute: '2-digit' })
  let read: { readonly at: number; readonly time: WallTime } | undefined
  return (now) => {
    const at = Math.floor(now / 60_000)
    if (read?.at === at) return read.time
    const parts = new Map(format.formatToParts(now).map((part) => [part.type, part.value]))
    const time = { day: days[parts.get('weekday') ?? ''] ?? 0, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) }
    read = { at, time }
    return time
  }
}
