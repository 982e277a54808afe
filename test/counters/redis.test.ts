import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Descriptor, LimitSpec, Taken } from '../../src/core/ports.ts'
import { createRedisCounters, type RedisCounters } from '../../src/node/redis-counters.ts'
import { fakeClock } from '../support/clock.ts'
import { type FakeJournal, type FakeMeter, memoryJournal, memoryMeter } from '../support/ports.ts'
import { hasRedis, type RedisServer, redisHint, startRedis } from '../support/redis.ts'

const installed = hasRedis()
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
/** One limit of 3 for each algorithm. */
const all = [
  spec('s'),
  spec('g', { algorithm: { kind: 'gcra' }, burst: 3 }),
  spec('c', { algorithm: { kind: 'calendar', per: 'month', zone: 'Europe/Berlin' }, windowMs: 31 * 86_400_000 }),
  spec('p', { algorithm: { kind: 'concurrency' }, windowMs: 0 }),
]
const failures = 'sallyport_limit_store_failures_total'

describe.skipIf(!installed)(`counters in Redis${installed ? '' : ` (${redisHint})`}`, () => {
  let server: RedisServer
  let open: RedisCounters[]
  let clock: ReturnType<typeof fakeClock>
  let meter: FakeMeter
  let journal: FakeJournal

  /** An instance of the gateway. Its own clock stands still unless told: breaker, refusals and presence do what the test says. */
  const instance = async (patienceMs = 2000): Promise<RedisCounters> => {
    const counters = createRedisCounters({ url: server.url, clock, meter, journal, patienceMs })
    open.push(counters)
    await counters.ready(5000)
    return counters
  }
  const passedOf = async (counters: RedisCounters, descriptors: readonly Descriptor[], times: number): Promise<number> => {
    let passed = 0
    for (let i = 0; i < times; i++) if ((await counters.take(descriptors)).allowed) passed++
    return passed
  }
  /** Takes with fresh keys, the clock moving on, until the store answers again. */
  const recovered = (counters: RedisCounters, limit: LimitSpec) =>
    vi.waitFor(
      async () => {
        clock.advance(50)
        const taken = await counters.take([on(limit, `fresh-${Math.random()}`)])
        expect(taken.readings[0]?.degraded).toBe(false)
      },
      { timeout: 2000, interval: 20 },
    )

  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())
  beforeEach(async () => {
    open = []
    // Calendars are asked of the wall clock first.
    clock = fakeClock(Date.now())
    meter = memoryMeter()
    journal = memoryJournal()
    await server.admin.flushall()
  })
  afterEach(async () => {
    for (const counters of open) await counters.close()
  })

  it('let points and burst pass in one window, over all instances together', async () => {
    const [one, two] = [await instance(), await instance()]
    const limit = spec('a', { points: 30, burst: 5 })
    const taken = await Promise.all(Array.from({ length: 100 }, async (_, i) => (i % 2 === 0 ? one : two).take([on(limit)])))
    expect(taken.filter((each) => each.allowed)).toHaveLength(35)
    expect(taken.every((each) => !each.readings[0]?.degraded)).toBe(true)
  })

  it('count from the very first request after connecting, several limits at once', async () => {
    const counters = await instance()
    const taken = await counters.take([on(spec('a')), on(spec('b', { points: 9 }))])
    expect(taken).toEqual({
      allowed: true,
      refusedBy: undefined,
      readings: [
        { limit: 'a', remaining: 2, resetMs: 60_000, degraded: false },
        { limit: 'b', remaining: 8, resetMs: 60_000, degraded: false },
      ],
    })
  })

  it('write under their own prefix, each algorithm under a key of its own, and every key expires', async () => {
    const counters = await instance()
    for (const limit of all) await counters.take([on(limit, '5:alice')])
    const keys = (await server.admin.keys('*')).filter((key) => !key.endsWith(':instances')).sort()
    expect(keys).toEqual([
      'sallyport:limit:c:1:c:{5:alice}',
      'sallyport:limit:g:1:g:{5:alice}',
      'sallyport:limit:p:1:p:{5:alice}',
      'sallyport:limit:s:1:s:{5:alice}',
    ])
    for (const key of keys) expect(await server.admin.pttl(key)).toBeGreaterThan(0)
    // A take of 1 in 3 per minute has flowed off after 20 s.
    expect(await server.admin.pttl('sallyport:limit:g:1:g:{5:alice}')).toBeLessThanOrEqual(20_002)
  })

  it('begin a new window when the old one has ended', async () => {
    const counters = await instance()
    const limit = spec('a', { points: 1 })
    await counters.take([on(limit)])
    await server.admin.pexpire('sallyport:limit:s:1:a:{k}', 1)
    await vi.waitFor(async () => expect(await server.admin.exists('sallyport:limit:s:1:a:{k}')).toBe(0))
    expect(await counters.take([on(limit)])).toMatchObject({ allowed: true, readings: [{ remaining: 0, resetMs: 60_000 }] })
  })

  it('consume nothing for a refused request, in any limit', async () => {
    const counters = await instance()
    const [wide, narrow] = [spec('wide', { points: 100 }), spec('narrow', { points: 2 })]
    const taken: Taken[] = []
    for (let i = 0; i < 20; i++) {
      taken.push(await counters.take([on(wide), on(narrow)]))
      clock.advance(100_000) // past every remembered refusal: each of these asks the store
    }
    expect(taken.filter((each) => each.allowed)).toHaveLength(2)
    expect(taken[19]?.readings.map((reading) => reading.remaining)).toEqual([98, 0])
  })

  it('ask for many requests at once in few calls, and count each', async () => {
    const counters = await instance()
    const calls = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1] ?? 0)
    const before = await calls()
    const taken = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => counters.take(all.map((limit) => on({ ...limit, points: 60, burst: 60 }, `${i % 2}`)))),
    )
    expect((await calls()) - before).toBe(4)
    expect(taken.filter(({ allowed }) => allowed)).toHaveLength(100)
    expect(taken.map(({ readings }) => readings[3]?.remaining)).toEqual(Array.from({ length: 100 }, (_, i) => 59 - Math.floor(i / 2)))
  })

  it('keep what was counted when the gateway starts again', async () => {
    for (const limit of all.slice(0, 3)) {
      const before = await instance()
      for (let i = 0; i < 2; i++) await before.take([on(limit)])
      await before.close()
      expect(await passedOf(await instance(), [on(limit)], 3)).toBe(1)
    }
  })

  it('leave what is left to a smaller cost', async () => {
    const counters = await instance()
    const limit = spec('a', { points: 5 })
    expect((await counters.take([on(limit, 'k', 3)])).allowed).toBe(true)
    expect(await counters.take([on(limit, 'k', 3)])).toMatchObject({ allowed: false, readings: [{ remaining: 2 }] })
    expect((await counters.take([on(limit, 'k', 2)])).allowed).toBe(true)
  })

  it('consume nothing in two limits when a third refuses, whatever they are', async () => {
    const counters = await instance()
    for (const narrow of all) {
      const others = all
        .filter((limit) => limit !== narrow)
        .map((limit) => on({ ...limit, points: 100, burst: limit.burst === 0 ? 0 : 50 }, `beside-${narrow.name}`))
      const remaining = async () => (await counters.peek(others)).readings.map((reading) => reading.remaining)
      for (let i = 0; i < 3; i++) expect((await counters.take([on(narrow)])).allowed).toBe(true)
      const before = await remaining()
      for (let i = 0; i < 5; i++) expect(await counters.take([...others, on(narrow)])).toMatchObject({ allowed: false, refusedBy: narrow.name })
      expect(await remaining()).toEqual(before)
    }
  })

  it('hold places until they are given back, over all instances', async () => {
    const [one, two] = [await instance(), await instance()]
    const limit = spec('p', { algorithm: { kind: 'concurrency' }, points: 3, windowMs: 0 })
    const held = [await one.take([on(limit)]), await two.take([on(limit, 'k', 2)])]
    expect(held.map((each) => each.readings[0]?.remaining)).toEqual([2, 0])
    expect(await one.take([on(limit)])).toMatchObject({ allowed: false, refusedBy: 'p', readings: [{ remaining: 0, resetMs: 1000 }] })
    held[1]?.release?.()
    held[1]?.release?.()
    await vi.waitFor(async () => expect((await one.peek([on(limit)])).readings[0]?.remaining).toBe(2))
    held[0]?.release?.()
    await vi.waitFor(async () => expect(await server.admin.exists('sallyport:limit:p:1:p:{k}')).toBe(0))
  })

  it('keep places for as long as a request lasts, and free those of an instance that died', async () => {
    const counters = await instance()
    const limit = spec('p', { algorithm: { kind: 'concurrency' }, points: 2, windowMs: 0 })
    const key = 'sallyport:limit:p:1:p:{k}'
    await counters.take([on(limit)])
    await server.admin.flushall()
    // A third of the time of a lease: it is renewed, even if the store forgot it.
    clock.advance(10_000)
    await vi.waitFor(async () => expect(await server.admin.zcard(key)).toBe(1))
    expect(await server.admin.pttl(key)).toBeGreaterThan(29_000)
    // One that nobody renews counts until its time is over, and no longer.
    await server.admin.zadd(key, 1, 'of-a-dead-instance:1')
    expect((await counters.peek([on(limit)])).readings[0]?.remaining).toBe(1)
    expect((await counters.take([on(limit)])).allowed).toBe(true)
    expect(await server.admin.zcard(key)).toBe(2)
  })

  it('refuse bad costs before asking', async () => {
    const counters = await instance()
    for (const cost of [0, -5, 1.5, Number.NaN]) expect(() => counters.take([on(spec('a'), 'k', cost)])).toThrow(RangeError)
    expect(await server.admin.exists('sallyport:limit:s:1:a:{k}')).toBe(0)
  })

  it('peek without taking', async () => {
    const counters = await instance()
    const limit = spec('a', { points: 1 })
    expect(await counters.peek([on(limit)])).toEqual({
      allowed: true,
      refusedBy: undefined,
      readings: [{ limit: 'a', remaining: 1, resetMs: 0, degraded: false }],
    })
    await counters.take([on(limit)])
    expect(await counters.peek([on(limit)])).toMatchObject({ allowed: false, refusedBy: 'a', readings: [{ remaining: 0 }] })
  })

  it('remember a refusal, so that a flood costs no call', async () => {
    const counters = await instance()
    const limit = spec('a', { points: 1 })
    await passedOf(counters, [on(limit)], 2)
    const calls = async () => /cmdstat_evalsha:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1]
    const before = await calls()
    expect(await passedOf(counters, [on(limit)], 1000)).toBe(0)
    expect(await calls()).toBe(before)
  })

  it('tell of all limits that are over while they remember that one is, so that nobody comes back too early', async () => {
    const counters = await instance()
    const both = [on(spec('second', { points: 1, windowMs: 2000 })), on(spec('minute', { points: 1 }))]
    await passedOf(counters, both, 2)
    const { refusedBy, readings } = await counters.take(both)
    expect(refusedBy).toBe('second')
    expect(readings.map(({ limit }) => limit)).toEqual(['second', 'minute'])
    // The refusal of the longer one is not believed any more, and its window is not over.
    clock.advance(100)
    await counters.take([both[0] as Descriptor])
    expect((await counters.take(both)).readings[1]?.resetMs).toBeGreaterThan(55_000)
  })

  it('remember a refusal that they were only asked about too', async () => {
    const counters = await instance()
    const limit = spec('a', { points: 1 })
    await counters.take([on(limit)])
    expect((await counters.peek([on(limit)])).allowed).toBe(false)
    const calls = async () => /cmdstat_evalsha:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1]
    const before = await calls()
    for (let i = 0; i < 100; i++) expect((await counters.peek([on(limit)])).readings).toMatchObject([{ limit: 'a', remaining: 0 }])
    expect(await calls()).toBe(before)
  })

  it('ask the store again for whoever has more since the refusal', async () => {
    const counters = await instance()
    expect(await passedOf(counters, [on(spec('plan', { points: 1 }))], 3)).toBe(1)
    expect(await passedOf(counters, [on(spec('plan', { points: 3 }))], 5)).toBe(2)
    expect(await passedOf(counters, [on(spec('plan', { points: 1 }))], 3)).toBe(0)
  })

  it('charge past what a limit holds, over all instances, and refuse until that has come back', async () => {
    const [one, two] = [await instance(), await instance()]
    const waits: readonly [LimitSpec | undefined, number, number][] = [
      [all[0], 55_000, 60_000],
      [all[1], 75_000, 80_000],
      [all[2], 1, 31 * 86_400_000],
    ]
    for (const [limit = spec('none'), least, most] of waits) {
      await one.take([on(limit)])
      expect(await one.charge([on(limit, 'k', 5)])).toMatchObject([{ limit: limit.name, remaining: 0, degraded: false }])
      const refused = await two.take([on(limit)])
      expect(refused).toMatchObject({ allowed: false, refusedBy: limit.name, readings: [{ remaining: 0 }] })
      const wait = refused.readings[0]?.resetMs ?? 0
      expect(wait).toBeGreaterThanOrEqual(least)
      expect(wait).toBeLessThanOrEqual(most)
    }
    expect(await one.charge([on(spec('a'), 'k', 2), on(spec('b'), 'other', 1)])).toMatchObject([
      { limit: 'a', remaining: 1 },
      { limit: 'b', remaining: 2 },
    ])
    expect(() => one.charge([on(spec('a'), 'k', 0)])).toThrow(RangeError)
  })

  it('charge here when the store is lost', async () => {
    const counters = await instance()
    await server.kill()
    try {
      expect(await counters.charge([on(spec('a'), 'k', 5)])).toMatchObject([{ remaining: 0, degraded: true }])
      expect(await counters.take([on(spec('a'))])).toMatchObject({ allowed: false, readings: [{ degraded: true }] })
    } finally {
      await server.restart()
    }
  })

  it('share the limit by the instances last seen when the store is lost', async () => {
    const all = [await instance(), await instance(), await instance()]
    // All have signed by now; the next sign of each sees the others.
    clock.advance(5000)
    await vi.waitFor(async () => expect(await server.admin.zcard('sallyport:limit:instances')).toBe(3))
    await all[0]?.take([on(spec('warm'))])
    await server.kill()
    try {
      expect(await passedOf(all[0]!, [on(spec('a', { points: 12 }))], 30)).toBe(4)
    } finally {
      await server.restart()
    }
  })

  it('count apart for other environments on the same server, and are other instances', async () => {
    const instanceOf = (space: string) => {
      const counters = createRedisCounters({ url: server.url, clock, meter, journal, patienceMs: 2000, space })
      open.push(counters)
      return counters
    }
    const [prod, dev] = [instanceOf('prod'), instanceOf('dev')]
    expect([await prod.ready(5000), await dev.ready(5000)]).toEqual([true, true])
    expect(await passedOf(prod, [on(spec('a', { points: 2 }))], 3)).toBe(2)
    expect(await passedOf(dev, [on(spec('a', { points: 2, windowMs: 1000 }))], 3)).toBe(2)
    expect((await prod.peek([on(spec('a', { points: 2 }))])).allowed).toBe(false)
    await vi.waitFor(async () => expect(await server.admin.zcard('sallyport:limit:prod:instances')).toBe(1))
    expect(await server.admin.exists('sallyport:limit:prod:s:1:a:{k}', 'sallyport:limit:dev:s:1:a:{k}', 'sallyport:limit:s:1:a:{k}')).toBe(2)
  })

  it('take their sign away when they close', async () => {
    const counters = await instance()
    await vi.waitFor(async () => expect(await server.admin.zcard('sallyport:limit:instances')).toBe(1))
    await counters.close()
    open = []
    expect(await server.admin.zcard('sallyport:limit:instances')).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('survive a kill in the middle: nothing rejects, limits still refuse, answers say degraded, back within 2 s', async () => {
    const counters = await instance()
    const limit = spec('a', { points: 10 })
    await counters.take([on(limit)])
    const fifty = () => Array.from({ length: 50 }, async () => counters.take([on(limit)]))
    const during = fifty()
    await server.kill()
    const taken = await Promise.all([...during, ...fifty()])
    const local = taken.filter((each) => each.readings[0]?.degraded)
    expect(local.length).toBeGreaterThanOrEqual(50)
    expect(local.filter((each) => each.allowed).length).toBeLessThanOrEqual(10)
    expect(local.at(-1)).toMatchObject({ allowed: false, refusedBy: 'a' })
    expect(counters.degraded).toBe(true)
    expect(meter.samples.findLast((sample) => sample.kind === 'gauge')?.value).toBe(1)
    expect(journal.records).toMatchObject([{ event: 'limit_store_lost' }])

    await server.restart()
    await recovered(counters, spec('b'))
    expect(counters.degraded).toBe(false)
    expect(meter.samples.findLast((sample) => sample.kind === 'gauge')?.value).toBe(0)
    expect(journal.records.at(-1)).toMatchObject({ event: 'limit_store_back' })
  })

  it('answer deny and allow limits as they say while the store is gone', async () => {
    const counters = await instance()
    await server.kill()
    try {
      await vi.waitFor(async () => expect((await counters.take([on(spec('x'), `${Math.random()}`)])).readings[0]?.degraded).toBe(true))
      expect(await counters.take([on(spec('login', { onStoreFailure: 'deny' }))])).toMatchObject({
        allowed: false,
        refusedBy: 'login',
        readings: [{ degraded: true }],
      })
      expect(await passedOf(counters, [on(spec('free', { onStoreFailure: 'allow' }))], 20)).toBe(20)
      expect(await counters.peek([on(spec('login', { onStoreFailure: 'deny' }))])).toMatchObject({ allowed: false })
    } finally {
      await server.restart()
    }
  })

  it('wait for a frozen store five times, and never for the probe of each second', async () => {
    const counters = await instance(20)
    const limit = spec('a', { points: 100 })
    await counters.take([on(limit)])
    server.freeze()
    try {
      const taken: Taken[] = []
      for (let i = 0; i < 40; i++) taken.push(await counters.take([on(limit)]))
      expect(taken.every((each) => each.readings[0]?.degraded)).toBe(true)
      expect(meter.total(failures)).toBe(5)
      expect(meter.total(failures, { reason: 'timeout' })).toBe(5)
      clock.advance(1000)
      // Not one of these is a promise: nobody waits, though a probe is under way.
      for (let i = 0; i < 40; i++) expect(counters.take([on(limit)])).toMatchObject({ readings: [{ degraded: true }] })
      await vi.waitFor(() => expect(meter.total(failures)).toBe(6))
    } finally {
      server.thaw()
    }
    await recovered(counters, spec('b'))
  })

  it('find a store that is back without a request that pays for it', async () => {
    const counters = await instance(20)
    const login = spec('a', { onStoreFailure: 'deny' })
    await counters.take([on(login)])
    server.freeze()
    try {
      for (let i = 0; i < 6; i++) expect(await counters.take([on(login)])).toMatchObject({ allowed: false })
    } finally {
      server.thaw()
    }
    await vi.waitFor(
      () => {
        clock.advance(1000)
        expect(counters.degraded).toBe(false)
      },
      { timeout: 5000, interval: 50 },
    )
    expect(await counters.take([on(login, 'other')])).toMatchObject({ allowed: true, readings: [{ degraded: false }] })
  })

  it('answer alone at an old primary that takes no writes any more, and count there again when it does', async () => {
    const counters = await instance()
    const limit = spec('a', { points: 1000 })
    await counters.take([on(limit)])
    await server.admin.replicaof('127.0.0.1', 1)
    try {
      for (let i = 0; i < 20; i++) expect(await counters.take([on(limit)])).toMatchObject({ allowed: true, readings: [{ degraded: true }] })
      expect(meter.total(failures)).toBeGreaterThan(0)
    } finally {
      await server.admin.replicaof('NO', 'ONE')
    }
    await recovered(counters, spec('b'))
  })

  it('survive FLUSHALL: at most one window more, no failure', async () => {
    const counters = await instance()
    const limit = spec('a')
    expect(await passedOf(counters, [on(limit)], 5)).toBe(3)
    await server.admin.flushall()
    clock.advance(100)
    expect(await passedOf(counters, [on(limit)], 5)).toBe(3)
    expect(meter.total(failures)).toBe(0)
  })

  it('survive SCRIPT FLUSH without losing a count', async () => {
    const counters = await instance()
    for (const { burst, ...limit } of all) {
      const ten = { ...limit, points: 10, burst: burst === 0 ? 0 : 10 }
      expect(await passedOf(counters, [on(ten)], 4)).toBe(4)
      await server.admin.script('FLUSH')
      expect(await passedOf(counters, [on(ten)], 10)).toBe(6)
    }
    expect(meter.total(failures)).toBe(0)
  })

  it('answer alone from the start when there is no store, and find it when it comes', async () => {
    await server.kill()
    const counters = createRedisCounters({ url: server.url, clock, meter, journal })
    open.push(counters)
    const ready = counters.ready(10)
    clock.advance(10)
    expect(await ready).toBe(false)
    expect(await passedOf(counters, [on(spec('a'))], 5)).toBe(3)
    await server.restart()
    await recovered(counters, spec('b'))
  })
})
