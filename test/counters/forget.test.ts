import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Descriptor, LimitSpec } from '../../src/core/ports.ts'
import { Denials } from '../../src/node/counters/denials.ts'
import { Fallback } from '../../src/node/counters/fallback.ts'
import { HotKeys } from '../../src/node/counters/hot-keys.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { createRedisCounters } from '../../src/node/redis-counters.ts'
import { fakeClock } from '../support/clock.ts'
import { memoryMeter } from '../support/ports.ts'
import { hasRedis, type RedisServer, redisHint, startRedis } from '../support/redis.ts'

const spec = (name: string, given: Partial<LimitSpec> = {}): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 2,
  windowMs: 60_000,
  burst: 0,
  onStoreFailure: 'local',
  ...given,
})
const on = (limit: LimitSpec, key = 'k', cost = 1): Descriptor => ({ limit, key, cost })
const used = [
  spec('sliding'),
  spec('gcra', { algorithm: { kind: 'gcra' }, burst: 2 }),
  spec('calendar', { algorithm: { kind: 'calendar', per: 'month', zone: 'UTC' }, windowMs: 31 * 86_400_000 }),
]
const places = spec('places', { algorithm: { kind: 'concurrency' }, windowMs: 0 })

describe('counters in memory', () => {
  it.each(used)('give a key of $name back all that it used, and leave other keys and limits alone', async (limit) => {
    const counters = createMemoryCounters(fakeClock(Date.UTC(2026, 0, 15)))
    const others = [on(limit, 'other'), on(spec('another'))]
    for (const descriptor of [on(limit), on(limit), ...others]) await counters.take([descriptor])
    expect(await counters.look(on(limit))).toMatchObject({ fits: false, remaining: 0 })
    expect(await counters.forget(on(limit))).toBe(true)
    expect(await counters.look(on(limit))).toEqual({ fits: true, remaining: 2, resetMs: 0 })
    expect(await counters.forget(on(limit))).toBe(false)
    for (const other of others) expect(await counters.look(other)).toMatchObject({ remaining: 1 })
  })

  it('say that nothing was counted where all has come back', async () => {
    const clock = fakeClock(Date.UTC(2026, 0, 15))
    const counters = createMemoryCounters(clock)
    await counters.take([on(spec('sliding'))])
    clock.advance(120_000)
    expect(await counters.forget(on(spec('sliding')))).toBe(false)
  })

  it('leave places with the requests that hold them: none is ever held twice', async () => {
    const counters = createMemoryCounters(fakeClock())
    const first = await counters.take([on(places)])
    expect(await counters.forget(on(places))).toBe(false)
    expect(await counters.look(on(places))).toMatchObject({ fits: true, remaining: 1 })
    first.release?.()
    expect(await counters.look(on(places))).toMatchObject({ remaining: 2 })
  })
})

describe('what a process remembers of a key that was given back', () => {
  it('is no refusal, not even one that the store made before', () => {
    const clock = fakeClock()
    const denials = new Denials(clock, 100)
    const limit = spec('sliding', { windowMs: 600_000 })
    const refused = { limit: 'sliding', remaining: 0, resetMs: 600_000, degraded: false }
    const askedBefore = clock.ticks()
    denials.note(on(limit), refused, clock.ticks())
    denials.note(on(limit, 'other'), refused, clock.ticks())
    expect(denials.refusal([on(limit)])?.readings[0]).toBeDefined()
    denials.forget(on(limit))
    expect(denials.refusal([on(limit)])?.readings[0]).toBeUndefined()
    expect(denials.refusal([on(limit, 'other')])?.readings[0]).toBeDefined()
    denials.note(on(limit), refused, askedBefore)
    expect(denials.refusal([on(limit)])?.readings[0]).toBeUndefined()
    clock.advance(1)
    denials.note(on(limit), refused, clock.ticks())
    expect(denials.refusal([on(limit)])?.readings[0]).toBeDefined()
  })

  it('is no point in hand, not even one that is still on its way', () => {
    const clock = fakeClock()
    const hot = new HotKeys(clock, 100)
    const asked = [on(spec('sliding', { points: 1000 }))]
    const given = [{ fits: true, remaining: 900, resetMs: 60_000, more: 50 }]
    for (let i = 0; i < 200; i++) hot.ask(asked)
    hot.stock(asked, [50], given, clock.ticks())
    expect(hot.ask(asked)).toMatchObject({ allowed: true })
    const askedBefore = clock.ticks()
    for (const descriptor of asked) hot.forget(descriptor)
    expect(hot.ask(asked)).toBeUndefined()
    hot.stock(asked, [50], given, askedBefore)
    expect(hot.ask(asked)).toBeUndefined()
    clock.advance(1)
    hot.stock(asked, [50], given, clock.ticks())
    expect(hot.ask(asked)).toMatchObject({ allowed: true })
  })

  it('is no share that it counted alone', () => {
    const fallback = new Fallback(fakeClock(), 100, () => 1)
    const asked = [on(spec('sliding'))]
    for (const allowed of [true, true, false]) expect(fallback.take(asked).allowed).toBe(allowed)
    for (const descriptor of asked) fallback.forget(descriptor)
    expect(fallback.take(asked).allowed).toBe(true)
  })
})

const installed = hasRedis()

describe.skipIf(!installed)(`counters in Redis${installed ? '' : ` (${redisHint})`}`, () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())

  const instance = async () => {
    const counters = createRedisCounters({ url: server.url, clock: fakeClock(Date.now()), meter: memoryMeter(), patienceMs: 2000 })
    onTestFinished(() => counters.close())
    await counters.ready(5000)
    return counters
  }

  it.each(used)('give a key of $name back; this process lets it pass at once, another when it is told', async (limit) => {
    const [one, two] = [await instance(), await instance()]
    for (let i = 0; i < 3; i++) await one.take([on(limit)])
    expect(await two.take([on(limit)])).toMatchObject({ allowed: false })
    expect(await one.look(on(limit))).toMatchObject({ fits: false, remaining: 0 })
    expect(await one.forget(on(limit))).toBe(true)
    expect(await one.look(on(limit))).toMatchObject({ fits: true, remaining: 2, resetMs: 0 })
    expect(await one.take([on(limit)])).toMatchObject({ allowed: true, readings: [{ remaining: 1, degraded: false }] })
    expect(await two.take([on(limit)])).toMatchObject({ allowed: false })
    two.forgetHere(on(limit))
    expect(await two.take([on(limit)])).toMatchObject({ allowed: true, readings: [{ remaining: 0, degraded: false }] })
    expect(await one.forget(on(limit, 'unknown'))).toBe(false)
  })

  it('reject an operator while nobody answers, where requests are answered without', async () => {
    const away = await startRedis()
    const counters = createRedisCounters({ url: away.url, clock: fakeClock(Date.now()), meter: memoryMeter() })
    onTestFinished(() => counters.close())
    await counters.ready(5000)
    await away.close()
    const gone = /closed|writeable|timed out|ECONN/i
    await expect(counters.look(on(spec('sliding')))).rejects.toThrow(gone)
    await expect(counters.forget(on(spec('sliding')))).rejects.toThrow(gone)
    expect(await counters.take([on(spec('sliding'))])).toMatchObject({ allowed: true, readings: [{ degraded: true }] })
  })
})
