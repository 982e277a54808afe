import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Descriptor } from '../../src/core/ports.ts'
import { createClock } from '../../src/node/clock.ts'
import { createRedisCounters, type RedisCounters } from '../../src/node/redis-counters.ts'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { limitOf } from '../support/metering.ts'
import { memoryMeter } from '../support/ports.ts'
import { hasRedis, redisHint, startRedis } from '../support/redis.ts'
import { startCluster, startWatched } from '../support/redis-fleet.ts'

const installed = hasRedis()
const descriptor: Descriptor = { limit: limitOf('a', { points: 3, windowMs: 600_000 }), key: 'k', cost: 1 }

describe.skipIf(!installed)(`counters over TLS${installed ? '' : ` (${redisHint})`}`, () => {
  let certificates: Certificates
  const before = getCACertificates('default')

  beforeAll(async () => {
    certificates = await makeCertificates()
    // As NODE_EXTRA_CA_CERTS does for a process.
    setDefaultCACertificates([...before, certificates.ca])
  })
  afterAll(() => setDefaultCACertificates(before))

  const open = (url: string): RedisCounters => {
    const counters = createRedisCounters({ url, clock: createClock(), meter: memoryMeter(), patienceMs: 2000 })
    onTestFinished(() => counters.close())
    return counters
  }

  it.each([
    ['rediss', async (tls: Certificates) => await startRedis({ tls })],
    ['rediss+sentinel', async (tls: Certificates) => await startWatched({ tls })],
    ['rediss+cluster', async (tls: Certificates) => await startCluster({ tls })],
  ] as const)('%s: all instances count together', { timeout: 60_000 }, async (scheme, start) => {
    const store = await start(certificates)
    onTestFinished(() => store.close())
    expect(store.url.startsWith(`${scheme}://`)).toBe(true)
    const [one, two] = [open(store.url), open(store.url)]
    expect([await one.ready(10_000), await two.ready(10_000)]).toEqual([true, true])
    for (const counters of [one, two])
      await vi.waitFor(async () => expect((await counters.peek([descriptor])).readings).toMatchObject([{ remaining: 3, degraded: false }]), { timeout: 10_000 })
    const taken = []
    for (const counters of [one, two, one, two]) taken.push(await counters.take([descriptor]))
    expect(taken.map(({ allowed }) => allowed)).toEqual([true, true, true, false])
    expect(taken.every(({ readings }) => readings.every(({ degraded }) => !degraded))).toBe(true)
  })

  it('a server that nobody vouches for is no store', async () => {
    const store = await startRedis({ tls: certificates })
    onTestFinished(() => store.close())
    setDefaultCACertificates(before)
    onTestFinished(() => setDefaultCACertificates([...before, certificates.ca]))
    const counters = open(store.url)
    expect(await counters.ready(1000)).toBe(false)
    expect((await counters.take([descriptor])).readings).toMatchObject([{ degraded: true }])
  })
})
