import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Descriptor, LimitSpec, Taken } from '../../src/core/ports.ts'
import { createRedisCounters, type RedisCounters } from '../../src/node/redis-counters.ts'
import { fakeClock } from '../support/clock.ts'
import { memoryMeter } from '../support/ports.ts'
import { hasRedis, redisHint } from '../support/redis.ts'
import { beginMove, type ClusterFleet, endMove, type Fleet, slotOf, startCluster, startWatched } from '../support/redis-fleet.ts'

const installed = hasRedis()
const spec = (name: string, given: Partial<LimitSpec> = {}): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 3,
  windowMs: 600_000,
  burst: 0,
  onStoreFailure: 'local',
  ...given,
})
const on = (limit: LimitSpec, key = 'k', cost = 1): Descriptor => ({ limit, key, cost })
const all = [
  spec('s'),
  spec('g', { algorithm: { kind: 'gcra' }, burst: 3 }),
  spec('c', { algorithm: { kind: 'calendar', per: 'month', zone: 'Europe/Berlin' }, windowMs: 31 * 86_400_000 }),
  spec('p', { algorithm: { kind: 'concurrency' }, windowMs: 0 }),
]

describe.skipIf(!installed)(`counters in several servers${installed ? '' : ` (${redisHint})`}`, () => {
  let fleet: Fleet
  let cluster: ClusterFleet
  let open: RedisCounters[]
  let clock: ReturnType<typeof fakeClock>

  const instance = async (): Promise<RedisCounters> => {
    const counters = createRedisCounters({ patienceMs: 2000, url: fleet.url, clock, meter: memoryMeter() })
    open.push(counters)
    expect(await counters.ready(5000)).toBe(true)
    return counters
  }
  /** Asks until the store answers, the clock moving on past every breaker and remembered refusal. */
  const shared = (counters: RedisCounters, descriptors: readonly Descriptor[]): Promise<Taken> =>
    vi.waitFor(
      async () => {
        clock.advance(1000)
        const taken = await counters.take(descriptors)
        expect(taken.readings.every((reading) => !reading.degraded)).toBe(true)
        return taken
      },
      { timeout: 10_000, interval: 20 },
    )

  beforeEach(() => {
    open = []
    clock = fakeClock(Date.now())
  })
  afterEach(async () => {
    for (const counters of open) await counters.close()
  })

  describe('of a Cluster', () => {
    beforeAll(async () => {
      cluster = await startCluster()
      fleet = cluster
    }, 60_000)
    afterAll(() => fleet.close())

    it('count by every algorithm, on every node, over all instances', async () => {
      const [one, two] = [await instance(), await instance()]
      for (const limit of all) {
        for (let key = 0; key < 6; key++) {
          const taken = [await shared(one, [on(limit, `k${key}`)])]
          for (let i = 0; i < 4; i++) taken.push(await shared(i % 2 === 0 ? two : one, [on(limit, `k${key}`)]))
          expect(taken.map((each) => each.allowed)).toEqual([true, true, true, false, false])
        }
      }
      const sizes = await Promise.all(fleet.servers.map(({ admin }) => admin.dbsize()))
      expect(sizes.every((size) => size > 0)).toBe(true)
    })

    it('give back what other slots gave when one refuses', async () => {
      for (const narrow of all) {
        const counters = await instance()
        const full = on(narrow, 'full')
        for (let i = 0; i < 3; i++) await shared(counters, [full])
        const others = all.filter((limit) => limit !== narrow).map((limit, i) => on(limit, `${narrow.name}-other-${i}`))
        const taken = await shared(counters, [...others, full])
        expect(taken).toMatchObject({ allowed: false, refusedBy: narrow.name })
        expect(taken.readings.slice(0, 3).map((reading) => reading.remaining)).toEqual([3, 3, 3])
        await vi.waitFor(async () => expect((await counters.peek(others)).readings.map((reading) => reading.remaining)).toEqual([3, 3, 3]))
      }
    })

    it('charge limits of several slots', async () => {
      const counters = await instance()
      const some = all.filter(({ algorithm }) => algorithm.kind !== 'concurrency').map((limit, i) => on(limit, `charged-${i}`))
      await shared(counters, some)
      expect(await counters.charge(some.map((descriptor) => ({ ...descriptor, cost: 9 })))).toMatchObject(some.map(() => ({ remaining: 0, degraded: false })))
      for (const descriptor of some) expect((await counters.take([descriptor])).allowed).toBe(false)
    })

    it('follow a slot that moves to another node', async () => {
      const counters = await instance()
      const descriptor = on(spec('moved'), 'mover')
      await shared(counters, [descriptor])
      const { slot, from, to } = await slotOf(cluster, 'sallyport:limit:s:5:moved:{mover}')
      await beginMove(slot, from, to)
      await from.admin.call('MIGRATE', '127.0.0.1', to.port, 'sallyport:limit:s:5:moved:{mover}', 0, 5000)
      const before = counters.degraded
      expect((await counters.take([descriptor])).readings[0]).toMatchObject({ remaining: 1, degraded: false })
      await endMove(cluster, slot, from, to)
      expect((await counters.take([descriptor])).readings[0]).toMatchObject({ remaining: 0, degraded: false })
      expect([before, counters.degraded]).toEqual([false, false])
    })
  })

  describe('that Sentinels watch', () => {
    beforeAll(async () => {
      fleet = await startWatched()
    }, 60_000)
    afterAll(() => fleet.close())

    it('go on at the new primary after a failover, with what was counted, and answer all the while', async () => {
      const counters = await instance()
      const limit = spec('a', { points: 10 })
      for (let i = 0; i < 4; i++) await shared(counters, [on(limit)])
      const [primary, replica] = fleet.servers
      await primary!.admin.wait(1, 1000)
      await primary!.kill()
      const lost = await counters.take([on(spec('b'))])
      expect(lost.allowed).toBe(true)
      await vi.waitFor(async () => expect(await replica!.admin.info('replication')).toContain('role:master'), { timeout: 20_000, interval: 50 })
      expect((await shared(counters, [on(limit)])).readings[0]?.remaining).toBe(5)
    }, 60_000)
  })
})
