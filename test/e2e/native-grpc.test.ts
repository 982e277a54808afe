import type { JsonValue } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Issuer } from '../../src/node/demo/issuer.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { type OddOrders, oddDetails, oddMessage, openOddOrders } from '../support/odd-orders.ts'
import { house, issuerSection, openIssuer, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { codecOf } from '../support/shop-messages.ts'
import { ways } from '../support/ways.ts'

const same = (bytes: Buffer) => bytes
const path = (rpc: string) => `/shop.v1.Orders/${rpc}`

interface Ended {
  readonly messages: readonly JsonValue[]
  readonly head: Metadata
  readonly code: number
  readonly details: string
  readonly trailers: Metadata
}

for (const way of ways) {
  describe.skipIf(!way.there)(`a native gRPC client, ${way.title}`, () => {
    const keep = untilTheEnd()
    let issuer: Issuer
    let orders: WatchedOrders
    let odd: OddOrders
    let gateway: Gateway
    let client: Client
    let oddClient: Client

    beforeAll(async () => {
      issuer = await openIssuer(keep)
      orders = await openOrders(keep)
      odd = await openOddOrders(keep)
      const clusters = await way.clusters(keep, { orders: { port: orders.port, protocol: 'grpc' }, odd: { port: odd.port, protocol: 'grpc' } })
      const shop = `sallyport: v1
${issuerSection(issuer)}${clusters}access:
  orders: { authenticate: { jwt: shop }, rules: [{ id: all, allow: { grpc: ["shop.v1.Orders/*"], scopes: [orders:all] } }] }
  odd: { rules: [{ id: all, allow: { anonymous: true } }] }
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: orders, timeout: 5s, to: orders }
  odd: { match: { grpc: shop.v1.Orders, hosts: [odd.example] }, access: odd, timeout: 5s, to: odd }
`
      gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': shop, 'shop.binpb': shopDescriptors })
      const address = `127.0.0.1:${gateway.port('public')}`
      client = new Client(address, credentials.createInsecure())
      oddClient = new Client(address, credentials.createInsecure(), { 'grpc.default_authority': 'odd.example' })
      keep(() => client.close())
      keep(() => oddClient.close())
    })

    const alice = async (more: Readonly<Record<string, string | Buffer>> = {}): Promise<Metadata> => {
      const metadata = new Metadata()
      metadata.set('authorization', `Bearer ${await issuer.mint('alice', { scope: 'orders:all' })}`)
      for (const [name, value] of Object.entries(more)) metadata.set(name, value)
      return metadata
    }
    /** Everything that a call brings, however it ends. */
    const collect = (call: ClientDuplexStream<Buffer, Buffer>, answer: string): Promise<Ended> =>
      new Promise((resolve) => {
        const messages: JsonValue[] = []
        let head = new Metadata()
        call.on('metadata', (metadata: Metadata) => {
          head = metadata
        })
        call.on('data', (bytes: Buffer) => messages.push(codecOf(answer).read(bytes)))
        call.on('error', () => {}) // the status says it
        call.on('status', ({ code, details, metadata }) => resolve({ messages, head, code, details, trailers: metadata }))
      })
    /** Calls with these messages; a unary call is a stream of one either way. */
    const call = (rpc: string, input: string, sent: readonly JsonValue[], output: string, metadata: Metadata, deadline = 5000): Promise<Ended> => {
      const stream = client.makeBidiStreamRequest(path(rpc), same, same, metadata, { deadline: Date.now() + deadline })
      for (const one of sent) stream.write(codecOf(input).write(one))
      stream.end()
      return collect(stream, output)
    }
    const seen = (before: number) => orders.call(before)

    it('makes a unary call, with metadata both ways', async () => {
      const before = orders.calls.length
      const ended = await call(
        'GetOrder',
        'GetOrderRequest',
        [{ id: '7' }],
        'Order',
        await alice({ 'x-tenant': 'red', 'x-blob-bin': Buffer.from([0, 1, 127]) }),
      )
      expect(ended).toMatchObject({ code: status.OK, messages: [{ id: '7', total: '4990', servedBy: 'orders' }] })
      expect(ended.head.get('x-served-by')).toEqual(['orders'])
      expect(ended.head.get('x-request-id')[0]).toMatch(/^[0-9a-f-]{36}$/)
      const { metadata, remainingMs } = await seen(before)
      expect([metadata['x-tenant'], metadata['x-blob-bin']]).toEqual(['red', '\u0000\u0001\u007f'])
      // A token is for the gateway.
      expect(metadata['authorization']).toBeUndefined()
      expect(metadata['traceparent']).toMatch(/^00-/)
      expect(remainingMs).toBeLessThanOrEqual(5001)
    })

    it('reads a server stream to its end', async () => {
      const ended = await call('WatchOrders', 'WatchOrdersRequest', [{ count: 5, intervalMs: 1 }], 'OrderEvent', await alice())
      expect(ended.code).toBe(status.OK)
      expect(ended.messages.map((event) => (event as { sequence: string }).sequence)).toEqual(['1', '2', '3', '4', '5'])
    })

    it('sends a client stream', async () => {
      const order = { tenant: 'red', items: [{ sku: 'b-1', quantity: 1, unitPrice: '5' }] }
      const ended = await call('ImportOrders', 'Order', [order, order, order], 'ImportOrdersResponse', await alice())
      expect(ended).toMatchObject({ code: status.OK, messages: [{ imported: 3 }] })
    })

    it('talks both ways, each answer before the next question', async () => {
      const stream = client.makeBidiStreamRequest(path('Chat'), same, same, await alice(), { deadline: Date.now() + 5000 })
      const ended = collect(stream, 'ChatMessage')
      for (const text of ['one', 'two', 'three']) {
        const heard = new Promise<JsonValue>((resolve) => void stream.once('data', (bytes: Buffer) => resolve(codecOf('ChatMessage').read(bytes))))
        stream.write(codecOf('ChatMessage').write({ from: 'us', text }))
        expect(await heard).toEqual({ from: 'orders', text: `you said: ${text}` })
      }
      stream.end()
      expect((await ended).code).toBe(status.OK)
    })

    it('is told the error of the service as the service said it: code, message, details, trailers', async () => {
      const failed = await new Promise<ServiceError>((resolve, reject) => {
        oddClient.makeUnaryRequest(path('CancelOrder'), same, same, codecOf('CancelOrderRequest').write({ id: '7' }), (error) =>
          error === null ? reject(new Error('no error')) : resolve(error),
        )
      })
      expect(failed).toMatchObject({ code: status.FAILED_PRECONDITION, details: oddMessage })
      expect(failed.metadata.get('x-why')).toEqual(['shipped already'])
      expect(failed.metadata.get('grpc-status-details-bin')).toEqual([oddDetails])
    })

    it('is refused in its own dialect', async () => {
      const nobody = await call('GetOrder', 'GetOrderRequest', [{ id: '7' }], 'Order', new Metadata())
      expect([nobody.code, nobody.messages]).toEqual([status.UNAUTHENTICATED, []])
      const metadata = new Metadata()
      metadata.set('authorization', `Bearer ${await issuer.mint('bob', { scope: 'profile' })}`)
      expect((await call('GetOrder', 'GetOrderRequest', [{ id: '7' }], 'Order', metadata)).code).toBe(status.PERMISSION_DENIED)
      const unknown = await call('NoSuchMethod', 'GetOrderRequest', [{}], 'Order', await alice())
      expect(unknown.code).toBe(status.UNIMPLEMENTED)
    })

    it('is not kept waiting past its deadline, and the service sees the call cancelled', async () => {
      const before = odd.calls.length
      const failed = await new Promise<ServiceError>((resolve, reject) => {
        const deadline = Date.now() + 300
        oddClient.makeUnaryRequest(path('GetOrder'), same, same, codecOf('GetOrderRequest').write({ id: '7' }), { deadline }, (error) =>
          error === null ? reject(new Error('no error')) : resolve(error),
        )
      })
      expect(failed.code).toBe(status.DEADLINE_EXCEEDED)
      const { remainingMs, cancelled } = await odd.call(before)
      expect(remainingMs).toBeGreaterThan(0)
      expect(remainingMs).toBeLessThanOrEqual(301)
      await cancelled
    })

    it('cancels, and the service sees it, 20 of 20', async () => {
      const metadata = await alice()
      for (let i = 0; i < 20; i++) {
        const before = orders.calls.length
        const stream = client.makeServerStreamRequest(path('WatchOrders'), same, same, codecOf('WatchOrdersRequest').write({ intervalMs: 10 }), metadata)
        stream.on('error', () => {}) // cancelled: that is what is wanted
        await new Promise((resolve) => void stream.once('data', resolve))
        stream.cancel()
        await (await seen(before)).cancelled
      }
      await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
    })
  })
}
