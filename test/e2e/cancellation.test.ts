import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { ways } from '../support/ways.ts'

const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'

/** Asks over a connection of its own. Resolves with a way to go away, once `ready` says that the request is where it has to be. */
type Leave = (port: number, path: string, answered: boolean) => Promise<() => void>

const overHttp1: Leave = async (port, path, answered) => {
  const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nhost: a.example\r\n\r\n`))
  socket.on('error', () => {})
  if (answered) await once(socket, 'data')
  return () => void socket.destroy()
}

const overHttp2: Leave = async (port, path, answered) => {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  const stream = session.request({ ':path': path })
  session.on('error', () => {})
  stream.on('error', () => {})
  if (answered) await once(stream, 'data')
  return () => {
    stream.close()
    stream.on('close', () => session.close())
  }
}

const downstreams: readonly (readonly [name: string, leave: Leave])[] = [
  ['HTTP/1.1', overHttp1],
  ['h2c', overHttp2],
]

for (const way of ways) {
  describe.skipIf(!way.there)(`a downstream that goes away, ${way.title}`, () => {
    const keep = untilTheEnd()
    let orders: WatchedOrders
    let gateway: Gateway
    /** Requests at the HTTP service, each with how it ended. */
    const held: { readonly gone: Promise<void> }[] = []

    beforeAll(async () => {
      orders = await openOrders(keep)
      // Answers begin and never end, or never begin.
      const http = await openHttp(keep, (request, response) => {
        held.push({ gone: new Promise((resolve) => void response.once('close', resolve)) })
        if (request.url === '/held/begun') response.write('begun')
      })
      const clusters = await way.clusters(keep, { orders: { port: orders.port, protocol: 'grpc' }, held: { port: http, protocol: 'http' } })
      const routes = `routes:
  orders: { match: { grpc: shop.v1.Orders }, ${anyone}, timeout: 20s, to: orders }
  held: { match: { path: "/held/{**}" }, ${anyone}, timeout: 20s, to: held }
`
      gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': `sallyport: v1\n${clusters}${routes}`, 'shop.binpb': shopDescriptors })
    })

    const slowestMs = async (times: number, once: (at: number) => Promise<void>): Promise<number> => {
      let slowest = 0
      for (let at = 0; at < times; at++) {
        const started = performance.now()
        await once(at)
        slowest = Math.max(slowest, performance.now() - started)
      }
      return slowest
    }
    const idle = async () => {
      await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
    }

    it.each(downstreams)('cancels the gRPC call at the service, 20 of 20, over %s', async (_name, leave) => {
      const slowest = await slowestMs(20, async () => {
        const before = orders.calls.length
        const go = await leave(gateway.port('public'), '/v1/orders:watch?interval_ms=20', true)
        const call = await orders.call(before)
        go()
        await call.cancelled
      })
      expect(slowest).toBeLessThan(2000)
      await idle()
    })

    it.each(downstreams)('ends the HTTP request at the service, begun or not, 20 of 20, over %s', async (_name, leave) => {
      const slowest = await slowestMs(20, async (at) => {
        const before = held.length
        const begun = at % 2 === 0
        const go = await leave(gateway.port('public'), begun ? '/held/begun' : '/held/silent', begun)
        await expect.poll(() => held.length, { timeout: 5000, interval: 1 }).toBe(before + 1)
        go()
        await held[before]?.gone
      })
      expect(slowest).toBeLessThan(2000)
      await idle()
    })

    it('leaves a record of each that says so', async () => {
      await idle()
      const records = gateway.journal.filter((entry) => entry['kind'] === 'request')
      expect(records).toHaveLength(80)
      expect(new Set(records.map((record) => record['ending']))).toEqual(new Set(['given_up']))
      expect(await gateway.admin('/metrics')).toContain('sallyport_upstream_active_requests{cluster="orders"} 0')
    })
  })
}
