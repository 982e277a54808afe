import { describe, expect, it, onTestFinished } from 'vitest'
import type { Counters, Descriptor } from '../../src/core/ports.ts'
import { limitsReset } from '../../src/node/cli/commands/limits-reset.ts'
import { limitsShow } from '../../src/node/cli/commands/limits-show.ts'
import { createRedisCounters } from '../../src/node/counters.ts'
import { fakeClock } from '../support/clock.ts'
import { base } from '../support/load.ts'
import { memoryMeter } from '../support/ports.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask as askCommand } from './ask.ts'

const policies = `sallyport: v1
issuers:
  main: { issuer: "https://idp.example.com", audiences: [api] }
clusters:
  orders: { address: "127.0.0.1:15001" }
access:
  orders: { authenticate: { jwt: main }, rules: [{ id: read, allow: { methods: [GET] } }] }
limits:
  per-caller: { rate: 3/1m, key: [issuer, subject] }
  plan: { quota: 100/month, key: [issuer, subject] }
  flood: { rate: 10/1m, algorithm: gcra, burst: 2, key: [client.network] }
  open: { concurrent: 2, key: [route], missing: skip }
routes:
  orders: { match: { path: "/orders/{**}" }, access: orders, to: orders, limits: [per-caller, plan, flood, open] }
`

async function house() {
  const { path } = await tempFolder({ 'base.yaml': base, 'orders.yaml': policies })
  return (command: typeof limitsShow, ...words: readonly string[]) => askCommand(command, ...words, '--env', 'dev', '--policies', path)
}

const caller: Descriptor = {
  limit: { name: 'per-caller', algorithm: { kind: 'sliding' }, points: 3, windowMs: 60_000, burst: 0, onStoreFailure: 'local' },
  key: '4:main2:u1',
  cost: 1,
}

describe.skipIf(!hasRedis())('sallyport limits', () => {
  it('shows what is left of every limit with such a key, and gives one back', async () => {
    const server = await startRedis()
    onTestFinished(() => server.close())
    const clock = fakeClock(Date.now())
    const counters = createRedisCounters({ patienceMs: 2000, url: server.url, clock, meter: memoryMeter() })
    onTestFinished(() => counters.close())
    await counters.ready(5000)
    const ask = await house()
    for (let i = 0; i < 4; i++) await (counters as Counters).take([caller])

    const shown = await ask(limitsShow, 'issuer=main', 'subject=u1', '--redis', server.url)
    expect(shown).toMatchObject({ status: 0, err: '' })
    expect(shown.out).toMatch(
      /^per-caller {2}issuer=main subject=u1 {2}0 of 3 left {6}over {4}one more in \d+ s\nplan {8}issuer=main subject=u1 {2}100 of 100 left {2}within/,
    )
    const { limits } = JSON.parse((await ask(limitsShow, 'issuer=main subject=u1', '--limit', 'per-caller', '--json', '--redis', server.url)).out)
    expect(limits).toMatchObject([{ limit: 'per-caller', key: 'issuer=main subject=u1', mode: 'enforce', quota: 3, remaining: 0, state: 'over' }])
    expect(limits[0].resetMs).toBeGreaterThan(50_000)

    await expect(ask(limitsReset, 'issuer=main subject=u1', '--redis', server.url)).rejects.toThrow('--limit per-caller|plan')
    const args = ['issuer=main subject=u1', '--limit', 'per-caller', '--by', 'ada', '--json', '--redis', server.url]
    const record = JSON.parse((await ask(limitsReset, ...args)).out)
    const facts = { event: 'limit_reset', by: 'ada', limit: 'per-caller', key: 'issuer=main subject=u1', quota: 3 }
    expect(record).toMatchObject({ ...facts, found: true, remainingBefore: 0, remaining: 3 })
    expect(Math.abs(Date.parse(record.time) - Date.now())).toBeLessThan(60_000)
    expect(JSON.parse((await ask(limitsReset, ...args)).out)).toMatchObject({ ...facts, found: false, remainingBefore: 3 })
    expect((await ask(limitsReset, 'client.network=192.0.2.7', '--redis', server.url)).out).toMatch(
      /limit_reset by .+@.+: flood of client.network=192.0.2.7\/32, 2 before/,
    )

    // The gateway that refused it lets it pass again once it asks.
    clock.advance(10_000)
    expect(await counters.take([caller])).toMatchObject({ allowed: true, readings: [{ remaining: 2 }] })
  }, 20_000)

  it('a refusal is believed for ten seconds at most, however long it was true', async () => {
    const server = await startRedis()
    onTestFinished(() => server.close())
    const clock = fakeClock(Date.now())
    const counters = createRedisCounters({ patienceMs: 2000, url: server.url, clock, meter: memoryMeter() })
    onTestFinished(() => counters.close())
    await counters.ready(5000)
    const month: Descriptor = { ...caller, limit: { ...caller.limit, name: 'long', points: 1, windowMs: 86_400_000 } }
    await counters.take([month])
    for (let i = 0; i < 20; i++) {
      expect((await counters.take([month])).allowed).toBe(false)
      clock.advance(60_000)
    }
    expect((await counters.take([month])).allowed).toBe(false)
    await server.admin.flushall()
    clock.advance(9_999)
    expect((await counters.take([month])).allowed).toBe(false)
    clock.advance(1)
    expect((await counters.take([month])).allowed).toBe(true)
  }, 20_000)

  it('fails when the store is away', async () => {
    const server = await startRedis()
    await server.close()
    const ask = await house()
    expect(await ask(limitsShow, 'client.network=::1', '--redis', server.url)).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringContaining('not connected'),
    })
  }, 20_000)
})

it.each([
  [[], 'say which key'],
  [['subject=u1'], 'per-caller (issuer=… subject=…), plan (issuer=… subject=…), flood (client.network=…), open (route=…)'],
  [['issuer=main subject=u1', '--limit', 'perr'], 'no limit "perr"'],
  [['issuer=other subject=u1'], 'no issuer "other": main'],
  [['route=nowhere'], 'no route "nowhere": orders'],
  [['route=?'], 'missing: skip'],
  [['client.network=10.0.0.0/8'], '/32'],
  [['issuer=main subject=u1'], 'counted in the memory of each gateway'],
])('sallyport limits show %j is refused', async (words, message) => {
  const ask = await house()
  await expect(ask(limitsShow, ...words)).rejects.toThrow(message)
})
