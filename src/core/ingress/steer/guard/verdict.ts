import type { Guard } from '../../../model/destination.ts'
import { isSurelyFrom, lowerShare, mayBeFrom, upperShare } from './bounds.ts'
import type { Tally } from './tally.ts'

/** Why a version is taken out, in figures. Shares from 0 to 1, times in milliseconds. */
export interface Verdict {
  readonly reason: 'errors' | 'latency'
  /** Of the version that is judged: the least that it can be blamed for. */
  readonly canary: number
  /** Of the others: the most that they can be blamed for. */
  readonly others: number
  /** Answers of the version and of the others in the window. */
  readonly answers: readonly [canary: number, others: number]
}

/** A version that is no worse than it may be is taken out with at most this probability, in all its life and however often it is looked at. */
const falseAlarms = 0.005

const p95 = 0.95

/**
 * Judges a version against the others: an abort when even the most favourable reading of what was seen says that it makes more errors than the
 * others by more than `errorRateDelta`, or that its p95 is more than `p95Ratio` times theirs. `looks` counts the times this was asked, from 1
 * on: each look may err less often than the one before, so that all of them together stay below the bound (the sum of 1/n² is finite).
 */
export function judge(guard: Guard, canary: Tally, others: Tally, looks: number): Verdict | undefined {
  // Two tests, and two bounds in each, that may be wrong.
  const doubt = -Math.log((falseAlarms / 4) * (6 / (Math.PI * Math.PI * looks * looks)))
  return errors(guard, canary, others, doubt) ?? latency(guard, canary, others, doubt)
}

function errors({ errorRateDelta }: Guard, canary: Tally, others: Tally, doubt: number): Verdict | undefined {
  const least = lowerShare(canary.errors, canary.answers, doubt)
  if (least <= errorRateDelta) return undefined
  const most = upperShare(others.errors, others.answers, doubt)
  if (least - most <= errorRateDelta) return undefined
  return { reason: 'errors', canary: least, others: most, answers: [canary.answers, others.answers] }
}

function latency({ p95Ratio }: Guard, canary: Tally, others: Tally, doubt: number): Verdict | undefined {
  // The p95 of the others is not above this time: more than 95 of 100 are surely within it.
  const most = others.timeWhere((within, all) => isSurelyFrom(p95, within, all, doubt), 'upper')
  if (most === undefined) return undefined
  // That of the version is not below this one: surely fewer than 95 of 100 are done before it.
  const least = canary.timeWhere((within, all) => mayBeFrom(p95, within, all, doubt), 'lower')
  if (least === undefined || least <= most * p95Ratio) return undefined
  return { reason: 'latency', canary: least, others: most, answers: [canary.answers, others.answers] }
}
