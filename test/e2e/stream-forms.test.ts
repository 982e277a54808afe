import { request as requestHttp1 } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { type OddStreams, openOddStreams, watchAndFail, watchInSilence } from '../support/odd-streams.ts'
import { envelope, envelopes, unpadded } from '../support/raw.ts'
import { house, shopDescriptors } from '../support/shop.ts'
import { openSocket } from '../support/web-socket.ts'

/** What a stream brought, from its first byte to its end. */
interface Ended {
  readonly bytes: Buffer
  readonly trailers: Readonly<Record<string, unknown>>
  /** It ended well, as far as the transport goes. */
  readonly whole: boolean
}

/** A stream that is being watched. */
interface Watching {
  /** The first message is there. */
  readonly begun: Promise<unknown>
  readonly ended: Promise<Ended>
  leave(): void
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

type Transport = (port: number, asked: Asked) => Watching

const overHttp1: Transport = (port, { method, path, headers, body }) => {
  const seen = seeing()
  const request = requestHttp1({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
    let ended = false
    response.on('data', seen.data)
    response.on('end', () => {
      ended = true
    })
    response.on('error', () => {}) // its close says how it ended
    response.on('close', () => seen.end(response.trailers, ended))
  })
  request.on('error', () => {})
  request.end(body)
  return { ...seen.promises, leave: () => void request.destroy() }
}

const overHttp2: Transport = (port, { method, path, headers, body }) => {
  const seen = seeing()
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  const stream = session.request({ ':method': method, ':path': path, ...headers })
  let trailers: Readonly<Record<string, unknown>> = {}
  stream.on('trailers', (fields) => {
    trailers = fields
  })
  stream.on('data', seen.data)
  stream.on('error', () => {})
  stream.on('close', () => {
    seen.end(trailers, stream.rstCode === 0)
    session.close()
  })
  stream.end(body)
  return { ...seen.promises, leave: () => stream.close() }
}

function seeing() {
  const parts: Buffer[] = []
  const begun = Promise.withResolvers<void>()
  const over = Promise.withResolvers<Ended>()
  return {
    promises: { begun: begun.promise, ended: over.promise },
    data: (part: Buffer) => {
      parts.push(part)
      begun.resolve()
    },
    end: (trailers: Ended['trailers'], whole: boolean) => over.resolve({ bytes: Buffer.concat(parts), trailers, whole }),
  }
}

/** One way to watch orders, and how it shows that the service failed with FAILED_PRECONDITION after the first event. */
interface Form {
  readonly name: string
  readonly watch: (port: number, message: Buffer) => Watching
  readonly showsFailure: (ended: Ended) => void
}

const path = '/shop.v1.Orders/WatchOrders'
const textOf = ({ bytes }: Ended) => bytes.toString()

function json(name: string, transport: Transport, accept: string, showsFailure: Form['showsFailure']): Form {
  const watch: Form['watch'] = (port, message) => transport(port, { method: 'GET', path: `/v1/orders:watch?count=${message[1]}`, headers: { accept } })
  return { name, watch, showsFailure }
}

const event = '{"sequence":"1"}'
const status = '{"code":9,"message":"not now","details":[]}'
const showsLine: Form['showsFailure'] = (ended) => expect([textOf(ended), ended.whole]).toEqual([`${event}\n{"error":${status}}\n`, true])
const showsEvent: Form['showsFailure'] = (ended) => expect([textOf(ended), ended.whole]).toEqual([`data: ${event}\n\nevent: error\ndata: ${status}\n\n`, true])
const showsCut: Form['showsFailure'] = (ended) => expect([textOf(ended), ended.whole]).toEqual([`[${event}`, false])

function call(name: string, transport: Transport, type: string, showsFailure: Form['showsFailure'], isText = false): Form {
  const watch: Form['watch'] = (port, message) => {
    const frame = envelope(message)
    const headers = { 'content-type': type, te: 'trailers', 'connect-protocol-version': '1' }
    return transport(port, { method: 'POST', path, headers, body: isText ? Buffer.from(frame.toString('base64')) : frame })
  }
  return { name, watch, showsFailure }
}

const showsTrailerFrame =
  (isText: boolean): Form['showsFailure'] =>
  ({ bytes, whole }) => {
    const frames = envelopes(isText ? unpadded(bytes.toString('latin1')) : bytes)
    expect([frames.map(({ flags }) => flags), whole]).toEqual([[0, 0x80], true])
    expect(frames[1]?.payload.toString()).toMatch(/^grpc-status: 9\r\n[\s\S]*grpc-message: not now\r\n/)
  }
const showsEndFrame: Form['showsFailure'] = ({ bytes, whole }) => {
  const frames = envelopes(bytes)
  expect([frames.map(({ flags }) => flags), whole]).toEqual([[0, 2], true])
  expect(JSON.parse(frames[1]?.payload.toString() ?? '')).toMatchObject({ error: { code: 'failed_precondition', message: 'not now' } })
}
const showsTrailers: Form['showsFailure'] = ({ bytes, trailers, whole }) => {
  expect([envelopes(bytes).length, whole]).toEqual([1, true])
  expect(trailers).toMatchObject({ 'grpc-status': '9', 'grpc-message': 'not now' })
}

const overWebSocket: Form = {
  name: 'WebSocket',
  watch(port, message) {
    const socket = openSocket(port, `/v1/orders:watch?count=${message[1]}`)
    const ended = socket.closed.then(({ code, reason }) => ({ bytes: Buffer.from(socket.heard.join('\n')), trailers: { code, reason }, whole: true }))
    return { begun: socket.hear(1), ended, leave: () => socket.close() }
  },
  showsFailure(ended) {
    expect([textOf(ended), ended.trailers]).toEqual([`${event}\n{"error":${status}}`, { code: 1011, reason: 'FAILED_PRECONDITION' }])
  },
}

const forms: readonly Form[] = [
  json('NDJSON, HTTP/1.1', overHttp1, 'application/x-ndjson', showsLine),
  json('NDJSON, h2', overHttp2, 'application/x-ndjson', showsLine),
  json('SSE, HTTP/1.1', overHttp1, 'text/event-stream', showsEvent),
  json('SSE, h2', overHttp2, 'text/event-stream', showsEvent),
  json('array, HTTP/1.1', overHttp1, 'application/json', showsCut),
  json('array, h2', overHttp2, 'application/json', showsCut),
  overWebSocket,
  call('gRPC-Web, HTTP/1.1', overHttp1, 'application/grpc-web+proto', showsTrailerFrame(false)),
  call('gRPC-Web in base64, h2', overHttp2, 'application/grpc-web-text+proto', showsTrailerFrame(true), true),
  call('Connect, HTTP/1.1', overHttp1, 'application/connect+proto', showsEndFrame),
  call('Connect, h2', overHttp2, 'application/connect+proto', showsEndFrame),
  call('gRPC', overHttp2, 'application/grpc', showsTrailers),
]

describe('a stream in every form', () => {
  const keep = untilTheEnd()
  let odd: OddStreams
  let gateway: Gateway

  beforeAll(async () => {
    odd = await openOddStreams(keep)
    const shop = `sallyport: v1
clusters:
  odd: { sidecar: none, address: "127.0.0.1:${odd.port}", protocol: grpc, descriptors: shop.binpb }
routes:
  odd: { match: { grpc: shop.v1.Orders }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, timeout: 10s, to: odd }
`
    gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': shop, 'shop.binpb': shopDescriptors })
  })

  describe.each(forms)('$name', ({ watch, showsFailure }) => {
    it('shows that the service failed in the middle', async () => {
      const ended = await watch(gateway.port('public'), watchAndFail).ended
      expect(ended.bytes.length).toBeGreaterThan(0)
      showsFailure(ended)
    })

    it('is cancelled at the service within 500 ms when its reader leaves, 10 of 10', async () => {
      for (let at = 0; at < 10; at++) {
        const before = odd.calls.length
        const watching = watch(gateway.port('public'), watchInSilence)
        await watching.begun
        const { cancelled } = await odd.call(before)
        const leftAt = performance.now()
        watching.leave()
        expect((await cancelled) - leftAt).toBeLessThan(500)
      }
      await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
    })
  })
})
