import type { Reading } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { rateLimitHeaders, wholeSeconds } from '../../model/reading.ts'
import type { Clock, Random, Taken, TakenReading } from '../../ports.ts'
import type { Asked, PlannedLimit } from './plan.ts'
import type { Size } from './size.ts'

/** A limit and what its store said of it. */
export interface Answered {
  readonly limit: PlannedLimit
  readonly size: Size
  readonly cost: number
  readonly taken: TakenReading
}

/** Pairs limits with their readings; a limit that had no say in a refusal has none. */
export function answersOf(asked: readonly Asked[], taken: Taken): readonly Answered[] {
  const answers: Answered[] = []
  for (const { limit, size, descriptor } of asked) {
    const reading = taken.readings.find((one) => one.limit === limit.name)
    if (reading !== undefined) answers.push({ limit, size, cost: descriptor.cost, taken: reading })
  }
  return answers
}

/** The answer as it stands in the exchange; `allowed` is what the limit's own take said. */
export function readingOf({ limit, size, taken }: Answered, allowed: boolean, clock: Pick<Clock, 'now'>): Reading {
  const { remaining, resetMs, degraded, coarse } = taken
  const { quota, windowMs } = size
  const facts = { limit: limit.name, quota, windowMs, remaining, resetMs, degraded, ...(coarse === true ? { coarse } : {}), ...legacyOf(limit, resetMs, clock) }
  return limit.mode === 'enforce' ? facts : { ...facts, audit: allowed ? 'within' : 'exceeded' }
}

/** The same after an answer was charged. */
export function readingAfter(before: Reading, limit: PlannedLimit, left: TakenReading, charged: number, clock: Pick<Clock, 'now'>): Reading {
  const { remaining, resetMs, degraded } = left
  return { ...before, remaining, resetMs, degraded: before.degraded || degraded, charged: (before.charged ?? 0) + charged, ...legacyOf(limit, resetMs, clock) }
}

/** Rounded up both ways, as all times that are told. */
function legacyOf({ legacyHeaders }: PlannedLimit, resetMs: number, clock: Pick<Clock, 'now'>): Pick<Reading, 'legacyReset'> {
  if (legacyHeaders === undefined) return {}
  return { legacyReset: wholeSeconds(legacyHeaders === 'epoch' ? clock.now() + resetMs : resetMs) }
}

/** After a refusal or a peek: this limit has too little left for the request. */
export function isOver({ cost, taken }: Answered): boolean {
  return taken.remaining < cost
}

/** From here on somebody should be told before they are refused: four fifths are used. */
export function isNear(remaining: number, quota: number): boolean {
  return remaining * 5 <= quota
}

/**
 * The fault of a request that costs more than its limit ever holds, because a claim says a number below the cost: nothing was counted, no wait would help, and
 * the record says what does not fit.
 */
export function tooSmall({ limit: { name }, size, descriptor }: Asked): Fault {
  return new Fault('rate_limited', `the rate limit "${name}" is smaller than what this request costs`, {
    headers: [noStore],
    members: { limit: name, quota: size.quota, cost: descriptor.cost, 'violated-policies': [name] },
    internal: `limit ${name} holds ${size.quota} (${size.because ?? 'for everybody'}), and the request costs ${descriptor.cost}: it can never pass`,
  })
}

/** A limit that must not be answered without its store, and was. */
export function isUnavailable({ limit, taken }: Answered): boolean {
  return taken.degraded && limit.onStoreFailure === 'deny'
}

/**
 * The fault of a refused request: `limiter_unavailable` (503) when a `deny` limit could not be asked, `rate_limited` (429)
 * otherwise. It tells of all `readings` of the request. Retry-After (RFC 9110 section 10.2.3) is never before the last reset among the limits that were over, plus
 * up to 10 % so that those refused together do not come back together. Never stored by a cache (RFC 6585 section 4).
 */
export function refusalOf(
  answers: readonly Answered[],
  refusedBy: string | undefined,
  readings: readonly Reading[],
  { random }: { readonly random: Random },
): Fault {
  const unavailable = answers.find((answer) => isUnavailable(answer) && answer.limit.name === refusedBy)
  if (unavailable !== undefined) {
    const headers = [retryAfter(unavailable.taken.resetMs, random), noStore] as const
    return new Fault('limiter_unavailable', 'the rate limit cannot be checked now', { headers, members: { limit: unavailable.limit.name } })
  }
  const over = answers.filter(isOver)
  const violated = over.map((answer) => answer.limit.name)
  const name = refusedBy ?? violated[0] ?? 'unknown'
  const wait = Math.max(0, ...over.map((answer) => answer.taken.resetMs))
  return new Fault('rate_limited', `the rate limit "${name}" is reached`, {
    headers: [...rateLimitHeaders(readings), retryAfter(wait, random), noStore],
    members: { limit: name, 'violated-policies': violated.length === 0 ? [name] : violated },
  })
}

const noStore = ['cache-control', 'no-store'] as const

function retryAfter(waitMs: number, random: Random): readonly [string, string] {
  return ['retry-after', String(Math.max(1, wholeSeconds(waitMs * (1 + random.unit() / 10))))]
}
