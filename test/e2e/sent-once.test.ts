import { once } from 'node:events'
import { constants, createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { Agent, request } from 'undici'
import { expect, test } from 'vitest'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp, shopDescriptors } from '../support/shop.ts'

const keep = untilTheEnd()

/** How a service loses a request that has reached it. `good` does not. */
type Loss = 'good' | 'resets' | 'closes' | 'cuts headers' | 'says 503' | 'says 408 and closes'

/** A service that counts what has reached it whole, by the request's own name (the last segment of its path). */
interface Counting {
  readonly port: number
  readonly seen: ReadonlyMap<string, number>
  loss: Loss
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  keep(() => void server.close())
  return (server.address() as AddressInfo).port
}

function note(seen: Map<string, number>, path: string): void {
  const name = path.split('/').at(-1) ?? ''
  seen.set(name, (seen.get(name) ?? 0) + 1)
}

/** HTTP/1.1 in plain bytes: what Node's own server would mend or refuse is ours to decide. */
async function rawService(): Promise<Counting> {
  const seen = new Map<string, number>()
  const service = { port: 0, seen, loss: 'good' as Loss }
  const answer = (socket: Socket) => {
    if (service.loss === 'resets') socket.resetAndDestroy()
    else if (service.loss === 'closes') socket.destroy()
    else if (service.loss === 'cuts headers') socket.write('HTTP/1.1 200 OK\r\ncontent-le', () => socket.resetAndDestroy())
    else if (service.loss === 'says 503') socket.write('HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n')
    else if (service.loss === 'says 408 and closes') socket.end('HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  }
  const server = createTcp((socket) => {
    socket.on('error', () => {})
    keep(() => void socket.destroy())
    let text = ''
    socket.on('data', (part) => {
      text += part.toString('latin1')
      for (;;) {
        const end = text.indexOf('\r\n\r\n')
        const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0)
        if (end < 0 || text.length < end + 4 + length) return
        note(seen, text.split(' ')[1] ?? '')
        text = text.slice(end + 4 + length)
        answer(socket)
      }
    })
  })
  service.port = await listen(server)
  return service
}

/** `refuses`: says that it did nothing. `goes away`: after it took the request. `goes away before`: before it. */
type H2Loss = 'good' | 'refuses' | 'cancels' | 'fails' | 'goes away' | 'goes away before' | 'drops the connection'

/** An HTTP/2 server whose connections end with the test file. */
function openHttp2() {
  const server = createHttp2()
  server.on('session', (session) => {
    session.on('error', () => {})
    keep(() => session.destroy())
  })
  return server
}

async function h2Service() {
  const seen = new Map<string, number>()
  const service = { port: 0, seen, loss: 'good' as H2Loss }
  const server = openHttp2()
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {})
    const { loss } = service
    if (loss === 'refuses') return stream.close(constants.NGHTTP2_REFUSED_STREAM)
    // There is nothing before the first stream of a connection.
    if (loss === 'goes away before' && stream.id !== undefined && stream.id > 1) return stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id - 2)
    stream.resume()
    stream.on('end', () => {
      note(seen, `${headers[':path']}`)
      if (loss === 'good' || loss === 'goes away before') {
        stream.respond({ ':status': 200 })
        stream.end('ok')
      } else if (loss === 'cancels') stream.close(constants.NGHTTP2_CANCEL)
      else if (loss === 'fails') stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      else if (loss === 'goes away') {
        stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id ?? 0)
        stream.session?.destroy()
      } else stream.session?.socket.destroy()
    })
  })
  service.port = await listen(server)
  return service
}

const policy = (ports: readonly number[], protocol: string) => `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: "127.0.0.1:0" } }
clusters:
  web:
    protocol: ${protocol}
    endpoints: { static: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}] }
    outlier: off
routes:
  web:
    match: { path: "/{**}" }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    timeout: 5s
    retry: { attempts: 3, on: [connect, reset, unavailable, deadline, 408, 502, 504], budget: 100% }
    to: web
`

async function gatewayTo(ports: readonly number[], protocol: string) {
  const gateway = await openGateway(keep, { 'a.yaml': policy(ports, protocol) })
  const agent = new Agent({ connections: 4 })
  keep(() => agent.destroy())
  return async (method: 'GET' | 'POST' | 'PUT', name: string, body: string | null = null) => {
    const answer = await request(`http://127.0.0.1:${gateway.port('public')}/x/${name}`, { dispatcher: agent, method, body })
    await answer.body.dump()
    return answer.statusCode
  }
}

/** The most that any one request whose name begins so has reached the services. */
function most(services: readonly { readonly seen: ReadonlyMap<string, number> }[], prefix: string): number {
  const sums = new Map<string, number>()
  for (const { seen } of services) for (const [name, count] of seen) sums.set(name, (sums.get(name) ?? 0) + count)
  return Math.max(0, ...Array.from(sums, ([name, count]) => (name.startsWith(prefix) ? count : 0)))
}

test('over HTTP/1.1 a request that may not be repeated reaches the services at most once, however they lose it', { timeout: 60_000 }, async () => {
  const services = [await rawService(), await rawService()] as const
  const ask = await gatewayTo(
    services.map(({ port }) => port),
    'http',
  )
  for (const loss of ['resets', 'closes', 'cuts headers', 'says 503', 'says 408 and closes'] as const) {
    const prefix = loss.replaceAll(' ', '-')
    // Connections are kept and idle before: the one that dies may be an old one.
    for (const service of services) service.loss = 'good'
    for (let i = 0; i < 4; i += 1) expect(await ask('POST', `warm-${prefix}-${i}`, 'x')).toBe(200)
    services[0].loss = loss
    const posts = await Promise.all(Array.from({ length: 20 }, (_, i) => ask('POST', `${prefix}-post-${i}`, 'body')))
    const bare = await Promise.all(Array.from({ length: 20 }, (_, i) => ask('POST', `${prefix}-bare-${i}`)))
    expect(most(services, `${prefix}-post`)).toBe(1)
    expect(most(services, `${prefix}-bare`)).toBe(1)
    // Some of them did meet the loss.
    expect([...posts, ...bare].some((status) => status !== 200)).toBe(true)
    // The same loss costs no GET.
    expect(new Set(await Promise.all(Array.from({ length: 20 }, (_, i) => ask('GET', `${prefix}-get-${i}`))))).toEqual(new Set([200]))
  }
})

test('an endpoint that is not there costs nothing, and what was never sent is sent once', { timeout: 60_000 }, async () => {
  const there = await rawService()
  const gone = createTcp()
  const port = await listen(gone)
  await new Promise((resolve) => gone.close(resolve))
  const ask = await gatewayTo([port, there.port], 'http')
  const statuses = await Promise.all(Array.from({ length: 40 }, (_, i) => ask('POST', `post-${i}`, 'body')))
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect([there.seen.size, most([there], 'post')]).toEqual([40, 1])
})

test('over HTTP/2 a request that may not be repeated reaches the services at most once, whatever becomes of stream and connection', {
  timeout: 60_000,
}, async () => {
  const services = [await h2Service(), await h2Service()] as const
  const ask = await gatewayTo(
    services.map(({ port }) => port),
    'h2',
  )
  for (const loss of ['refuses', 'goes away before', 'cancels', 'fails', 'goes away', 'drops the connection'] as const) {
    const prefix = loss.replaceAll(' ', '-')
    for (const service of services) service.loss = 'good'
    for (let i = 0; i < 4; i += 1) expect(await ask('POST', `warm-${prefix}-${i}`, 'x')).toBe(200)
    services[0].loss = loss
    const statuses: number[] = []
    for (let i = 0; i < 10; i += 1) statuses.push(await ask('POST', `${prefix}-post-${i}`, 'body'))
    expect(most(services, `${prefix}-post`)).toBe(1)
    // What the service says it did not begin is sent again.
    const untouched = loss === 'refuses' || loss === 'goes away before'
    expect(statuses.every((status) => status === 200)).toBe(untouched)
    for (let i = 0; i < 10; i += 1) expect(await ask('GET', `${prefix}-get-${i}`)).toBe(200)
  }
})

/** What a gRPC service does with a call that it has read. */
type GrpcLoss = 'good' | 'ends with UNAVAILABLE' | 'resets' | 'drops the connection'

async function grpcService() {
  const seen = new Map<string, number>()
  const service = { port: 0, seen, loss: 'good' as GrpcLoss }
  const server = openHttp2()
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {})
    stream.resume()
    stream.on('end', () => {
      note(seen, String(headers['x-name']))
      const { loss } = service
      if (loss === 'resets') return stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      if (loss === 'drops the connection') return stream.session?.socket.destroy()
      const good = loss === 'good'
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': good ? '0' : '14' }))
      stream.end(good ? Buffer.alloc(5) : undefined)
    })
  })
  service.port = await listen(server)
  return service
}

test('an RPC that nobody declares safe reaches the services at most once; one that the policy names is repeated', { timeout: 60_000 }, async () => {
  const services = [await grpcService(), await grpcService()] as const
  const orders = `clusters:
  orders:
    protocol: grpc
    endpoints: { static: [${services.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')}] }
    descriptors: shop.binpb
    outlier: off
routes:
  orders:
    match: { grpc: shop.v1.Orders }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    timeout: 5s
    retry: { attempts: 3, budget: 100%, rpcs: [GetOrder] }
    to: orders
`
  const gateway = await openGateway(keep, { 'house.yaml': house, 'orders.yaml': `sallyport: v1\n${orders}`, 'shop.binpb': shopDescriptors })
  const client = new Client(`127.0.0.1:${gateway.port('public')}`, credentials.createInsecure())
  keep(() => client.close())
  const same = (bytes: Buffer) => bytes
  const ask = (rpc: string, name: string) =>
    new Promise<number>((resolve) => {
      const metadata = new Metadata()
      metadata.set('x-name', name)
      client.makeUnaryRequest(`/shop.v1.Orders/${rpc}`, same, same, Buffer.alloc(0), metadata, (error) => resolve(error?.code ?? 0))
    })
  for (const loss of ['ends with UNAVAILABLE', 'resets', 'drops the connection'] as const) {
    const prefix = loss.replaceAll(' ', '-')
    services[0].loss = 'good'
    for (let i = 0; i < 4; i += 1) expect(await ask('CreateOrder', `warm-${prefix}-${i}`)).toBe(0)
    services[0].loss = loss
    const codes: number[] = []
    for (let i = 0; i < 10; i += 1) codes.push(await ask('CreateOrder', `${prefix}-create-${i}`))
    expect(most(services, `${prefix}-create`)).toBe(1)
    expect(codes).toContain(14)
    for (let i = 0; i < 10; i += 1) expect(await ask('GetOrder', `${prefix}-get-${i}`)).toBe(0)
  }
})

test('retries stay within their share of what is under way, as the services count them', { timeout: 60_000 }, async () => {
  const seen = new Map<string, number>()
  let again = 0
  let atOnce = 0
  const held: (() => void)[] = []
  const asked = { first: 0 }
  const services = await Promise.all(
    Array.from({ length: 2 }, () =>
      openHttp(keep, (incoming, answer) => {
        note(seen, incoming.url ?? '')
        const refuse = () => void answer.writeHead(503).end()
        if (seen.get(incoming.url?.split('/').at(-1) ?? '') === 1) {
          // All of them are under way when the first is answered.
          asked.first += 1
          held.push(refuse)
          if (asked.first === 40) for (const one of held.splice(0)) one()
          return
        }
        again += 1
        atOnce = Math.max(atOnce, again)
        setTimeout(() => {
          again -= 1
          refuse()
        }, 300)
      }),
    ),
  )
  const gateway = await openGateway(keep, { 'a.yaml': policy(services, 'http').replace('budget: 100%', 'budget: 20%') })
  const agent = new Agent({ connections: 40 })
  keep(() => agent.destroy())
  const ask = async (name: string) => {
    const answer = await request(`http://127.0.0.1:${gateway.port('public')}/x/${name}`, { dispatcher: agent })
    await answer.body.dump()
  }
  await Promise.all(Array.from({ length: 40 }, (_, i) => ask(`budget-${i}`)))
  expect(atOnce).toBeGreaterThanOrEqual(3)
  expect(atOnce).toBeLessThanOrEqual(8)
})
