import type { Candidate } from './candidate.ts'
import { expectedMs } from './times.ts'

/** Whether the second of two candidates is the better choice. */
export type Better = (first: Candidate, second: Candidate, now: number) => boolean

/** An endpoint that takes so many times as long as another is not its equal, however few requests it has. */
const muchSlower = 3

/** An endpoint without any sample but with requests under way is tried last. */
const unknownMs = 1e9

/** A wait has to be shorter by this share to count as shorter: what is known is never so exact, and the draw keeps the weights. */
const clearlySooner = 0.8

/**
 * Requests under way, counted in units of the lightest endpoint: one of three times the weight has as much to do with three. Rounded,
 * so that where little is under way the weights alone decide.
 */
function load({ member, weight }: Candidate, lightest: number): number {
  return Math.round((member.active * lightest) / weight)
}

/**
 * Fewer under way. One that takes more than three times as long as the other is chosen only when that has so many times as many under way: a
 * slow endpoint is idle most of the time where there is little to do.
 */
export function fewerUnderWay(lightest: number): Better {
  return (first, second, now) => {
    const [mine, other] = [load(first, lightest), load(second, lightest)]
    const [mineMs, otherMs] = [expectedMs(first.member, now), expectedMs(second.member, now)]
    if (otherMs > 0 && mineMs > muchSlower * otherMs) return other * otherMs < (mine + 1) * mineMs
    if (mineMs > 0 && otherMs > muchSlower * mineMs) return mine * mineMs > (other + 1) * otherMs
    // Of different weights: when it would still have fewer for its weight with this one too.
    if (first.weight === second.weight) return second.member.active < first.member.active
    return (second.member.active + 1) / second.weight <= first.member.active / first.weight
  }
}

/** The shorter expected wait behind what is under way. An idle endpoint nobody has asked yet costs nothing, so it is tried soon. */
export function soonerAnswer(lightest: number): Better {
  const cost = (candidate: Candidate, now: number) => {
    const { member } = candidate
    if (member.ewma === 0) return member.active === 0 ? 0 : unknownMs + member.active
    return expectedMs(member, now) * (load(candidate, lightest) + 1)
  }
  return (first, second, now) => cost(second, now) < clearlySooner * cost(first, now)
}
