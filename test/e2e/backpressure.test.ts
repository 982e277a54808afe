import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { http1 } from '../support/clients.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { ways } from '../support/ways.ts'

const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const noteBytes = 64 * 1024
const chunk = Buffer.alloc(noteBytes, 'x')

/** A downstream that reads nothing until told: an answer that has begun. */
interface Reader {
  readOn(): void
  readonly bytes: () => number
  close(): void
}

const downstreams: readonly (readonly [name: string, open: (port: number, path: string) => Promise<Reader>])[] = [
  [
    'HTTP/1.1',
    async (port, path) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(`GET ${path} HTTP/1.1\r\nhost: a.example\r\n\r\n`))
      await once(socket, 'readable')
      return { readOn: () => socket.resume(), bytes: () => socket.bytesRead, close: () => void socket.destroy() }
    },
  ],
  [
    'h2c',
    async (port, path) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`)
      const stream = session.request({ ':path': path })
      await once(stream, 'response')
      return { readOn: () => stream.resume(), bytes: () => session.socket.bytesRead, close: () => session.destroy() }
    },
  ],
]

for (const way of ways) {
  describe.skipIf(!way.there)(`a downstream that does not read, ${way.title}`, () => {
    const keep = untilTheEnd()
    let orders: WatchedOrders
    let gateway: Gateway
    /** Bytes that the HTTP service has handed to its transport. */
    let poured = 0

    beforeAll(async () => {
      orders = await openOrders(keep)
      const http = await openHttp(keep, (_, response) => {
        const pour = () => {
          while (!response.destroyed) {
            poured += chunk.length
            if (!response.write(chunk)) {
              response.once('drain', pour)
              return
            }
          }
        }
        pour()
      })
      const clusters = await way.clusters(keep, { orders: { port: orders.port, protocol: 'grpc' }, pour: { port: http, protocol: 'http' } })
      const routes = `routes:
  orders: { match: { grpc: shop.v1.Orders }, ${anyone}, timeout: 20s, to: orders }
  pour: { match: { path: /pour }, ${anyone}, timeout: 20s, to: pour }
`
      gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': `sallyport: v1\n${clusters}${routes}`, 'shop.binpb': shopDescriptors })
      // Every event carries order 7: large events fill what buffers there are in little time.
      const body = JSON.stringify({ note: 'x'.repeat(noteBytes) })
      const patched = await http1(gateway.port('public'), { method: 'PATCH', path: '/v1/orders/7', body, headers: [['content-type', 'application/json']] })
      if (patched.status !== 200) throw new Error(patched.text)
    })

    /** The figure once it has stood still over many looks. */
    const stillAt = async (figure: () => number): Promise<number> => {
      let last = -1
      let same = 0
      await vi.waitFor(
        () => {
          const now = figure()
          same = now === last ? same + 1 : 0
          last = now
          if (same < 15) throw new Error(`still moving: ${now}`)
        },
        { timeout: 10_000, interval: 20 },
      )
      return last
    }

    // Beyond the gateway nothing depends on the downstream's protocol: one of them is enough there.
    const spoken = downstreams.slice(way === ways[0] ? 0 : 1)

    it.each(spoken)('slows the stream of the service, which goes on when it reads on, over %s', async (_name, open) => {
      const before = orders.calls.length
      const reader = await open(gateway.port('public'), '/v1/orders:watch')
      const call = await orders.call(before)
      const stopped = await stillAt(call.written)
      // Kernel and transport buffers on the way; a gateway that pulls on regardless would never stand still.
      expect(stopped * noteBytes).toBeLessThan(48 * 1024 * 1024)
      reader.readOn()
      await expect.poll(call.written, { timeout: 5000, interval: 5 }).toBeGreaterThan(stopped + 50)
      reader.close()
      await call.cancelled
    })

    it.each(spoken)('slows the body of the service, which goes on when it reads on, over %s', async (_name, open) => {
      poured = 0
      const reader = await open(gateway.port('public'), '/pour')
      const stopped = await stillAt(() => poured)
      expect(stopped).toBeLessThan(48 * 1024 * 1024)
      reader.readOn()
      await expect.poll(() => poured, { timeout: 5000, interval: 5 }).toBeGreaterThan(stopped + 50 * noteBytes)
      expect(reader.bytes()).toBeGreaterThan(0)
      reader.close()
      await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
    })
  })
}
