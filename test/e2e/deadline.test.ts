import { beforeAll, describe, expect, it } from 'vitest'
import { type Answer, clients } from '../support/clients.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { type OddOrders, openOddOrders } from '../support/odd-orders.ts'
import { house, openHttp, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { ways } from '../support/ways.ts'

const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const codeOf = (answer: Answer): unknown => (JSON.parse(answer.text) as { readonly code: unknown }).code

for (const way of ways) {
  describe.skipIf(!way.there)(`the deadline of a request, ${way.title}`, () => {
    const keep = untilTheEnd()
    let orders: WatchedOrders
    let odd: OddOrders
    let gateway: Gateway
    let gone: Promise<void> = Promise.resolve()

    beforeAll(async () => {
      orders = await openOrders(keep)
      odd = await openOddOrders(keep)
      const silent = await openHttp(keep, (_, response) => {
        gone = new Promise((resolve) => void response.once('close', resolve))
      })
      const clusters = await way.clusters(keep, {
        orders: { port: orders.port, protocol: 'grpc' },
        odd: { port: odd.port, protocol: 'grpc' },
        silent: { port: silent, protocol: 'http' },
      })
      const routes = `routes:
  orders: { match: { grpc: shop.v1.Orders }, ${anyone}, timeout: 3s, to: orders }
  brief: { match: { grpc: shop.v1.Orders, hosts: [brief.example] }, ${anyone}, timeout: 400ms, to: orders }
  odd: { match: { grpc: shop.v1.Orders, hosts: [odd.example] }, ${anyone}, timeout: 300ms, to: odd }
  silent: { match: { path: /silent }, ${anyone}, timeout: 300ms, to: silent }
`
      gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': `sallyport: v1\n${clusters}${routes}`, 'shop.binpb': shopDescriptors })
    })

    const idle = async () => {
      await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
    }

    // Beyond the gateway nothing depends on the downstream's protocol: one of them is enough there.
    describe.each(Object.entries(clients).slice(way === ways[0] ? 0 : 1))('over %s', (_name, client) => {
      const ask = (path: string, ...headers: readonly (readonly [string, string])[]) => client(gateway.port('public'), { path, headers })

      it.each([
        ['what the route allows', 3000, []],
        ['what the downstream states, when it is less', 1500, [['x-server-timeout', '1.5']]],
        ['what the route allows, when the downstream states more', 3000, [['x-server-timeout', '60']]],
        [
          'the least that is stated',
          900,
          [
            ['x-server-timeout', '2'],
            ['grpc-timeout', '900m'],
            ['connect-timeout-ms', '1800'],
          ],
        ],
      ] as const)('reaches the service as %s', async (_which, most, headers) => {
        const before = orders.calls.length
        expect((await ask('/v1/orders/7', ...headers)).status).toBe(200)
        const { remainingMs } = await orders.call(before)
        expect(remainingMs).toBeGreaterThan(most - 500)
        // The service reckons with whole milliseconds of its own wall clock.
        expect(remainingMs).toBeLessThanOrEqual(most + 1)
      })

      it.each([
        ['that the route allows', [], 300],
        ['that the downstream states', [['x-server-timeout', '0.15']], 150],
      ] as const)('ends a call in the time %s: 504, and the service sees it cancelled', async (_which, headers, least) => {
        const before = odd.calls.length
        const started = performance.now()
        const answer = await ask('/v1/orders/7', ['host', 'odd.example'], ...headers)
        const tookMs = performance.now() - started
        expect([answer.status, codeOf(answer)]).toEqual([504, 'deadline_exceeded'])
        expect(tookMs).toBeGreaterThanOrEqual(least - 2)
        expect(tookMs).toBeLessThan(least + 1500)
        const call = await odd.call(before)
        expect(call.remainingMs).toBeGreaterThan(0)
        expect(call.remainingMs).toBeLessThanOrEqual(least + 1)
        await call.cancelled
        await idle()
      })

      it('ends a plain request in time: 504, and the service sees it end', async () => {
        const answer = await ask('/silent')
        expect([answer.status, codeOf(answer)]).toEqual([504, 'deadline_exceeded'])
        await gone
        await idle()
      })

      it('does not end a stream that has begun when it is the route’s, and does when the downstream stated it', async () => {
        const long = await ask('/v1/orders:watch?count=10&interval_ms=80', ['host', 'brief.example'])
        expect(long.text.trimEnd().split('\n')).toHaveLength(10)

        const before = orders.calls.length
        const cut = await ask('/v1/orders:watch?interval_ms=20', ['x-server-timeout', '0.4'])
        const lines = cut.text.trimEnd().split('\n')
        expect(lines.length).toBeGreaterThan(3)
        expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ error: { code: 4 } })
        await (await orders.call(before)).cancelled
        await idle()
      })
    })
  })
}
