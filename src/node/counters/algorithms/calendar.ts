import type { LimitShape } from '../../../core/model/limit.ts'
import { type Standing, waitOf } from './standing.ts'

/** A period of the calendar, from `start` to before `end`; milliseconds since the epoch. */
export interface Period {
  readonly start: number
  readonly end: number
}

export interface CalendarState {
  readonly kind: 'calendar'
  /** Start of the period that it counts. */
  readonly start: number
  used: number
}

/** One counter per period, exact. What was counted for a later period stands: a wall clock that goes back gives nothing back. */
export function readCalendar(state: CalendarState | undefined, limit: LimitShape, cost: number, period: Period, nowMs: number): Standing {
  const used = state !== undefined && state.start >= period.start ? state.used : 0
  const remaining = Math.max(0, limit.points - used)
  const fits = cost <= remaining
  return { fits, remaining, resetMs: used === 0 && fits ? 0 : waitOf((period.end - nowMs) * 1000) }
}

export function addCalendar(state: CalendarState | undefined, cost: number, period: Period): CalendarState {
  if (state === undefined || state.start < period.start) return { kind: 'calendar', start: period.start, used: cost }
  state.used += cost
  return state
}
