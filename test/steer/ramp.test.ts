import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketOf } from '../../src/core/ingress/steer/bucket.ts'
import { compileRendezvous } from '../../src/core/ingress/steer/rendezvous.ts'

const splitOf = (weights: readonly number[]) => {
  const split = compileRendezvous(weights.map((weight, i) => ({ cluster: 'orders', subset: `v${i + 1}`, weight, pin: undefined })))
  return (bucket: number) => Number(split(bucket)?.subset?.slice(1)) - 1
}

const subjects = Array.from({ length: 100_000 }, (_, i) => bucketOf('orders', `user-${i}@example.com`))

/** Where every subject stands after each step of a ramp. */
const stepsOf = (ramp: readonly (readonly number[])[]) => ramp.map((weights) => subjects.map(splitOf(weights)))

function shares(step: readonly number[], of: number): readonly number[] {
  const counts = Array.from({ length: of }, () => 0)
  for (const at of step) counts[at] = (counts[at] ?? 0) + 1
  return counts.map((count) => count / subjects.length)
}

describe('a sticky ramp over 100,000 subjects', () => {
  it('from 1 to 5, 25, 50 and 100 % moves nobody back, each share within one per cent', () => {
    const ramp = [1, 5, 25, 50, 100].map((share) => [100 - share, share])
    const steps = stepsOf(ramp)
    for (const [i, step] of steps.entries()) {
      const [, canary = 0] = shares(step, 2)
      expect(Math.abs(canary - (ramp[i]?.[1] ?? 0) / 100)).toBeLessThan(0.01)
      const before = steps[i - 1] ?? step
      expect(step.filter((at, s) => at === 0 && before[s] === 1)).toHaveLength(0)
    }
  })

  it.each([0, 1, 2])('of three, wherever the growing one stands in the list (place %i), moves nobody out of it', (place) => {
    const ramp = [1, 5, 25, 50, 100].map((share) => {
      const rest = [0.75, 0.25].map((part) => (100 - share) * part)
      return rest.toSpliced(place, 0, share)
    })
    const steps = stepsOf(ramp)
    for (const [i, step] of steps.entries()) {
      const seen = shares(step, 3)
      for (const [d, weight] of (ramp[i] ?? []).entries()) expect(Math.abs((seen[d] ?? 0) - weight / 100)).toBeLessThan(0.01)
      const before = steps[i - 1] ?? step
      // Nobody leaves the one that grows, and nobody moves between the others.
      expect(step.filter((at, s) => at !== before[s] && at !== place)).toHaveLength(0)
    }
  })

  it('that ends by taking the canary away moves its subjects alone, over the others by their weights', () => {
    const [before = [], after = []] = stepsOf([
      [60, 20, 20],
      [60, 20, 0],
    ])
    expect(after.filter((at, s) => before[s] !== 2 && at !== before[s])).toHaveLength(0)
    const moved = after.filter((_, s) => before[s] === 2)
    expect(moved.filter((at) => at === 0).length / moved.length).toBeCloseTo(0.75, 1)
  })
})

describe('a sticky split', () => {
  const weights = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 2, maxLength: 6 }).filter((list) => list.some((weight) => weight > 0))
  const bucket = fc.integer({ min: 0, max: 0xffffffff }).map((bits) => bits / 4_294_967_296)

  it('keeps everybody whose destination grows against every other', () => {
    fc.assert(
      fc.property(weights, bucket, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 }), (before, at, keep) => {
        const was = splitOf(before)(at)
        const after = before.map((weight, i) => (i === was ? weight : weight * (keep[i] ?? 1)))
        expect(splitOf(after)(at)).toBe(was)
      }),
      { numRuns: 5_000 },
    )
  })

  it('always finds a destination with a weight, and none without any', () => {
    fc.assert(fc.property(weights, bucket, (list, at) => (list[splitOf(list)(at)] ?? 0) > 0))
    expect(splitOf([0, 0])(0.5)).toBeNaN()
  })

  it('counts a place that is listed twice once, with both weights', () => {
    const twice = compileRendezvous(['v1', 'v2', 'v2'].map((subset) => ({ cluster: 'c', subset, weight: 25, pin: undefined })))
    const share = subjects.filter((at) => twice(at)?.subset === 'v2').length / subjects.length
    expect(Math.abs(share - 2 / 3)).toBeLessThan(0.01)
  })
})
