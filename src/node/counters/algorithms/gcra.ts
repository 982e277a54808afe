import type { LimitShape } from '../../../core/model/limit.ts'
import { type Standing, waitOf } from './standing.ts'

/** A length of time: whole microseconds, and parts of one, each `1 / points` of it. So a rate that divides no microsecond is counted exactly. */
interface Span {
  readonly us: number
  readonly part: number
}

/** When all that was taken will have flowed off (the "theoretical arrival time" of GCRA), in the caller's microseconds. */
export interface GcraState {
  readonly kind: 'gcra'
  us: number
  part: number
  /** More was charged than the bucket holds: what is above is owed. Of any other, it is of a larger bucket that the policies had before. */
  owed: boolean
}

const none: Span = { us: 0, part: 0 }

/** Up to here a double counts in parts alone; where a full bucket is more, as of long windows with large bursts, spans are counted. */
const mostParts = 2 ** 52

/**
 * The generic cell rate algorithm (ITU-T I.371), as a bucket: each point takes `window / points` to flow off, and `burst` of them fit in. Any
 * stretch of time lets through at most what flows off in it, and `burst`. Exact while cost × points is below 2^53, which the loader sees to.
 */
export function readGcra(state: GcraState | undefined, limit: LimitShape, cost: number, nowUs: number): Standing {
  const { points, burst } = limit
  const windowUs = limit.windowMs * 1000
  const full = burst * windowUs
  if (full >= mostParts || cost > burst || state?.owed === true) return readWide(state, limit, cost, nowUs)
  const waiting = partsWaiting(state, limit, full, nowUs)
  const remaining = Math.floor((full - waiting) / windowUs)
  const fits = cost <= remaining
  return { fits, remaining, resetMs: waitOf(Math.ceil((fits ? waiting : waiting + cost * windowUs - full) / points)) }
}

/** Adds, whether it fits or not; of what does not fit, one window is owed at most. */
export function addGcra(state: GcraState | undefined, limit: LimitShape, cost: number, nowUs: number): GcraState {
  const { points } = limit
  const windowUs = limit.windowMs * 1000
  const full = limit.burst * windowUs
  if (full >= mostParts || cost > limit.burst || state?.owed === true) return addWide(state, limit, cost, nowUs)
  const then = partsWaiting(state, limit, full, nowUs) + cost * windowUs
  if (then > full) return addWide(state, limit, cost, nowUs)
  const us = Math.floor(then / points)
  return updated(state, nowUs + us, then - us * points, false)
}

/** What has not flowed off yet, in parts. */
function partsWaiting(state: GcraState | undefined, limit: LimitShape, full: number, nowUs: number): number {
  if (state === undefined || state.us < nowUs) return 0
  const waiting = (state.us - nowUs) * limit.points + Math.min(state.part, limit.points - 1)
  if (waiting <= full) return waiting
  backlog(state, limit, nowUs)
  return full
}

function updated(state: GcraState | undefined, us: number, part: number, owed: boolean): GcraState {
  if (state === undefined) return { kind: 'gcra', us, part, owed }
  state.us = us
  state.part = part
  state.owed = owed
  return state
}

function readWide(state: GcraState | undefined, limit: LimitShape, cost: number, nowUs: number): Standing {
  const waiting = backlog(state, limit, nowUs)
  const full = spanOf(limit.burst, limit)
  const remaining = roomIn(waiting, full, limit)
  if (cost <= remaining) return { fits: true, remaining, resetMs: waitOf(waiting.us + (waiting.part > 0 ? 1 : 0)) }
  const then = sum(waiting, spanOf(cost, limit), limit.points)
  return { fits: false, remaining, resetMs: waitOf(then.us - full.us + (then.part > full.part ? 1 : 0)) }
}

function addWide(state: GcraState | undefined, limit: LimitShape, cost: number, nowUs: number): GcraState {
  const sought = sum(backlog(state, limit, nowUs), spanOf(cost, limit), limit.points)
  const owed = !within(sought, spanOf(limit.burst, limit))
  const most = mostOf(limit, owed)
  const then = within(sought, most) ? sought : most
  return updated(state, nowUs + then.us, then.part, owed)
}

/** A full bucket, and what may be owed beside it: one window. */
function mostOf(limit: LimitShape, owed: boolean): Span {
  const { us, part } = spanOf(limit.burst, limit)
  return { us: owed ? us + limit.windowMs * 1000 : us, part }
}

/** What has not flowed off yet. Never more than a full bucket and what is owed: when the policies make it smaller, what is above is forgotten. */
function backlog(state: GcraState | undefined, limit: LimitShape, nowUs: number): Span {
  if (state === undefined || state.us < nowUs) return none
  const left: Span = { us: state.us - nowUs, part: Math.min(state.part, limit.points - 1) }
  const most = mostOf(limit, state.owed)
  if (within(left, most)) return left
  state.us = nowUs + most.us
  state.part = most.part
  return most
}

/** The time that so many points take to flow off. */
function spanOf(count: number, { points, windowMs }: LimitShape): Span {
  const windowUs = windowMs * 1000
  const parts = count * (windowUs % points)
  return { us: count * Math.floor(windowUs / points) + Math.floor(parts / points), part: parts % points }
}

function sum(a: Span, b: Span, points: number): Span {
  const part = a.part + b.part
  return part < points ? { us: a.us + b.us, part } : { us: a.us + b.us + 1, part: part - points }
}

function within(a: Span, b: Span): boolean {
  return a.us < b.us || (a.us === b.us && a.part <= b.part)
}

/** How many points fit on top of a backlog. The quotient may be off by one in its last place: the exact comparison has the word. */
function roomIn(waiting: Span, full: Span, limit: LimitShape): number {
  const { points, windowMs, burst } = limit
  const guess = Math.floor(((full.us - waiting.us + (full.part - waiting.part) / points) / (windowMs * 1000)) * points)
  for (let room = Math.min(burst, guess + 1); room > 0; room--) if (within(sum(waiting, spanOf(room, limit), points), full)) return room
  return 0
}
