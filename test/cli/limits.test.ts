import { Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Counters, Descriptor } from '../../src/core/ports.ts'
import { buildAdminApp, startAdmin } from '../../src/node/admin.ts'
import { limitsReset } from '../../src/node/cli/commands/limits-reset.ts'
import { limitsShow } from '../../src/node/cli/commands/limits-show.ts'
import type { GatewayView } from '../../src/node/gateway-view.ts'
import { createRedisCounters } from '../../src/node/redis-counters.ts'
import { fakeClock } from '../support/clock.ts'
import { fakeLimitRoutes } from '../support/limit-routes.ts'
import { base, loadBeside } from '../support/load.ts'
import { noSwitches } from '../support/no-switches.ts'
import { memoryMeter } from '../support/ports.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { openHttp } from '../support/shop.ts'
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
    const counters = createRedisCounters({ patienceMs: 2000, space: 'dev', url: server.url, clock, meter: memoryMeter() })
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
    expect(record).toMatchObject({ ...facts, found: true, remaining_before: 0, remaining: 3 })
    expect(Math.abs(Date.parse(record.time) - Date.now())).toBeLessThan(60_000)
    expect(JSON.parse((await ask(limitsReset, ...args)).out)).toMatchObject({ ...facts, found: false, remaining_before: 3 })
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

describe('sallyport limits of a gateway', () => {
  /** A gateway's admin listener over counters in memory. Its policies are the house's. */
  async function gateway() {
    const { policy } = await loadBeside(policies.replace('sallyport: v1\n', ''))
    if (policy === undefined) throw new Error('the policies are wrong')
    const limits = fakeLimitRoutes()
    const view = () => ({ snapshot: { revision: policy.revision, policy } }) as unknown as GatewayView // what these routes look at
    const admin = await startAdmin({ host: '127.0.0.1', port: 0 }, (options) =>
      buildAdminApp(view, () => '', { ...options, forgetIntrospections: async () => {}, rearmGuard: async () => false, switches: noSwitches, limits }),
    )
    onTestFinished(() => admin.close())
    return { ...limits, url: `http://127.0.0.1:${admin.port}`, port: admin.port }
  }

  it('are those of the admin listener that is named, without any policies here', async () => {
    const { book, records, url } = await gateway()
    for (let i = 0; i < 4; i++) await book.take([caller])
    const shown = await askCommand(limitsShow, 'issuer=main', 'subject=u1', '--limit', 'per-caller', '--admin', url)
    expect(shown).toMatchObject({
      status: 0,
      err: '',
      out: expect.stringMatching(/^per-caller {2}issuer=main subject=u1 {2}0 of 3 left {2}over {2}one more in \d+ s\n$/),
    })
    await expect(askCommand(limitsReset, 'issuer=main subject=u1', '--admin', url)).rejects.toThrow('say which: --limit per-caller|plan')
    const reset = await askCommand(
      limitsReset,
      'issuer=main subject=u1',
      '--limit',
      'per-caller',
      '--by',
      'ada',
      '--reason',
      'load test',
      '--admin',
      url,
      '--json',
    )
    expect(reset.status).toBe(0)
    expect(JSON.parse(reset.out)).toEqual({ ...records[0] })
    expect(records).toMatchObject([{ by: 'ada', reason: 'load test', peer: '127.0.0.1', remaining_before: 0, remaining: 3, found: true }])
    const again = await askCommand(limitsReset, 'issuer=main subject=u1', '--limit', 'per-caller', '--by', 'ada', '--admin', url)
    expect(again.out).toMatch(/^\S+ limit_reset by ada: per-caller of issuer=main subject=u1, 3 before, 3 of 3 left; nothing was counted\nAnother gateway/)
  })

  it('are asked for where the policies have their admin listener, when there is no Redis', async () => {
    const { book, port } = await gateway()
    await book.take([caller])
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const { path } = await tempFolder({
        'base.yaml': base.replace('egress: {', `admin: { address: "${host}:${port}" }\n  egress: {`),
        'orders.yaml': policies,
      })
      const shown = await askCommand(limitsShow, 'issuer=main subject=u1', '--limit', 'per-caller', '--env', 'dev', '--policies', path, '--json')
      expect(JSON.parse(shown.out)).toMatchObject({ limits: [{ remaining: 2 }] })
    }
    const { path } = await tempFolder({ 'base.yaml': base.replace('egress: {', 'admin: { address: 127.0.0.1:0 }\n  egress: {'), 'orders.yaml': policies })
    await expect(askCommand(limitsShow, 'issuer=main subject=u1', '--env', 'dev', '--policies', path)).rejects.toThrow('name it with --admin URL')
  })

  it('are refused as the gateway says, and fail when nobody answers', async () => {
    const { url, book } = await gateway()
    await expect(askCommand(limitsShow, 'issuer=other subject=u1', '--admin', url)).rejects.toThrow('there is no issuer "other": main')
    book.look = () => Promise.reject(new Error('the store sleeps'))
    expect(await askCommand(limitsShow, 'client.network=::1', '--admin', url)).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringContaining('the store sleeps'),
    })
    const stranger = await openHttp(onTestFinished, (_, response) => response.end('hello'))
    const nobody = await askCommand(limitsShow, 'client.network=::1', '--admin', `http://127.0.0.1:${stranger}`)
    expect(nobody).toMatchObject({ status: 1, err: expect.stringContaining('this is no admin listener of Sallyport') })
    const gone = await startAdmin({ host: '127.0.0.1', port: 0 }, () => new Hono())
    await gone.close()
    const closed = await askCommand(limitsShow, 'client.network=::1', '--admin', `http://127.0.0.1:${gone.port}`)
    expect(closed).toMatchObject({ status: 1, err: expect.stringMatching(/^no gateway answers at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/) })
  })

  it.each([
    [['--admin', 'localhost:9901'], '--admin is where an admin listener is'],
    [['--admin', 'http://127.0.0.1:9901/limits'], '--admin is where an admin listener is'],
    [['--admin', 'http://127.0.0.1:9901', '--redis', 'redis://127.0.0.1'], 'leave out --redis'],
    [['--admin', 'http://127.0.0.1:9901', '--env', 'dev'], 'leave out --env'],
  ])('with %j are refused', async (words, message) => {
    await expect(askCommand(limitsShow, 'client.network=::1', ...words)).rejects.toThrow(message)
  })
})

it.each([
  [[], 'say which key'],
  [['subject=u1'], 'per-caller (issuer=… subject=…), plan (issuer=… subject=…), flood (client.network=…), open (route=…)'],
  [['issuer=main subject=u1', '--limit', 'perr'], 'no limit "perr"'],
  [['issuer=other subject=u1'], 'no issuer "other": main'],
  [['route=nowhere'], 'no route "nowhere": orders'],
  [['route=?'], 'missing: skip'],
  [['client.network=10.0.0.0/8'], '/32'],
  [['issuer=main subject=u1'], 'counted in the memory of the gateway, and the policies have no admin listener'],
])('sallyport limits show %j is refused', async (words, message) => {
  const ask = await house()
  await expect(ask(limitsShow, ...words)).rejects.toThrow(message)
})
