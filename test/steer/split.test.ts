import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketOf } from '../../src/core/ingress/steer/bucket.ts'
import { compileSplit } from '../../src/core/ingress/steer/split.ts'
import { anyCharacter } from '../support/any-character.ts'

const splitOf = (weights: readonly number[]) => {
  const split = compileSplit(weights.map((weight, i) => ({ cluster: 'c', subset: `${i}`, weight, pin: undefined })))
  return (bucket: number) => Number(split(bucket)?.subset)
}
const bucket = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)

describe('the bucket of a subject', () => {
  it('is fixed for ever: these values are part of the contract', () => {
    expect(bucketOf('orders', 'alice')).toBe(0.9385643634013832)
    expect(bucketOf('orders', 'bob')).toBe(0.6193693359382451)
    expect(bucketOf('catalog', 'alice')).toBe(0.9618766384664923)
    expect(bucketOf('', '')).toBe(0.0965376936364919)
    expect(bucketOf('orders', 'Zoë ✓')).toBe(0.9560188837349415)
  })

  it('stands in [0, 1) for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), fc.string({ unit: anyCharacter }), (salt, subject) => {
        const at = bucketOf(salt, subject)
        expect(at >= 0 && at < 1).toBe(true)
      }),
    )
  })

  const kinds: readonly (readonly [string, (i: number) => string])[] = [
    ['counted', (i) => `${i}`],
    ['prefixed', (i) => `user-${i}`],
    ['padded', (i) => `u${`${i}`.padStart(8, '0')}@example.com`],
    ['addresses', (i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`],
    ['hexadecimal', (i) => (i * 2_654_435_761).toString(16)],
  ]

  it.each(kinds)('gives a share within one per cent over 100,000 %s subjects, at every cut', (_, name) => {
    const cuts = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99]
    const below = cuts.map(() => 0)
    for (let i = 0; i < 100_000; i++) {
      const at = bucketOf('orders', name(i))
      for (const [c, cut] of cuts.entries()) if (at < cut) below[c] = (below[c] ?? 0) + 1
    }
    for (const [c, cut] of cuts.entries()) expect(Math.abs((below[c] ?? 0) / 100_000 - cut), `below ${cut}`).toBeLessThan(0.01)
  })

  it('is drawn anew on another route: nobody is first everywhere', () => {
    let both = 0
    for (let i = 0; i < 20_000; i++) if (bucketOf('orders', `u${i}`) < 0.1 && bucketOf('catalog', `u${i}`) < 0.1) both++
    expect(both / 20_000).toBeGreaterThan(0.007)
    expect(both / 20_000).toBeLessThan(0.013)
  })
})

describe('a split', () => {
  it('gives every destination its share, to the end of the circle', () => {
    expect([0, 0.2999, 0.3, 0.5999, 0.6, 0.9999999].map(splitOf([30, 30, 40]))).toEqual([0, 0, 1, 1, 2, 2])
  })

  it('has no place when nothing has a weight', () => {
    expect(splitOf([0, 0])(0.5)).toBeNaN()
  })

  it('always finds a destination that has a weight', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 8 }), bucket, (weights, at) => {
        fc.pre(sum(weights) > 0)
        expect(weights[splitOf(weights)(at)]).toBeGreaterThan(0)
      }),
    )
  })

  it('of two: growing one moves nobody out of it, whichever it is and however the weights add up', () => {
    const weights = fc.tuple(fc.nat(1000), fc.nat(1000)).filter(([a, b]) => a + b > 0)
    fc.assert(
      fc.property(weights, weights, bucket, (before, after, at) => {
        const was = splitOf(before)(at)
        fc.pre(after[was]! / sum(after) >= before[was]! / sum(before))
        expect(splitOf(after)(at)).toBe(was)
      }),
      { numRuns: 5000 },
    )
  })

  it('of two: a ramp up and down again brings everybody home, each mover moving once each way', () => {
    fc.assert(
      fc.property(bucket, (at) => {
        const up = Array.from({ length: 101 }, (_, share) => splitOf([100 - share, share])(at))
        expect(up).toEqual(up.toSorted((a, b) => a - b))
        expect(up[0]).toBe(0)
        expect(up[100]).toBe(1)
      }),
    )
  })

  const three = fc.tuple(fc.nat(100), fc.nat(100), fc.nat(100)).filter((weights) => sum(weights) > 0)

  it('of more: the first and the last lose nobody when they grow', () => {
    fc.assert(
      fc.property(three, three, bucket, (before, after, at) => {
        const was = splitOf(before)(at)
        fc.pre(was !== 1 && after[was]! / sum(after) >= before[was]! / sum(before))
        expect(splitOf(after)(at)).toBe(was)
      }),
      { numRuns: 5000 },
    )
  })

  it('of more: the one in the middle loses nobody as long as neither side of it grows', () => {
    const ramp = fc.record({
      before: fc.nat(100),
      middle: fc.integer({ min: 1, max: 100 }),
      after: fc.nat(100),
      lessBefore: fc.nat(100),
      lessAfter: fc.nat(100),
      at: bucket,
    })
    fc.assert(
      fc.property(ramp, ({ before, middle, after, lessBefore, lessAfter, at }) => {
        const inMiddle = (before + at * middle) / (before + middle + after)
        const gone = Math.min(lessBefore, before) + Math.min(lessAfter, after)
        const next = [Math.max(0, before - lessBefore), middle + gone, Math.max(0, after - lessAfter)]
        fc.pre(splitOf([before, middle, after])(inMiddle) === 1)
        expect(splitOf(next)(inMiddle)).toBe(1)
      }),
      { numRuns: 2000 },
    )
  })
})
