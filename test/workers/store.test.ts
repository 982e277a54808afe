import { describe, expect, it } from 'vitest'
import type { Descriptor, LimitSpec } from '../../src/core/ports.ts'
import { createGuardedCounters, createMemoryCounters } from '../../src/node/counters.ts'
import { countArrivals } from '../../src/node/listeners.ts'
import { createMemoryShared } from '../../src/node/shared.ts'
import { createAskedArrivals, createAskedCounters, createAskedShared } from '../../src/node/workers/asked-store.ts'
import { Asking, UnansweredError } from '../../src/node/workers/asking.ts'
import { Host } from '../../src/node/workers/host.ts'
import { fakePorts } from '../support/ports.ts'
import { type WirePair, wirePair } from '../support/wires.ts'

const sliding = (points: number, more: Partial<LimitSpec> = {}): LimitSpec => ({
  name: 'l',
  algorithm: { kind: 'sliding' },
  points,
  windowMs: 60_000,
  burst: 0,
  onStoreFailure: 'local',
  ...more,
})
const places: LimitSpec = { ...sliding(2), name: 'p', algorithm: { kind: 'concurrency' }, windowMs: 0 }
const one = (limit: LimitSpec, key = 'k', cost = 1): Descriptor => ({ limit, key, cost })

/** A primary with so many workers around it. */
function house(workers: number) {
  const ports = fakePorts()
  const { clock, meter, journal } = ports
  const host = new Host({ counters: createMemoryCounters(clock), shared: createMemoryShared(clock), arrivals: countArrivals })
  const all = Array.from({ length: workers }, () => {
    const wire = wirePair()
    host.serve(wire.primary)
    const asking = new Asking(wire.worker, clock)
    const reasonOf = (why: unknown) => (why instanceof UnansweredError ? why.reason : 'reply')
    const asked = createAskedCounters(asking)
    return {
      wire,
      asked,
      counters: createGuardedCounters(asked, { clock, meter, journal, instances: workers, reasonOf }),
      shared: createAskedShared(asking),
      arrivals: createAskedArrivals(asking),
    }
  })
  const deliver = () => Promise.all(all.map(({ wire }) => wire.deliver()))
  return { ...ports, all, deliver, at: (i: number) => all[i] as (typeof all)[number] }
}

async function delivered<T>(asked: T | Promise<T>, wire: WirePair): Promise<T> {
  await wire.deliver()
  return asked
}

describe('counters in the primary process', () => {
  it('let exactly as many through as the limit says, over all workers', async () => {
    const { all, deliver } = house(3)
    const asked = Array.from({ length: 30 }, async (_, i) => all[i % 3]?.counters.take([one(sliding(10))]))
    await deliver()
    const taken = await Promise.all(asked)
    expect(taken.filter((one) => one?.allowed)).toHaveLength(10)
    expect(new Set(taken.filter((one) => one?.allowed === false).map((one) => one?.refusedBy))).toEqual(new Set(['l']))
  })

  it('answer as counters of this process do, for every kind of limit', async () => {
    const { at, clock } = house(1)
    const { asked: counters, wire } = at(0)
    const own = createMemoryCounters(clock)
    const limits: readonly LimitSpec[] = [
      sliding(5, { name: 'sliding', burst: 2 }),
      sliding(10, { name: 'gcra', algorithm: { kind: 'gcra' }, burst: 3 }),
      sliding(4, { name: 'month', algorithm: { kind: 'calendar', per: 'month', zone: 'Europe/Berlin' }, windowMs: 2_678_400_000 }),
      places,
    ]
    for (let i = 0; i < 8; i++) {
      const asked = limits.map((limit) => one(limit, `key "${i % 2}"\n`, 1 + (i % 2)))
      const { release: _, ...expected } = await own.take(asked)
      const { release: __, ...taken } = await delivered(counters.take(asked), wire)
      expect(taken).toEqual(expected)
      expect(await delivered(counters.charge(asked), wire)).toEqual(await own.charge(asked))
      expect(await delivered(counters.peek(asked), wire)).toEqual(await own.peek(asked))
      clock.advance(1500)
    }
  })

  it('tell of all limits that are over when they remember a refusal', async () => {
    const { at } = house(1)
    const { counters, wire } = at(0)
    const both = [one(sliding(1, { name: 'second', windowMs: 2000 })), one(sliding(1, { name: 'minute' }))]
    for (let i = 0; i < 2; i++) await delivered(counters.take(both), wire)
    expect(counters.take(both)).toMatchObject({ refusedBy: 'second', readings: [{ limit: 'second' }, { limit: 'minute', resetMs: 60_000 }] })
  })

  it('are asked once for all requests of a turn', async () => {
    const { at } = house(1)
    const { counters, wire } = at(0)
    const asked = Array.from({ length: 50 }, async (_, i) => counters.take([one(sliding(10), `k${i}`)]))
    await new Promise<void>((resolve) => void setImmediate(resolve))
    expect(wire.up).toHaveLength(1)
    await wire.deliver()
    expect((await Promise.all(asked)).every(({ allowed }) => allowed)).toBe(true)
  })

  it('are not asked again about what they just refused', async () => {
    const { at, clock } = house(1)
    const { counters, wire } = at(0)
    for (let i = 0; i < 2; i++) await delivered(counters.take([one(sliding(1))]), wire)
    expect(await counters.take([one(sliding(1))])).toMatchObject({ allowed: false, refusedBy: 'l', readings: [{ remaining: 0, degraded: false }] })
    clock.advance(60_001)
    expect((await delivered(counters.take([one(sliding(1))]), wire)).allowed).toBe(true)
  })

  it('are forgotten for all when one worker is told to, and refuse no more there', async () => {
    const { at } = house(2)
    const [a, b] = [at(0), at(1)]
    for (const { counters, wire } of [a, a, b]) await delivered(counters.take([one(sliding(1))]), wire)
    expect(await delivered(a.counters.look(one(sliding(1))), a.wire)).toMatchObject({ fits: false, remaining: 0 })
    expect(await delivered(a.counters.forget(one(sliding(1))), a.wire)).toBe(true)
    expect(await delivered(a.counters.forget(one(sliding(1))), a.wire)).toBe(false)
    expect(await delivered(a.counters.look(one(sliding(1))), a.wire)).toEqual({ fits: true, remaining: 1, resetMs: 0 })
    // The other remembers its own refusal until it is told as well.
    expect(await b.counters.take([one(sliding(1))])).toMatchObject({ allowed: false })
    b.counters.forgetHere(one(sliding(1)))
    expect(await delivered(b.counters.take([one(sliding(1))]), b.wire)).toMatchObject({ allowed: true, readings: [{ remaining: 0 }] })
  })

  it('say so when the primary does not answer an operator', async () => {
    const { at } = house(1)
    const { counters, wire } = at(0)
    wire.cut()
    await expect(counters.look(one(sliding(1)))).rejects.toThrow('the primary process is gone')
    await expect(counters.forget(one(sliding(1)))).rejects.toThrow('the primary process is gone')
  })

  it('get places back when a request is over, once, and all of a worker that is gone', async () => {
    const { at } = house(2)
    const [a, b] = [at(0), at(1)]
    const first = await delivered(a.counters.take([one(places)]), a.wire)
    await delivered(a.counters.take([one(places)]), a.wire)
    expect((await delivered(b.counters.take([one(places)]), b.wire)).allowed).toBe(false)
    first.release?.()
    first.release?.()
    await a.wire.deliver()
    expect((await delivered(b.counters.take([one(places)]), b.wire)).allowed).toBe(true)
    expect((await delivered(b.counters.take([one(places)]), b.wire)).allowed).toBe(false)
    a.wire.cut()
    expect((await delivered(b.counters.take([one(places)]), b.wire)).allowed).toBe(true)
    expect((await delivered(b.counters.take([one(places)]), b.wire)).allowed).toBe(false)
  })

  it('get places back that they gave in an answer that came too late', async () => {
    const { at, clock } = house(2)
    const [a, b] = [at(0), at(1)]
    const asked = [1, 2].map(async () => a.counters.take([one(places)]))
    await new Promise<void>((resolve) => void setImmediate(resolve))
    clock.advance(1001)
    const alone = await Promise.all(asked)
    expect(alone.map(({ readings }) => readings[0]?.degraded)).toEqual([true, true])
    await a.wire.deliver()
    expect((await delivered(b.counters.take([one(places, 'k', 2)]), b.wire)).allowed).toBe(true)
  })
})

it('an answer that is there when the time is over, and was not read, still counts', async () => {
  const { at, clock } = house(1)
  const { counters, wire } = at(0)
  const asked = counters.take([one(sliding(10))])
  await new Promise<void>((resolve) => void setImmediate(resolve))
  clock.advance(1001)
  const [line = ''] = wire.up.splice(0)
  wire.down.push(JSON.stringify([JSON.parse(line)[0], [{ is: [0, 0, 9, 60_000] }], []]))
  const turn = Promise.withResolvers<void>()
  queueMicrotask(() => {
    wire.hear()
    turn.resolve()
  })
  await turn.promise
  expect(await asked).toMatchObject({ allowed: true, readings: [{ remaining: 9, degraded: false }] })
})

describe('a worker whose primary does not answer', () => {
  it.each([
    ['local', true],
    ['allow', true],
    ['deny', false],
  ] as const)('does what the limit says: %s', async (onStoreFailure, allowed) => {
    const { at, clock, meter, journal } = house(2)
    const { counters, wire } = at(0)
    const asked = counters.take([one(sliding(10, { onStoreFailure }))])
    await new Promise<void>((resolve) => void setImmediate(resolve))
    wire.up.splice(0)
    clock.advance(1001)
    expect(await asked).toMatchObject({ allowed, readings: [{ degraded: true }] })
    expect(meter.total('sallyport_limit_store_failures_total', { reason: 'timeout' })).toBe(1)
    await Promise.resolve()
    await new Promise<void>((resolve) => void setImmediate(resolve))
    expect(journal.records).toContainEqual(expect.objectContaining({ event: 'limit_store_lost', reason: 'timeout' }))
  })

  it('counts its share alone, and asks once a second after five failures', async () => {
    const { at, clock } = house(2)
    const { counters, wire } = at(0)
    const silent = async () => {
      const asked = counters.take([one(sliding(10))])
      await new Promise<void>((resolve) => void setImmediate(resolve))
      const sent = wire.up.splice(0).length
      clock.advance(sent > 0 ? 1001 : 251)
      return { sent, allowed: (await asked).allowed }
    }
    const all: { sent: number; allowed: boolean }[] = []
    for (let i = 0; i < 10; i++) all.push(await silent())
    expect(all.map(({ sent }) => sent)).toEqual([1, 1, 1, 1, 1, 0, 0, 0, 0, 1])
    // Half of ten.
    expect(all.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false, false, false, false, false])
    clock.advance(1001)
    expect(await delivered(counters.take([one(sliding(10), 'other')]), wire)).toMatchObject({ readings: [{ degraded: false }] })
  })

  it('hears at once that it is gone', async () => {
    const { at, meter } = house(1)
    const { counters, shared, wire } = at(0)
    const asked = [counters.take([one(sliding(10))]), shared.claim('k', 1000)] as const
    await new Promise<void>((resolve) => void setImmediate(resolve))
    wire.cut()
    expect(await asked[0]).toMatchObject({ readings: [{ degraded: true }] })
    await expect(asked[1]).rejects.toThrow('the primary process is gone')
    await expect(shared.get('k')).rejects.toThrow('the primary process is gone')
    expect(meter.total('sallyport_limit_store_failures_total', { reason: 'connection' })).toBe(1)
  })
})

it('a charge that is not answered counts in the worker', async () => {
  const { at, clock } = house(2)
  const { counters, wire } = at(0)
  const asked = counters.charge([one(sliding(10), 'k', 4)])
  await new Promise<void>((resolve) => void setImmediate(resolve))
  wire.up.splice(0)
  clock.advance(1001)
  // Half of ten, less four.
  expect(await asked).toMatchObject([{ limit: 'l', remaining: 1, degraded: true }])
})

describe('what workers remember together', () => {
  it('is claimed by exactly one of them, until its time is over', async () => {
    const { all, deliver, at, clock } = house(3)
    const asked = Array.from({ length: 9 }, async (_, i) => all[i % 3]?.shared.claim('jti', 5000))
    await deliver()
    expect((await Promise.all(asked)).filter((mine) => mine === true)).toHaveLength(1)
    clock.advance(5001)
    expect(await delivered(at(1).shared.claim('jti', 5000), at(1).wire)).toBe(true)
  })

  it('is read and forgotten by all', async () => {
    const { at } = house(2)
    const [a, b] = [at(0), at(1)]
    expect(await delivered(b.shared.get('k'), b.wire)).toBeUndefined()
    await delivered(a.shared.set('k', 'v\n"', undefined), a.wire)
    expect(await delivered(b.shared.get('k'), b.wire)).toBe('v\n"')
    await delivered(b.shared.delete('k'), b.wire)
    expect(await delivered(a.shared.get('k'), a.wire)).toBeUndefined()
  })
})

describe('new connections of a client network', () => {
  it('are counted over all workers, and by each alone while the primary is gone', async () => {
    const { at } = house(2)
    const mays = [0, 1].map((i) => at(i).arrivals('public', { points: 2, windowMs: 60_000 }))
    const arrive = (i: number) => delivered(mays[i]?.('192.0.2.0/32'), at(i).wire)
    expect([await arrive(0), await arrive(1), await arrive(0), await arrive(1)]).toEqual([true, true, false, false])
    at(0).wire.cut()
    expect([await arrive(0), await arrive(0), await arrive(0), await arrive(1)]).toEqual([true, true, false, false])
  })
})
