import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor, LimitSpec, Taken } from '../../src/core/ports.ts'
import { limitScript } from '../../src/node/counters/limit-script.ts'
import { createRedisCounters, type RedisCounters } from '../../src/node/redis-counters.ts'
import { type FakeClock, fakeClock } from '../support/clock.ts'
import { overshoot, type Passed } from '../support/limit-log.ts'
import { memoryMeter } from '../support/ports.ts'
import { hasRedis, type RedisServer, redisHint, startRedis } from '../support/redis.ts'

const spec = (name: string, given: Partial<LimitSpec>): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 2000,
  windowMs: 1000,
  burst: 0,
  onStoreFailure: 'deny',
  ...given,
})
const gcra = { kind: 'gcra' } as const
const limits = [
  spec('sliding', {}),
  spec('long', { points: 1500, windowMs: 20_000, burst: 300 }),
  spec('gcra', { algorithm: gcra, points: 500, burst: 500 }),
  spec('fast', { algorithm: gcra, points: 4000, burst: 2500 }),
  spec('narrow', { algorithm: gcra, points: 4000, burst: 500 }),
]

const installed = hasRedis()

describe.skipIf(!installed)(`keys that are asked very often${installed ? '' : ` (${redisHint})`}`, () => {
  const clockKey = 'test:clock'
  let server: RedisServer
  let open: RedisCounters[]
  let clock: FakeClock

  const instance = async (): Promise<RedisCounters> => {
    // Redis forgets keys by its own clock, which goes on while the test's stands still: here it forgets them much later.
    const script = limitScript(`tonumber(redis.call('GET', '${clockKey}'))`).replace('wait(us) + 1)', 'wait(us) + 600000)')
    expect(script).toContain('600000')
    const counters = createRedisCounters({ patienceMs: 2000, url: server.url, clock, meter: memoryMeter(), script })
    open.push(counters)
    await counters.ready(5000)
    return counters
  }
  /** The clocks of all instances and of the store, in step. */
  const advance = async (ms: number) => {
    clock.advance(ms)
    await server.admin.set(clockKey, `${clock.now() * 1000}`)
  }
  /** So many at once; those answered without the store, on a busy machine, are left out. */
  const takes = async (counters: RedisCounters, descriptors: readonly Descriptor[], times: number): Promise<readonly Taken[]> => {
    const taken = await Promise.all(Array.from({ length: times }, async () => counters.take(descriptors)))
    return taken.filter(({ readings }) => readings.every(({ degraded }) => !degraded))
  }
  const passedOf = (taken: readonly Taken[]) => taken.filter(({ allowed }) => allowed).length
  const scriptsRun = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1] ?? 0)

  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())
  beforeEach(async () => {
    open = []
    clock = fakeClock(Date.UTC(2026, 0, 1))
    await server.admin.flushall()
    await server.admin.config('RESETSTAT')
    await advance(0)
  })
  afterEach(async () => {
    for (const counters of open) await counters.close()
  })

  it('let through no more than the exact limit, for any schedule over three instances', async () => {
    const step = fc.record({
      which: fc.nat(2),
      wait: fc.oneof(fc.constant(0), fc.nat(30), fc.nat(300), fc.constantFrom(249, 250, 251, 1000)),
      times: fc.oneof(fc.nat(5), fc.nat(120), fc.constant(400)),
      cost: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 3 })),
    })
    const instances = [await instance(), await instance(), await instance()]
    let round = 0
    // What is asked at once goes in calls of up to 32.
    let calls = 0
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...limits), fc.array(step, { minLength: 5, maxLength: 25 }), async (limit, steps) => {
        const key = `round-${round++}`
        const log: Passed[] = []
        for (const { which, wait, times, cost } of steps) {
          await advance(wait)
          calls += Math.ceil(times / 32)
          const passed = passedOf(await takes(instances[which]!, [{ limit, key, cost }], times))
          if (passed > 0) log.push({ at: clock.now(), cost: passed * cost })
        }
        expect(overshoot(log, limit)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 60 },
    )
    // Points were indeed taken in advance: many a request asked nobody.
    expect(await scriptsRun()).toBeLessThan(calls * 0.95)
  }, 60_000)

  it.each(limits.slice(0, 4))(
    'count as spent when they may be spent last: $name is not exceeded by those that wait to the end',
    async (limit) => {
      const [one, two] = [await instance(), await instance()]
      const descriptors = [{ limit, key: 'k', cost: 1 }]
      const log: Passed[] = []
      const note = (taken: readonly Taken[]) => void log.push({ at: clock.now(), cost: passedOf(taken) })
      const first = await takes(one, descriptors, 100)
      note(first)
      await advance(249)
      note(await takes(one, descriptors, 5000))
      for (const wait of [0, 1, limit.windowMs - 251, 1, 1, 248, 1, 1]) {
        await advance(wait)
        note(await takes(two, descriptors, 5000))
      }
      expect(first).not.toHaveLength(0)
      expect(passedOf(first)).toBe(first.length)
      expect(overshoot(log, limit)).toBeLessThanOrEqual(0)
    },
    30_000,
  )

  it('cost few calls, for one limit and for several at once', async () => {
    const counters = await instance()
    const both = [limits[0]!, limits[3]!].map((limit) => ({ limit: { ...limit, points: 1_000_000, burst: 900_000 }, key: 'k', cost: 1 }))
    for (let i = 0; i < 10; i++) {
      expect((await takes(counters, both, 1000)).every(({ allowed }) => allowed)).toBe(true)
      await advance(1)
    }
    // What is asked at once goes in calls of up to 32: without points in hand these would be 320.
    expect(await scriptsRun()).toBeLessThan(100)
  })

  it('cost few calls for requests that come one after the other too', async () => {
    const counters = await instance()
    const both = [limits[0]!, limits[3]!].map((limit) => ({ limit: { ...limit, points: 1_000_000, burst: 900_000 }, key: 'k', cost: 1 }))
    const taken: Taken[] = []
    for (let i = 0; i < 2000; i++) taken.push(...(await takes(counters, both, 1)))
    expect(taken.length).toBeGreaterThan(1000)
    expect(passedOf(taken)).toBe(taken.length)
    expect(await scriptsRun()).toBeLessThan(200)
  })

  it('are held no longer than 250 ms, and read no more than the store has', async () => {
    const counters = await instance()
    const limit = { ...limits[0]!, windowMs: 60_000 }
    const descriptors = [{ limit, key: 'k', cost: 1 }]
    await takes(counters, descriptors, 40)
    const before = await scriptsRun()
    const inHand = await counters.take(descriptors)
    expect(await scriptsRun()).toBe(before)
    const left = (await counters.peek(descriptors)).readings[0]?.remaining ?? 0
    expect(inHand).toEqual({ allowed: true, refusedBy: undefined, readings: [{ limit: 'sliding', remaining: left, resetMs: 60_250, degraded: false }] })
    expect(left).toBeLessThan(2000 - 41)
    await advance(250)
    const after = await scriptsRun()
    await counters.take(descriptors)
    expect(await scriptsRun()).toBe(after + 1)
    // All comes back, what was not spent too.
    await advance(60_250)
    expect((await counters.peek(descriptors)).readings[0]?.remaining).toBe(2000)
  })

  it('leave half of the limit alone: the last of it is counted one by one', async () => {
    const counters = await instance()
    const limit = { ...limits[0]!, windowMs: 60_000 }
    let passed = 0
    let slow = 0
    for (let i = 0; i < 30; i++) {
      const taken = await takes(counters, [{ limit, key: 'k', cost: 1 }], 100)
      passed += passedOf(taken)
      slow += 100 - taken.length
    }
    expect(passed).toBeLessThanOrEqual(2000)
    expect(passed + slow).toBeGreaterThan(1990)
  })

  it('pay what is charged afterwards with what is in hand, and leave the rest to the store', async () => {
    const counters = await instance()
    const on = (cost: number) => [{ limit: { ...limits[0]!, windowMs: 60_000 }, key: 'k', cost }]
    await takes(counters, on(1), 40)
    const left = (await counters.peek(on(1))).readings[0]?.remaining ?? 0
    const before = await scriptsRun()
    expect(await counters.charge(on(2))).toEqual([{ limit: 'sliding', remaining: left, resetMs: 60_250, degraded: false }])
    expect(await scriptsRun()).toBe(before)
    expect(await counters.charge(on(5000))).toMatchObject([{ remaining: 0, degraded: false }])
    expect(await scriptsRun()).toBe(before + 1)
    // Nothing is in hand any more that would let somebody pass.
    expect((await takes(counters, on(1), 20)).some(({ allowed }) => allowed)).toBe(false)
  })

  it('do without points in advance where places or calendars are counted', async () => {
    const counters = await instance()
    const others: readonly LimitSpec[] = [
      spec('month', { algorithm: { kind: 'calendar', per: 'month', zone: 'UTC' }, windowMs: 31 * 86_400_000 }),
      spec('places', { algorithm: { kind: 'concurrency' }, windowMs: 0 }),
    ]
    for (const limit of others) {
      const before = await scriptsRun()
      let answered = 0
      // One after the other, for what is asked at once is one call.
      for (let i = 0; i < 100; i++) answered += (await takes(counters, [{ limit, key: 'k', cost: 1 }], 1)).length
      expect((await scriptsRun()) - before).toBeGreaterThanOrEqual(answered)
    }
  })

  it('answer without the store like any other when it is gone, once nothing is in hand', async () => {
    const counters = await instance()
    const descriptors = [{ limit: limits[0]!, key: 'k', cost: 1 }]
    await takes(counters, descriptors, 100)
    await server.kill()
    clock.advance(250)
    const taken = await Promise.all(Array.from({ length: 100 }, async () => counters.take(descriptors)))
    expect(taken.every(({ allowed, readings }) => !allowed && readings[0]?.degraded === true)).toBe(true)
    await server.restart()
  })
})
