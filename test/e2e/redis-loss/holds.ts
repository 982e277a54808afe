import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { type Answer, http1 } from '../../support/clients.ts'
import { sallyport } from '../../support/command.ts'
import { type Gateway, openGateway } from '../../support/gateway.ts'
import { untilMet } from '../../support/instances.ts'
import type { Keep } from '../../support/keep.ts'
import { mostBy } from '../../support/printed-bounds.ts'
import { hasRedis, redisHint } from '../../support/redis.ts'
import { house, openHttp } from '../../support/shop.ts'
import { type StoreFault, storeFaults } from '../../support/store-faults.ts'

const installed = hasRedis()

const policies = (port: number) => `sallyport: v1
store: { redis: env:REDIS_URL }
limits:
  each: { rate: 12/1m, key: [header.x-who] }
  month: { quota: 12/month, key: [header.x-who] }
  login: { rate: 12/1m, key: [header.x-who], onStoreFailure: deny }
clusters:
  web: { address: "127.0.0.1:${port}" }
routes:
  web: { match: { path: /web }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [each], to: web }
  plan: { match: { path: /plan }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [month], to: web }
  login: { match: { path: /login }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [login], to: web }
`

/** Two gateways around a store, and the requests of one test. */
function openRun(gateways: readonly Gateway[], keep: Keep) {
  let next = 0
  const ask = (at: number, who: string, path: string): Promise<Answer> => http1(gateways[at]!.port('public'), { path, headers: [['x-who', who]] })
  const fresh = () => `fresh-${next++}`
  /** Asks at both gateways in turn; how many times it was let through. */
  const admitted = async (who: string, path: string, times: number, at: readonly number[] = [0, 1]): Promise<number> => {
    let count = 0
    for (let i = 0; i < times; i++) {
      const { status } = await ask(at[i % at.length]!, who, path)
      expect([200, 429]).toContain(status)
      if (status === 200) count++
    }
    return count
  }
  /** Waits until the store has answered both gateways, for keys on every node. A busy machine makes it late now and then, so each is asked until it is not. */
  const untilExact = async (): Promise<void> => {
    for (let i = 0; i < 16; i++) {
      await again(async () => expect((await ask(i % 2, fresh(), '/web')).headers['ratelimit']).not.toContain('sallyport-degraded'))
    }
  }
  /** Requests of others that go on whatever happens to the store: every status seen at either gateway. */
  const others = () => {
    const statuses = new Set<number>()
    const stop = new AbortController()
    const run = async (at: number) => {
      // At a pace that leaves the machine time for the loss itself.
      for (; !stop.signal.aborted; await pause(4)) statuses.add((await ask(at, `other-${at}`, '/web')).status)
    }
    const running = Promise.all([run(0), run(1)])
    const end = async () => {
      stop.abort()
      await running
      return statuses
    }
    keep(async () => void (await end()))
    return end
  }
  /** Each gateway answers by itself: it lets half of a limit pass, whatever the other does, and says so. */
  const refusesAlone = async (): Promise<void> => {
    // Each has half of the limit, whatever the other does.
    for (const path of ['/web', '/plan']) {
      for (const at of [0, 1]) expect([path, at, await admitted('alone', path, 10, [at])]).toEqual([path, at, 6])
    }
    for (const at of [0, 1]) {
      const { status, text, headers } = await ask(at, 'somebody', '/login')
      // A limit that must not be guessed says so; it is the only one that answers 5xx, because its policy says so.
      expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([503, 'limiter_unavailable'])
      expect(headers['retry-after']).toMatch(/^\d+$/)
      const metrics = await gateways[at]!.admin('/metrics')
      expect(metrics).toContain('sallyport_limit_store_degraded 1')
      expect(metrics).toMatch(/sallyport_limit_decisions_total\{limit="each",source="local"\} [1-9]/)
    }
  }
  return { refusesAlone, ask, fresh, admitted, untilExact, others }
}

const again = (holds: () => Promise<void>) => vi.waitFor(holds, { timeout: 20_000, interval: 50 })

/** What must hold whenever two gateways lose their store, for every way to lose one of that kind. Called at the top of a file. */
export function holdsWhenLost(kind: StoreFault['kind']): void {
  describe.skipIf(!installed)(`two gateways lose their store in the middle of a run${installed ? '' : ` (${redisHint})`}`, () => {
    it.for(storeFaults.filter((fault) => fault.kind === kind))(
      '$name ($about): no 5xx, limits still refuse, no more than check says, and exact again',
      { timeout: 90_000 },
      async (fault, { onTestFinished: keep }) => {
        const store = await fault.start()
        keep(() => store.close())
        const web = await openHttp(keep, (_, response) => response.end('web'))
        const open = () =>
          openGateway(keep, { 'house.yaml': house, 'web.yaml': policies(web) }, { variables: { REDIS_URL: store.url, SALLYPORT_STORE_PATIENCE: '20ms' } })
        const gateways = [await open(), await open()]
        const { refusesAlone, ask, fresh, admitted, untilExact, others } = openRun(gateways, keep)
        const checked = await sallyport(['check', '--json', '--env', 'dev', '--policies', gateways[0]!.policies.path], { REDIS_URL: store.url })
        const bounds = new Map((JSON.parse(checked.out) as { limits: { limit: string; bound: string }[] }).limits.map(({ limit, bound }) => [limit, bound]))
        await untilMet(store.url, 2)
        await untilExact()
        const going = others()

        const metered = ['/web', '/plan'].flatMap((path) => Array.from({ length: 4 }, (_, i) => ({ path, who: `metered-${i}`, got: 0 })))
        const meter = async (times: number) => {
          for (const one of metered) one.got += await admitted(one.who, one.path, times)
        }
        await meter(4)

        await store.lose()
        if (fault.lost === 'all') await refusesAlone()
        await meter(14)

        await store.heal()
        await untilExact()
        await meter(28)
        // On a busy machine any answer of the store may be late, which is a loss of its own.
        const asked = { instances: 2, lost: true, forgets: fault.forgets }
        for (const { path, who, got } of metered) {
          expect(got).toBeGreaterThanOrEqual(12)
          const most = mostBy(bounds.get(path === '/web' ? 'each' : 'month') ?? '', asked)
          if (got > most) throw new Error(`${who} of ${path} got ${got}, and check says ${most}`)
        }
        await again(async () => expect(await admitted(fresh(), '/web', 14)).toBe(12))
        await again(async () => expect((await ask(0, fresh(), '/login')).status).toBe(200))
        for (const gateway of gateways) await again(async () => expect(await gateway.admin('/metrics')).toContain('sallyport_limit_store_degraded 0'))

        for (const status of await going()) expect([200, 429]).toContain(status)
        for (const { journal } of gateways) {
          const refused = journal.filter((entry) => entry['kind'] === 'request' && Number(entry['status']) >= 500)
          expect(refused.every((entry) => entry['route'] === 'login')).toBe(true)
        }
      },
    )
  })
}
