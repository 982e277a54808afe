import { describe, expect, it } from 'vitest'
import type { Descriptor, LimitSpec } from '../../src/core/ports.ts'
import { StoreBreaker } from '../../src/node/counters/breaker.ts'
import { Denials } from '../../src/node/counters/denials.ts'
import { Fallback } from '../../src/node/counters/fallback.ts'
import { fakeClock } from '../support/clock.ts'

const spec = (name: string, given: Partial<LimitSpec> = {}): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 10,
  windowMs: 60_000,
  burst: 2,
  onStoreFailure: 'local',
  ...given,
})
const on = (limit: LimitSpec, key = 'k', cost = 1): Descriptor => ({ limit, key, cost })

describe('answers without the store', () => {
  const fallback = (instances: number) => new Fallback(fakeClock(), 1000, () => instances)
  const passed = (instances: number, descriptor: Descriptor) => {
    const alone = fallback(instances)
    return Array.from({ length: 40 }, () => alone.take([descriptor]).allowed).filter(Boolean).length
  }

  it('count here against the share of this instance', () => {
    expect(passed(1, on(spec('a')))).toBe(12)
    expect(passed(4, on(spec('a')))).toBe(3)
    expect(passed(5, on(spec('a')))).toBe(2)
  })

  it('share every algorithm by the instances, and give places back here', () => {
    const gcra = spec('g', { algorithm: { kind: 'gcra' }, burst: 12 })
    const month = spec('c', { algorithm: { kind: 'calendar', per: 'month', zone: 'UTC' }, points: 12, burst: 0 })
    const places = spec('p', { algorithm: { kind: 'concurrency' }, points: 12, windowMs: 0, burst: 0 })
    expect([gcra, month, places].map((limit) => passed(4, on(limit)))).toEqual([3, 3, 3])
    const alone = fallback(12)
    const taken = alone.take([on(places)])
    expect(alone.take([on(places)]).allowed).toBe(false)
    taken.release?.()
    expect(alone.take([on(places)]).allowed).toBe(true)
  })

  it('leave at least one request per window', () => {
    expect(passed(100, on(spec('a')))).toBe(1)
    expect(passed(100, on(spec('a'), 'k', 7))).toBe(1)
    expect(passed(0, on(spec('a')))).toBe(12)
  })

  it('let all pass where the limit says allow, and none where it says deny', () => {
    expect(passed(1, on(spec('a', { onStoreFailure: 'allow' })))).toBe(40)
    expect(passed(1, on(spec('a', { onStoreFailure: 'deny' })))).toBe(0)
  })

  it('are all marked degraded, and a denied request counts nowhere', () => {
    const alone = fallback(1)
    const local = on(spec('local'))
    const all = [on(spec('free', { onStoreFailure: 'allow' })), local, on(spec('login', { onStoreFailure: 'deny' }))]
    for (let i = 0; i < 30; i++) alone.take(all)
    expect(alone.take(all)).toEqual({
      allowed: false,
      refusedBy: 'login',
      readings: [
        { limit: 'free', remaining: 12, resetMs: 0, degraded: true },
        { limit: 'local', remaining: 12, resetMs: 0, degraded: true },
        { limit: 'login', remaining: 0, resetMs: 1000, degraded: true },
      ],
    })
    expect(alone.take([local]).readings[0]).toMatchObject({ remaining: 11, degraded: true })
    expect(alone.peek([local]).readings[0]).toMatchObject({ remaining: 11, degraded: true })
  })

  it('refuse a cost that counts backwards', () => {
    expect(() => fallback(1).take([on(spec('a', { onStoreFailure: 'allow' }), 'k', -5)])).toThrow(RangeError)
  })
})

describe('the breaker of the store', () => {
  it('opens after five failures in a row, then lets one probe through per second', () => {
    const clock = fakeClock()
    const breaker = new StoreBreaker(clock, 5, 1000)
    for (let i = 0; i < 4; i++) breaker.fail()
    expect(breaker.admit()).toBe(true)
    breaker.fail()
    const admitted = () => Array.from({ length: 10 }, () => breaker.admit()).filter(Boolean).length
    expect(admitted()).toBe(0)
    clock.advance(999)
    expect(admitted()).toBe(0)
    clock.advance(1)
    expect(admitted()).toBe(1)
    breaker.fail()
    expect(admitted()).toBe(0)
    clock.advance(1000)
    expect(admitted()).toBe(1)
    breaker.succeed()
    expect(admitted()).toBe(10)
    expect(breaker.open).toBe(false)
  })

  it('probes at once when there is news of the store', () => {
    const clock = fakeClock()
    const breaker = new StoreBreaker(clock, 1, 1000)
    breaker.fail()
    expect(breaker.admit()).toBe(false)
    breaker.hint()
    expect([breaker.admit(), breaker.admit()]).toEqual([true, false])
    breaker.hint()
    expect(breaker.admit()).toBe(false)
    clock.advance(250)
    expect(breaker.admit()).toBe(true)
  })

  it('stays closed when a success comes between failures', () => {
    const breaker = new StoreBreaker(fakeClock(), 5, 1000)
    for (let i = 0; i < 20; i++) {
      breaker.fail()
      if (i % 4 === 3) breaker.succeed()
    }
    expect(breaker.open).toBe(false)
  })

  it('probes again when a probe was never answered', () => {
    const clock = fakeClock()
    const breaker = new StoreBreaker(clock, 1, 1000)
    breaker.fail()
    for (let i = 0; i < 3; i++) {
      clock.advance(1000)
      expect(breaker.admit()).toBe(true)
      expect(breaker.admit()).toBe(false)
    }
  })
})

describe('remembered refusals', () => {
  const limit = spec('a', { points: 10, burst: 0 })
  const refused = (remaining: number, resetMs: number) => ({ limit: 'a', remaining, resetMs, degraded: false })

  it('are believed for 100 ms, then for as long again as they have been true, never for more than 10 s or past the window', () => {
    const clock = fakeClock()
    const denials = new Denials(clock, 1000)
    const end = clock.ticks() + 60_000
    let asked = 0
    for (; clock.ticks() < end; clock.advance(10)) {
      if (denials.refusal([on(limit)])?.readings[0] !== undefined) continue
      asked++
      denials.note(on(limit), refused(0, end - clock.ticks()), clock.ticks())
    }
    expect(asked).toBeLessThanOrEqual(14)
    expect(denials.refusal([on(limit)])?.readings[0]).toBeUndefined()
  })

  it('say when the window ends', () => {
    const clock = fakeClock()
    const denials = new Denials(clock, 1000)
    denials.note(on(limit), refused(0, 60_000), clock.ticks())
    clock.advance(40)
    expect(denials.refusal([on(limit)])?.readings[0]).toEqual(refused(0, 59_960))
    expect(denials.refusal([on(limit, 'other')])?.readings[0]).toBeUndefined()
  })

  it('do not hold against a request that costs less', () => {
    const clock = fakeClock()
    const denials = new Denials(clock, 1000)
    denials.note(on(limit, 'k', 5), refused(3, 60_000), clock.ticks())
    expect(denials.refusal([on(limit, 'k', 3)])?.readings[0]).toBeUndefined()
    expect(denials.refusal([on(limit, 'k', 4)])?.readings[0]).toBeUndefined()
    expect(denials.refusal([on(limit, 'k', 5)])?.readings[0]).toMatchObject({ remaining: 3 })
  })

  it('begin anew in the next window', () => {
    const clock = fakeClock()
    const denials = new Denials(clock, 1000)
    denials.note(on(limit), refused(0, 1000), clock.ticks())
    clock.advance(1000)
    denials.note(on(limit), refused(0, 60_000), clock.ticks())
    clock.advance(100)
    expect(denials.refusal([on(limit)])?.readings[0]).toBeUndefined()
  })
})
