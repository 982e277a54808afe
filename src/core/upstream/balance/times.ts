import type { Member } from '../state.ts'

/** Averages forget with this time constant, milliseconds: long enough to be steady, short enough to notice a recovery. */
const decayMs = 10_000

/** What a failed try counts as, milliseconds: an endpoint that refuses quickly must not look fast. */
const failureMs = 5_000

/** Notes how long an endpoint took to answer. A peak counts at once, an improvement slowly. */
export function sampleAnswer(member: Member, tookMs: number, now: number): void {
  const took = Math.max(tookMs, 0.01)
  const keep = Math.exp((member.sampledAt - now) / decayMs)
  member.ewma = took > member.ewma ? took : member.ewma * keep + took * (1 - keep)
  member.sampledAt = now
}

/** Notes that an endpoint failed. */
export function sampleFailure(member: Member, tookMs: number, now: number): void {
  sampleAnswer(member, Math.max(tookMs, failureMs), now)
}

/** Notes that nobody waited any longer: it would have taken at least so long, and how much longer nobody knows. */
export function samplePatience(member: Member, tookMs: number, now: number): void {
  if (tookMs > expectedMs(member, now)) sampleAnswer(member, tookMs, now)
}

/**
 * How long an idle endpoint will probably take, milliseconds; 0 when it never answered. What is known fades: a slow endpoint that nobody
 * asks is asked again in time.
 */
export function expectedMs(member: Member, now: number): number {
  return member.ewma * Math.exp((member.sampledAt - now) / decayMs)
}
