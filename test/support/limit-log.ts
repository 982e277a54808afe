import type { LimitSpec } from '../../src/core/ports.ts'

/** Something that was let through: milliseconds, and how much. */
export interface Passed {
  readonly at: number
  readonly cost: number
}

/**
 * How far a log of what passed went beyond what the limit says, in points, over every stretch of time that begins and ends with something in it
 * (no other stretch can be worse). Never above 0 for a limit that keeps its word. Whole numbers throughout. `periods`: starts of calendar periods.
 */
export function overshoot(log: readonly Passed[], limit: LimitSpec, periods: readonly number[] = []): number {
  const { algorithm, points, windowMs, burst } = limit
  let worst = Number.NEGATIVE_INFINITY
  for (const [i, first] of log.entries()) {
    let sum = 0
    for (const { at, cost } of log.slice(i)) {
      if (algorithm.kind === 'sliding' && at - first.at >= windowMs) break
      if (algorithm.kind === 'calendar' && periodOf(periods, at) !== periodOf(periods, first.at)) break
      sum += cost
      const most = algorithm.kind === 'gcra' ? burst + (points * (at - first.at)) / windowMs : points + burst
      worst = Math.max(worst, sum - most)
    }
  }
  return worst
}

/** What passed in the `lastMs` before a moment, that moment included. */
export function passedIn(log: readonly Passed[], now: number, lastMs: number): number {
  return log.reduce((sum, { at, cost }) => (at > now - lastMs ? sum + cost : sum), 0)
}

/** What an exact bucket holds at a moment: `burst` at the start, refilled evenly. In points × windowMs, so that it stays whole. */
export function bucketAt(log: readonly Passed[], { points, windowMs, burst }: LimitSpec, now: number): number {
  let level = burst * windowMs
  let last = log[0]?.at ?? now
  for (const { at, cost } of [...log, { at: now, cost: 0 }]) {
    level = Math.min(burst * windowMs, level + (at - last) * points) - cost * windowMs
    last = at
  }
  return level
}

function periodOf(periods: readonly number[], at: number): number {
  return periods.filter((start) => start <= at).length
}

export interface Arrival {
  readonly wait: number
  readonly cost: number
}

/** Ways to arrive, each of `count` requests, given a source of numbers in [0, 1). Waits are whole milliseconds. */
export const arrivals: Readonly<Record<'poisson' | 'bursts' | 'edges', (count: number, limit: LimitSpec, unit: () => number) => readonly Arrival[]>> = {
  /** Twice as many as the limit lets through, with exponential gaps. */
  poisson: (count, { points, windowMs }, unit) =>
    Array.from({ length: count }, () => ({ wait: Math.floor((-Math.log(1 - unit()) * windowMs) / (2 * points)), cost: costOf(unit) })),
  /** Many at once, then a pause of up to a window and a bit. */
  bursts: (count, { points, windowMs }, unit) =>
    Array.from({ length: count }, (_, i) => ({ wait: i % (2 * points) === 0 ? Math.floor(unit() * windowMs * 1.2) : 0, cost: costOf(unit) })),
  /** Around the edges of clock-aligned windows and of their twentieths: a millisecond before, at, and after. */
  edges: (count, { windowMs }, unit) =>
    Array.from({ length: count }, (_, i) => {
      const step = unit() < 0.5 ? windowMs : windowMs / 20
      const gaps = [Math.floor(step) - 1, 1, 0, 0, 1, 0]
      return { wait: Math.max(0, gaps[i % gaps.length] ?? 0), cost: costOf(unit) }
    }),
}

function costOf(unit: () => number): number {
  return unit() < 0.8 ? 1 : 1 + Math.floor(unit() * 3)
}
