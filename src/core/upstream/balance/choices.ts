import type { Candidate } from './candidate.ts'
import { expectedMs, usualMs } from './times.ts'

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
 * What is said of two where one usually takes more than three times as long: it is chosen only when the other has so many times as many under way, for a
 * slow endpoint is idle most of the time where there is little to do. Undefined for equals.
 */
function secondIsFaster(first: Candidate, second: Candidate, lightest: number, now: number): boolean | undefined {
  const [firstMs, secondMs] = [usualMs(first.member, now), usualMs(second.member, now)]
  if (secondMs > 0 && firstMs > muchSlower * secondMs) return load(second, lightest) * secondMs < (load(first, lightest) + 1) * firstMs
  if (firstMs > 0 && secondMs > muchSlower * firstMs) return load(first, lightest) * firstMs > (load(second, lightest) + 1) * secondMs
  return undefined
}

/** Fewer under way, of those that are not much slower. */
export function fewerUnderWay(lightest: number): Better {
  return (first, second, now) => {
    const faster = secondIsFaster(first, second, lightest, now)
    if (faster !== undefined) return faster
    // Of different weights: when it would still have fewer for its weight with this one too.
    if (first.weight === second.weight) return second.member.active < first.member.active
    return (second.member.active + 1) / second.weight <= first.member.active / first.weight
  }
}

/** The shorter expected wait behind what is under way, of those that are not much slower. An idle endpoint nobody has asked yet costs nothing, so it is tried soon. */
export function soonerAnswer(lightest: number): Better {
  const cost = (candidate: Candidate, now: number) => {
    const { member } = candidate
    if (member.ewma === 0) return member.active === 0 ? 0 : unknownMs + member.active
    return expectedMs(member, now) * (load(candidate, lightest) + 1)
  }
  return (first, second, now) => secondIsFaster(first, second, lightest, now) ?? cost(second, now) < clearlySooner * cost(first, now)
}
