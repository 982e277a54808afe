import type { Member } from '../state.ts'

/** Averages forget with this time constant, milliseconds: long enough to be steady, short enough to notice a recovery. */
const decayMs = 10_000

/**
 * What a failed try counts as: so many times what the endpoint usually takes, at most (and where that is not known) this, milliseconds. An
 * endpoint that refuses quickly must not look fast, and one that is mended should not wait for minutes.
 */
const failure = { times: 20, mostMs: 5_000 } as const

/** The weight of a new answer in the usual time. */
const typicalShare = 0.1

/** Notes how long an endpoint took to answer. In its average a peak counts at once, an improvement slowly; in its mean each counts for a tenth. */
export function sampleAnswer(member: Member, tookMs: number, now: number): void {
  const took = Math.max(tookMs, 0.01)
  const keep = Math.exp((member.sampledAt - now) / decayMs)
  member.ewma = took > member.ewma ? took : member.ewma * keep + took * (1 - keep)
  // After a long silence the answer says more than what was known.
  member.mean = member.mean === 0 ? took : member.mean + Math.max(typicalShare, 1 - keep) * (took - member.mean)
  member.sampledAt = now
}

/** Notes that it took so long, or longer: nothing that is known makes it look better. */
function sampleWorst(member: Member, tookMs: number, now: number): void {
  sampleAnswer(member, tookMs, now)
  member.mean = Math.max(member.mean, tookMs)
}

/** Notes that an endpoint failed. */
export function sampleFailure(member: Member, tookMs: number, now: number): void {
  const { typicalMs } = member.standing
  sampleWorst(member, Math.max(tookMs, typicalMs === 0 ? failure.mostMs : Math.min(failure.mostMs, failure.times * typicalMs)), now)
}

/** Notes that nobody waited any longer: it would have taken at least so long, and how much longer nobody knows. */
export function samplePatience(member: Member, tookMs: number, now: number): void {
  if (tookMs > expectedMs(member, now)) sampleWorst(member, tookMs, now)
}

/**
 * How long an idle endpoint will probably take, milliseconds; 0 when it never answered. What is known fades: a slow endpoint that nobody
 * asks is asked again in time.
 */
export function expectedMs(member: Member, now: number): number {
  return member.ewma * Math.exp((member.sampledAt - now) / decayMs)
}

/** The same without regard to single peaks: how long it usually takes. A pause of one moment does not make an endpoint a slow one. */
export function usualMs(member: Member, now: number): number {
  return member.mean * Math.exp((member.sampledAt - now) / decayMs)
}

/** Notes how long a good answer took, for what is usual. */
export function sampleTypical({ standing }: Member, tookMs: number): void {
  standing.typicalMs = standing.typicalMs === 0 ? tookMs : standing.typicalMs + typicalShare * (tookMs - standing.typicalMs)
}

/** An endpoint has shown that it is well again: failures before count no more. */
export function forgetFailures(member: Member, now: number): void {
  member.ewma = member.standing.typicalMs
  member.mean = member.standing.typicalMs
  member.sampledAt = now
}
