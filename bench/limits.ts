import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { Counters, Descriptor, LimitSpec } from '../src/core/ports.ts'
import { createClock } from '../src/node/clock.ts'
import { createMemoryCounters } from '../src/node/counters.ts'
import { createRedisCounters } from '../src/node/redis-counters.ts'
import { hasRedis, startRedis } from '../test/support/redis.ts'
import { ratiosWithin, spreadOf } from './report/statistics.ts'

/*
 * What counting costs: in memory (CPU per decision, and what a million keys weigh), and with one Redis of its own against
 * RateLimiterRedis.consume (throughput and CPU of this process). All in turn within each round; ratios are taken within a round.
 */
const rounds = 7
const calls = 50_000
/** Long enough that what is measured is a steady flow. */
const shared = 30_000
/** A lap on the hot key is as long as several of the 250 ms for which points are in hand. */
const hot = 60_000
const atOnce = 64
const clock = createClock()
const spec = (name: string, given: Partial<LimitSpec> = {}): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 1_000_000,
  windowMs: 60_000,
  burst: 0,
  onStoreFailure: 'deny',
  ...given,
})
const sliding = spec('a')
const gcra = spec('b', { algorithm: { kind: 'gcra' }, points: 1_000_000, burst: 900_000 })
const month = spec('c', { algorithm: { kind: 'calendar', per: 'month', zone: 'Europe/Berlin' }, windowMs: 31 * 86_400_000 })
const keys = Array.from({ length: 10_000 }, (_, i) => `8:client${i}`)
const on = (key: string, ...limits: readonly LimitSpec[]): readonly Descriptor[] => limits.map((limit) => ({ limit, key, cost: 1 }))
const say = (...cells: readonly string[]) => process.stdout.write(`${cells.map((cell, i) => (i === 0 ? cell.padEnd(46) : cell.padStart(14))).join('')}\n`)

function inMemory(): void {
  const counters = createMemoryCounters(clock)
  const lapOf = (limits: readonly LimitSpec[]) => {
    const asked = keys.slice(0, 1000).map((key) => on(key, ...limits))
    return () => {
      const begun = process.cpuUsage()
      for (let i = 0; i < calls; i++) void counters.take(asked[i % asked.length] ?? [])
      const { user, system } = process.cpuUsage(begun)
      return (user + system) / calls
    }
  }
  const numbers = new Map(keys.slice(0, 1000).map((key) => [key, { sum: 0 }]))
  const bare = () => {
    const begun = process.cpuUsage()
    const kept: unknown[] = []
    for (let i = 0; i < calls; i++) {
      const number = numbers.get(keys[i % 1000] ?? '') ?? { sum: 0 }
      number.sum += clock.ticks()
      kept[0] = { allowed: true, readings: [{ remaining: number.sum }] }
    }
    const { user, system } = process.cpuUsage(begun)
    return (user + system) / calls
  }
  const programs = [
    ['for scale: a clock, a map, an answer', bare],
    ['sliding', lapOf([sliding])],
    ['gcra', lapOf([gcra])],
    ['calendar', lapOf([month])],
    ['three at once', lapOf([sliding, gcra, month])],
  ] as const
  for (const [, lap] of programs) lap()
  const laps = Array.from({ length: rounds }, () => programs.map(([, lap]) => lap()))
  say('in memory, 1,000 keys', 'CPU µs', 'least', 'asked for')
  for (const [i, [name]] of programs.entries()) {
    const { median, min } = spreadOf(laps.map((one) => one[i] ?? Number.NaN))
    say(`  ${name}`, median.toFixed(2), min.toFixed(2), /^(three|for)/.test(name) ? '' : '≤ 0.50')
  }
}

function millionKeys(): void {
  const gc = globalThis.gc ?? (() => undefined)
  const counters = createMemoryCounters(clock)
  const weigh = () => {
    gc()
    const { rss, heapUsed } = process.memoryUsage()
    return [heapUsed / 2 ** 20, rss / 2 ** 20] as const
  }
  const [heap, rss] = weigh()
  for (let i = 0; i < 1_000_000; i++) void counters.take(on(`14:2001:db8::${i.toString(16)}/64`, sliding))
  const [heapAfter, rssAfter] = weigh()
  say('1,000,000 keys in memory, cap 100,000', 'heap MiB', 'RSS MiB')
  say('  before', heap.toFixed(1), rss.toFixed(1))
  say('  after', heapAfter.toFixed(1), rssAfter.toFixed(1))
  // Also keeps the table in use until here.
  void counters.take(on('last', sliding))
}

interface Lap {
  readonly perSecond: number
  readonly micros: number
}

/** So many at a time until all are done. */
async function lapOf(count: number, run: (i: number) => unknown): Promise<Lap> {
  const begun = process.cpuUsage()
  const at = performance.now()
  let next = 0
  const worker = async () => {
    while (next < count) await run(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  const { user, system } = process.cpuUsage(begun)
  return { perSecond: (count * 1000) / (performance.now() - at), micros: (user + system) / count }
}

async function withRedis(): Promise<void> {
  const server = await startRedis()
  const client = new Redis(server.url, { enableAutoPipelining: true })
  const meter = { count: () => undefined, observe: () => undefined, gauge: () => undefined }
  const counters: Counters & { close(): Promise<void>; ready(ms: number): Promise<boolean> } = createRedisCounters({ url: server.url, clock, meter })
  try {
    await counters.ready(5000)
    const peers = ['a', 'b', 'c'].map((keyPrefix) => new RateLimiterRedis({ storeClient: client, keyPrefix, points: 1_000_000, duration: 60 }))
    let without = 0
    const take = async (asked: readonly Descriptor[]) => {
      const { readings } = await counters.take(asked)
      if (readings.some(({ degraded }) => degraded)) without++
    }
    const keyOf = (i: number) => keys[i % keys.length] ?? ''
    const programs = [
      ['three limits: RateLimiterRedis.consume × 3', shared, '', (i: number) => Promise.all(peers.map((peer) => peer.consume(keyOf(i))))],
      ['three limits: one script', shared, '≥ 2 × p. s.', (i: number) => take(on(keyOf(i), sliding, gcra, month))],
      ['one limit: INCRBY alone', shared, '', (i: number) => client.incrby(keyOf(i), 1)],
      ['one limit: the script', shared, '≥ 0.83 × CPU', (i: number) => take(on(keyOf(i), gcra))],
      ['hot key: RateLimiterRedis.consume', hot, '', () => peers[0]?.consume('hot')],
      ['hot key: points in advance', hot, '≥ 10 × p. s.', () => take(on('hot', gcra))],
    ] as const
    let disturbed = 0
    // An answer without Redis costs nothing: a lap with one is done again when the breaker has closed.
    const sound = async (count: number, run: (i: number) => unknown): Promise<Lap> => {
      for (;;) {
        const before = without
        const lap = await lapOf(count, run)
        if (without === before) return lap
        if (++disturbed > 100) throw new Error('the machine is too busy: Redis does not answer in time')
        await setTimeout(1200)
      }
    }
    for (const [, count, , run] of programs) await sound(count, run)
    const laps: Lap[][] = programs.map(() => [])
    for (let round = 0; round < rounds; round++) for (const [i, [, count, , run]] of programs.entries()) laps[i]?.push(await sound(count, run))
    say(`one Redis, ${atOnce} at a time`, 'per second', 'CPU µs', 'least', '× per second', '× CPU', 'asked for')
    for (const [i, [name, , asked]] of programs.entries()) {
      const of = (which: keyof Lap, at = i) => (laps[at] ?? []).map((lap) => lap[which])
      const own = i % 2 === 1
      const more = spreadOf(own ? ratiosWithin(of('perSecond'), of('perSecond', i - 1)) : [1]).median
      const less = spreadOf(own ? ratiosWithin(of('micros', i - 1), of('micros')) : [1]).median
      const micros = spreadOf(of('micros'))
      say(`  ${name}`, spreadOf(of('perSecond')).median.toFixed(0), micros.median.toFixed(1), micros.min.toFixed(1), more.toFixed(2), less.toFixed(2), asked)
    }
    if (disturbed > 0) say(`  ${disturbed} laps were done again: the machine was too busy for Redis to answer in time`)
  } finally {
    await counters.close()
    client.disconnect()
    await server.close()
  }
}

process.stdout.write(`Node ${process.version}, ${rounds} rounds in turn, medians\n\n`)
inMemory()
millionKeys()
if (hasRedis()) await withRedis()
