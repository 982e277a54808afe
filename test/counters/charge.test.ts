import { describe, expect, it } from 'vitest'
import type { Descriptor, LimitSpec } from '../../src/core/ports.ts'
import { Fallback } from '../../src/node/counters/fallback.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { fakeClock } from '../support/clock.ts'

const spec = (name: string, given: Partial<LimitSpec> = {}): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 10,
  windowMs: 60_000,
  burst: 0,
  onStoreFailure: 'local',
  ...given,
})
const on = (limit: LimitSpec, cost = 1): Descriptor => ({ limit, key: 'k', cost })
const sliding = spec('sliding')
const gcra = spec('gcra', { algorithm: { kind: 'gcra' }, burst: 5 })
const calendar = spec('calendar', { algorithm: { kind: 'calendar', per: 'hour', zone: 'UTC' }, windowMs: 3_600_000 })
const places = spec('places', { algorithm: { kind: 'concurrency' }, windowMs: 0 })

describe('a charge', () => {
  it.each([sliding, gcra, calendar])('counts in $name beside what was taken, and leaves the rest', async (limit) => {
    const counters = createMemoryCounters(fakeClock())
    const [before] = (await counters.take([on(limit)])).readings
    expect(await counters.charge([on(limit, 3)])).toMatchObject([{ limit: limit.name, remaining: (before?.remaining ?? 0) - 3, degraded: false }])
    expect((await counters.take([on(limit)])).readings).toMatchObject([{ remaining: (before?.remaining ?? 0) - 4 }])
  })

  it.each([
    { name: 'sliding', limit: sliding, cost: 1_000_000, wait: 60_000 },
    // 12 points of 6 s each, of which 5 fit: another does when 8 have flowed off.
    { name: 'gcra', limit: gcra, cost: 12, wait: 48_000 },
    { name: 'calendar', limit: calendar, cost: 1_000_000, wait: 3_600_000 },
  ])('refuses nobody and goes past what $name holds: the next waits as it is told, and no longer', async ({ limit, cost, wait }) => {
    const clock = fakeClock(Date.UTC(2026, 0, 1))
    const counters = createMemoryCounters(clock)
    expect(await counters.charge([on(limit, cost)])).toMatchObject([{ remaining: 0 }])
    const refused = await counters.take([on(limit)])
    expect(refused).toMatchObject({ allowed: false, refusedBy: limit.name, readings: [{ remaining: 0, resetMs: wait }] })
    clock.advance(wait - 1)
    expect((await counters.take([on(limit)])).allowed).toBe(false)
    clock.advance(1)
    expect((await counters.take([on(limit)])).allowed).toBe(true)
  })

  it('of an even flow is owed for one window at most', async () => {
    const clock = fakeClock()
    const counters = createMemoryCounters(clock)
    for (let i = 0; i < 3; i++) await counters.charge([on(gcra, 1_000_000)])
    expect((await counters.take([on(gcra)])).readings).toMatchObject([{ resetMs: 66_000 }])
    clock.advance(66_000)
    expect((await counters.take([on(gcra)])).allowed).toBe(true)
    expect((await counters.take([on(gcra)])).allowed).toBe(false)
  })

  it('takes no places: those are held, not used up', async () => {
    const counters = createMemoryCounters(fakeClock())
    expect(await counters.charge([on(places, 4)])).toEqual([{ limit: 'places', remaining: 10, resetMs: 0, degraded: false }])
    expect((await counters.take([on(places)])).readings).toMatchObject([{ remaining: 9 }])
  })

  it('is an integer of at least 1', () => {
    const counters = createMemoryCounters(fakeClock())
    for (const cost of [0, -1, 1.5, Number.NaN]) expect(() => counters.charge([on(sliding, cost)])).toThrow(RangeError)
  })

  it('without the store counts against the share of this process, and nowhere for those that pass or refuse uncounted', () => {
    const clock = fakeClock()
    const fallback = new Fallback(clock, 100, () => 5)
    const [open, shut] = [spec('open', { onStoreFailure: 'allow' }), spec('shut', { onStoreFailure: 'deny' })]
    expect(fallback.charge([on(sliding, 7), on(open, 7), on(shut, 7)])).toEqual([
      { limit: 'sliding', remaining: 0, resetMs: 60_000, degraded: true },
      { limit: 'open', remaining: 10, resetMs: 0, degraded: true },
      { limit: 'shut', remaining: 0, resetMs: 1000, degraded: true },
    ])
    expect(fallback.take([on(sliding)]).allowed).toBe(false)
    expect(fallback.take([on(open)]).allowed).toBe(true)
  })
})
