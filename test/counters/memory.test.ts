import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Counters, Descriptor, LimitSpec, Taken } from '../../src/core/ports.ts'
import { Recent } from '../../src/node/counters/recent.ts'
import { Table } from '../../src/node/counters/table.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { fakeClock } from '../support/clock.ts'

const spec = (name: string, given: Partial<LimitSpec> = {}): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 3,
  windowMs: 60_000,
  burst: 0,
  onStoreFailure: 'local',
  ...given,
})
const on = (limit: LimitSpec, key = 'k', cost = 1): Descriptor => ({ limit, key, cost })

/** Answers of a store in memory are there at once. */
function now(taken: Taken | Promise<Taken>): Taken {
  if (taken instanceof Promise) throw new Error('promised')
  return taken
}

describe('counters in memory', () => {
  it('let points and burst pass in one window, and no more', () => {
    const counters = createMemoryCounters(fakeClock())
    const limit = spec('a', { burst: 2 })
    const taken = Array.from({ length: 8 }, () => now(counters.take([on(limit)])))
    expect(taken.map((one) => one.allowed)).toEqual([true, true, true, true, true, false, false, false])
    expect(taken[7]).toEqual({ allowed: false, refusedBy: 'a', readings: [{ limit: 'a', remaining: 0, resetMs: 60_000, degraded: false }] })
  })

  it('open a window with its first request and begin anew after it', () => {
    const clock = fakeClock()
    const counters = createMemoryCounters(clock)
    const limit = spec('a', { points: 1 })
    clock.advance(12_345)
    expect(now(counters.take([on(limit)])).allowed).toBe(true)
    clock.advance(59_999)
    expect(now(counters.take([on(limit)])).readings[0]).toMatchObject({ resetMs: 1 })
    clock.advance(1)
    expect(now(counters.take([on(limit)])).allowed).toBe(true)
  })

  it('keep a window of a year', () => {
    const clock = fakeClock()
    const counters = createMemoryCounters(clock)
    const year = spec('year', { points: 1, windowMs: 365 * 86_400_000 })
    now(counters.take([on(year)]))
    clock.advance(364 * 86_400_000)
    expect(now(counters.take([on(year)])).allowed).toBe(false)
    expect(clock.pending).toBe(0)
  })

  it('take from all limits or from none', () => {
    const counters = createMemoryCounters(fakeClock())
    const wide = spec('wide', { points: 10 })
    const narrow = spec('narrow', { points: 2 })
    for (let i = 0; i < 9; i++) now(counters.take([on(wide), on(narrow)]))
    expect(now(counters.peek([on(wide), on(narrow)])).readings.map((reading) => reading.remaining)).toEqual([8, 0])
  })

  it('peek without taking', () => {
    const counters = createMemoryCounters(fakeClock())
    const limit = spec('a', { points: 1 })
    for (let i = 0; i < 3; i++) expect(now(counters.peek([on(limit)]))).toMatchObject({ allowed: true, readings: [{ remaining: 1, resetMs: 0 }] })
    now(counters.take([on(limit)]))
    expect(now(counters.peek([on(limit)]))).toMatchObject({ allowed: false, refusedBy: 'a' })
  })

  it.each([0, -1, -5, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('refuse a cost of %d and count nothing', (cost) => {
    const counters = createMemoryCounters(fakeClock())
    const limit = spec('a')
    expect(() => counters.take([on(limit), on(spec('b'), 'k', cost)])).toThrow(RangeError)
    expect(now(counters.peek([on(limit)])).readings[0]?.remaining).toBe(3)
  })

  it('keep names and keys apart that read alike when joined', () => {
    const counters = createMemoryCounters(fakeClock())
    now(counters.take([on(spec('a', { points: 1 }), 'b:c')]))
    expect(now(counters.take([on(spec('a:b', { points: 1 }), 'c')])).allowed).toBe(true)
    expect(now(counters.take([on(spec('a', { points: 1 }), '__proto__')])).allowed).toBe(true)
    expect(now(counters.take([on(spec('a', { points: 1 }), '__proto__')])).allowed).toBe(false)
  })

  it('refuse by one of three limits, whatever its algorithm, without a trace in the others', async () => {
    const step = fc.record({ wait: fc.nat(700), cost: fc.integer({ min: 1, max: 4 }), which: fc.subarray([0, 1, 2, 3], { minLength: 1 }) })
    const limits = [
      spec('a', { points: 5, windowMs: 1000 }),
      spec('b', { algorithm: { kind: 'gcra' }, points: 6, burst: 4, windowMs: 2500 }),
      spec('c', { algorithm: { kind: 'calendar', per: 'hour', zone: 'UTC' }, points: 30, windowMs: 3_600_000 }),
      spec('d', { algorithm: { kind: 'concurrency' }, points: 9, windowMs: 0 }),
    ]
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = fakeClock()
        const counters = createMemoryCounters(clock)
        const remaining = () => limits.map((limit) => now(counters.peek([on(limit)])).readings[0]?.remaining ?? Number.NaN)
        for (const { wait, cost, which } of steps) {
          clock.advance(wait)
          const before = remaining()
          const fits = which.every((i) => before[i]! >= cost)
          expect(now(counters.take(which.map((i) => on(limits[i]!, 'k', cost)))).allowed).toBe(fits)
          expect(remaining()).toEqual(before.map((left, i) => (fits && which.includes(i) ? left - cost : left)))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('begin anew when the policies change how a limit counts', () => {
    const counters = createMemoryCounters(fakeClock())
    for (let i = 0; i < 3; i++) now(counters.take([on(spec('a'))]))
    expect(now(counters.take([on(spec('a'))])).allowed).toBe(false)
    expect(now(counters.take([on(spec('a', { algorithm: { kind: 'gcra' }, burst: 1 }))])).allowed).toBe(true)
  })

  it('give places back once, and only what was taken', () => {
    const counters = createMemoryCounters(fakeClock())
    const limit = spec('a', { algorithm: { kind: 'concurrency' }, points: 2, windowMs: 0 })
    const [first] = [now(counters.take([on(limit)])), now(counters.take([on(limit)]))]
    expect(now(counters.take([on(limit)]))).toEqual({
      allowed: false,
      refusedBy: 'a',
      readings: [{ limit: 'a', remaining: 0, resetMs: 1000, degraded: false }],
    })
    first?.release?.()
    first?.release?.()
    expect(now(counters.peek([on(limit)])).readings[0]?.remaining).toBe(1)
    expect(now(counters.take([on(spec('b'))])).release).toBeUndefined()
  })

  it('are exact for callers that run interleaved', async () => {
    const counters: Counters = createMemoryCounters(fakeClock())
    const limit = spec('a', { points: 40 })
    const caller = async () => {
      let passed = 0
      for (let i = 0; i < 20; i++) {
        if ((await counters.take([on(limit)])).allowed) passed++
        await Promise.resolve()
      }
      return passed
    }
    const passed = await Promise.all(Array.from({ length: 10 }, caller))
    expect(passed.reduce((sum, one) => sum + one, 0)).toBe(40)
  })
})

describe('the memory of counters', () => {
  it('is bounded, and forgets the keys not used for longest', () => {
    const windows = new Table(fakeClock(), 1000)
    const limit = spec('a', { points: 1 })
    const take = (key: string) => windows.take([on(limit, key)])
    take('exhausted')
    const again: boolean[] = []
    for (let i = 0; i < 50_000; i++) {
      take(`flood-${i}`)
      if (i % 400 === 0) again.push(take('exhausted').allowed)
      expect(windows.size).toBeLessThanOrEqual(1000)
    }
    expect(again).not.toContain(true)
    expect(take('flood-49999').allowed).toBe(false)
    expect(take('flood-1').allowed).toBe(true)
  })

  it('counts long keys by their length', () => {
    const recent = new Recent<number>(1000)
    for (let i = 0; i < 1000; i++) recent.set(`${i}`.padEnd(6400, 'x'), i)
    expect(recent.size).toBeLessThanOrEqual(10)
    recent.set('x'.repeat(1_000_000), 1)
    expect(recent.get('x'.repeat(1_000_000))).toBe(1)
  })

  it('behaves as a map for what it still holds', () => {
    const step = fc.tuple(fc.constantFrom('set', 'get', 'delete'), fc.integer({ min: 0, max: 30 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const recent = new Recent<number>(20)
        const model = new Map<string, number>()
        for (const [i, [what, n]] of steps.entries()) {
          for (const map of [recent, model]) {
            if (what === 'set') map.set(`${n}`, i)
            else if (what === 'delete') map.delete(`${n}`)
            else map.get(`${n}`)
          }
          const held = recent.get(`${n}`)
          expect(held ?? model.get(`${n}`)).toBe(model.get(`${n}`))
          expect(recent.size).toBeLessThanOrEqual(20)
        }
      }),
    )
  })

  it('does not accept a cap that holds nothing', () => {
    expect(() => new Recent(1)).toThrow(RangeError)
    expect(() => new Recent(Number.NaN)).toThrow(RangeError)
  })
})
