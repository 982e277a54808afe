import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Answer, http1 } from '../support/clients.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { hasRedis, type RedisServer, redisHint, startRedis } from '../support/redis.ts'
import { house, openHttp } from '../support/shop.ts'

const installed = hasRedis()

const policies = (port: number) => `sallyport: v1
limits:
  each: { rate: 5/1m, key: [header.x-who] }
  login: { rate: 5/1m, key: [header.x-who], onStoreFailure: deny }
clusters:
  web: { address: "127.0.0.1:${port}" }
routes:
  web: { match: { path: /web }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [each], to: web }
  login: { match: { path: /login }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [login], to: web }
`

describe.skipIf(!installed)(`the limit store is lost in the middle of a run${installed ? '' : ` (${redisHint})`}`, () => {
  let redis: RedisServer
  let gateway: Gateway
  let next = 0

  beforeEach(async () => {
    redis = await startRedis()
    const web = await openHttp(onTestFinished, (_, response) => response.end('web'))
    gateway = await openGateway(onTestFinished, { 'house.yaml': house, 'web.yaml': policies(web) }, { flags: { redis: redis.url } })
  })
  afterEach(() => redis.close())

  const ask = (who: string, path = '/web'): Promise<Answer> => http1(gateway.port('public'), { path, headers: [['x-who', who]] })
  const fresh = () => `fresh-${next++}`
  /** Asks eight times, as somebody nobody has counted yet. */
  const eightTimes = async (): Promise<readonly number[]> => {
    const who = fresh()
    const statuses: number[] = []
    for (let i = 0; i < 8; i++) statuses.push((await ask(who)).status)
    return statuses
  }
  /** Whether the record of one more request says that its limit was answered without the store. */
  const isDegraded = async (): Promise<boolean> => {
    const { headers } = await ask(fresh())
    const { limits } = await gateway.entry((entry) => entry['id'] === headers['x-request-id'])
    return (limits as readonly { readonly degraded: boolean }[]).some(({ degraded }) => degraded)
  }
  /** Requests of others that go on whatever happens to the store: every status, and the longest wait. */
  const others = () => {
    const seen = { statuses: new Set<number>(), slowestMs: 0, count: 0 }
    const stop = new AbortController()
    const run = async () => {
      while (!stop.signal.aborted) {
        const started = performance.now()
        const { status } = await ask(`other-${seen.count % 2}`)
        seen.statuses.add(status)
        seen.slowestMs = Math.max(seen.slowestMs, performance.now() - started)
        seen.count += 1
      }
    }
    const running = run()
    onTestFinished(async () => {
      stop.abort()
      await running
    })
    return {
      /** Ends it after its thirtieth request at the soonest. */
      stop: async () => {
        await expect.poll(() => seen.count, { timeout: 8000, interval: 5 }).toBeGreaterThan(30)
        stop.abort()
        await running
        return seen
      },
    }
  }
  const again = (holds: () => Promise<void>) => vi.waitFor(holds, { timeout: 8000, interval: 50 })
  const five = [200, 200, 200, 200, 200, 429, 429, 429]

  it.each([
    ['killed', () => redis.kill(), () => redis.restart()],
    ['frozen', async () => redis.freeze(), async () => redis.thaw()],
  ])('%s: no 5xx, limits still refuse, records say degraded, and it recovers', async (_how, lose, giveBack) => {
    await again(async () => expect(await eightTimes()).toEqual(five))
    await again(async () => expect(await isDegraded()).toBe(false))

    const going = others()
    await lose()
    expect(await eightTimes()).toEqual(five)
    await vi.waitFor(async () => expect(await isDegraded()).toBe(true), { timeout: 5000, interval: 20 })
    expect(await eightTimes()).toEqual(five)
    const metrics = await gateway.admin('/metrics')
    expect(metrics).toContain('sallyport_limit_store_degraded 1')
    expect(metrics).toMatch(/sallyport_limit_decisions_total\{limit="each",source="local"\} [1-9]/)

    // A limit that must not be guessed says so; it is the only one that answers 5xx, because its policy says so.
    const login = await ask('login', '/login')
    expect([login.status, (JSON.parse(login.text) as { code: string }).code]).toEqual([503, 'limiter_unavailable'])
    expect(login.headers['retry-after']).toMatch(/^\d+$/)

    await giveBack()
    // On a busy machine a single answer of the store may still be late, which is a loss of its own.
    await again(async () => expect(await isDegraded()).toBe(false))
    await again(async () => expect(await eightTimes()).toEqual(five))
    await again(async () => expect((await ask(fresh(), '/login')).status).toBe(200))
    expect(await gateway.admin('/metrics')).toContain('sallyport_limit_store_degraded 0')

    const seen = await going.stop()
    expect(seen.statuses).toEqual(new Set([200, 429]))
    expect(seen.slowestMs).toBeLessThan(1000)
    const refused = gateway.journal.filter((entry) => entry['kind'] === 'request' && Number(entry['status']) >= 500)
    expect(refused.every((entry) => entry['route'] === 'login')).toBe(true)
  })
})
