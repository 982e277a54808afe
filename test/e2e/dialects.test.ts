import type { JsonValue } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Issuer } from '../../src/node/demo/issuer.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { sideEffectFree } from '../support/idempotent.ts'
import { untilTheEnd } from '../support/keep.ts'
import { type OddOrders, oddDetails, oddMessage, openOddOrders } from '../support/odd-orders.ts'
import { envelope, envelopes, type RawAnswer, type RawRequest, rawClients, unpadded } from '../support/raw.ts'
import { house, issuerSection, openIssuer, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { codecOf } from '../support/shop-messages.ts'
import { ways } from '../support/ways.ts'

const path = (rpc: string) => `/shop.v1.Orders/${rpc}`
const version = { 'connect-protocol-version': '1' }

/** What a call brought, whatever it spoke. `head` are the leading fields, `trailers` the trailing ones. */
interface Called {
  readonly messages: readonly JsonValue[]
  /** gRPC's number in gRPC-Web, Connect's name in Connect; undefined when all went well. */
  readonly code: string | undefined
  readonly message: string
  readonly head: Readonly<Record<string, string>>
  readonly trailers: Readonly<Record<string, string>>
  readonly answer: RawAnswer
}

interface Call {
  readonly rpc: string
  readonly input: string
  readonly output: string
  readonly message: JsonValue
  readonly headers?: Readonly<Record<string, string>>
}

/** One way to call: how the request looks, and how the answer is read. */
interface Speaker {
  readonly title: string
  readonly codes: Readonly<
    Record<'not_found' | 'invalid' | 'failed_precondition' | 'unauthenticated' | 'denied' | 'limited' | 'unimplemented' | 'late', string>
  >
  readonly timeout: (ms: number) => Readonly<Record<string, string>>
  readonly stream: boolean
  readonly request: (call: Call) => RawRequest
  readonly read: (answer: RawAnswer, output: string) => Called
}

const grpcCodes = { not_found: '5', invalid: '3', failed_precondition: '9', unauthenticated: '16', denied: '7', limited: '8', unimplemented: '12', late: '4' }
const connectCodes = {
  not_found: 'not_found',
  invalid: 'invalid_argument',
  failed_precondition: 'failed_precondition',
  unauthenticated: 'unauthenticated',
  denied: 'permission_denied',
  limited: 'resource_exhausted',
  unimplemented: 'unimplemented',
  late: 'deadline_exceeded',
}

function web(title: string, type: string, text: boolean): Speaker {
  return {
    title,
    codes: grpcCodes,
    timeout: (ms) => ({ 'grpc-timeout': `${ms}m` }),
    stream: true,
    request({ rpc, input, message, headers }) {
      const frame = envelope(codecOf(input).write(message))
      return { path: path(rpc), headers: { 'content-type': type, 'x-grpc-web': '1', ...headers }, body: text ? Buffer.from(frame.toString('base64')) : frame }
    },
    read(answer, output) {
      expect([answer.status, answer.headers['content-type']]).toEqual([200, text ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto'])
      const frames = envelopes(text ? unpadded(answer.body.toString('latin1')) : answer.body)
      const last = frames.at(-1)
      // Trailers alone stand in the headers.
      const trailers = last === undefined ? answer.headers : blockOf(last.payload)
      expect(frames.map(({ flags }) => flags)).toEqual(frames.map((_, i) => (i === frames.length - 1 ? 0x80 : 0)))
      const status = trailers['grpc-status']
      return {
        messages: frames.slice(0, -1).map(({ payload }) => codecOf(output).read(payload)),
        code: status === '0' ? undefined : status,
        message: decodeURIComponent(trailers['grpc-message'] ?? ''),
        head: answer.headers,
        trailers,
        answer,
      }
    },
  }
}

function blockOf(payload: Buffer): Readonly<Record<string, string>> {
  const lines = payload.toString('latin1').split('\r\n')
  expect(lines.pop()).toBe('')
  const fields = lines.map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)] as const)
  for (const [name] of fields) expect(name).toBe(name.toLowerCase())
  return Object.fromEntries(fields)
}

const written = (codec: 'proto' | 'json', type: string, message: JsonValue): Buffer =>
  codec === 'json' ? Buffer.from(JSON.stringify(message)) : codecOf(type).write(message)
const readAs = (codec: 'proto' | 'json', type: string, bytes: Buffer): JsonValue =>
  codec === 'json' ? (JSON.parse(bytes.toString()) as JsonValue) : codecOf(type).read(bytes)

interface ErrorJson {
  readonly code: string
  readonly message?: string
  readonly details?: readonly { readonly type: string; readonly value: string; readonly debug?: JsonValue }[]
}

function connectUnary(codec: 'proto' | 'json', get: boolean): Speaker {
  return {
    title: `Connect, ${codec}, ${get ? 'GET' : 'unary'}`,
    codes: connectCodes,
    timeout: (ms) => ({ 'connect-timeout-ms': `${ms}` }),
    stream: false,
    request({ rpc, input, message, headers }) {
      const bytes = written(codec, input, message)
      if (!get) return { path: path(rpc), headers: { 'content-type': `application/${codec}`, ...version, ...headers }, body: bytes }
      const sent = codec === 'proto' ? `base64=1&message=${bytes.toString('base64url')}` : `message=${encodeURIComponent(bytes.toString())}`
      return { method: 'GET', path: `${path(rpc)}?connect=v1&encoding=${codec}&${sent}`, headers: { ...headers } }
    },
    read(answer, output) {
      const trailers = Object.fromEntries(
        Object.entries(answer.headers).flatMap(([name, value]) => (name.startsWith('trailer-') ? [[name.slice(8), value] as const] : [])),
      )
      const base = { head: answer.headers, trailers, answer }
      if (answer.status === 200) {
        expect(answer.headers['content-type']).toBe(`application/${codec}`)
        return { ...base, messages: [readAs(codec, output, answer.body)], code: undefined, message: '' }
      }
      expect(answer.headers['content-type']).toBe('application/json')
      const error = JSON.parse(answer.body.toString()) as ErrorJson
      return { ...base, messages: [], code: error.code, message: error.message ?? '' }
    },
  }
}

function connectStream(codec: 'proto' | 'json'): Speaker {
  return {
    title: `Connect, ${codec}, stream`,
    codes: connectCodes,
    timeout: (ms) => ({ 'connect-timeout-ms': `${ms}` }),
    stream: true,
    request: ({ rpc, input, message, headers }) => ({
      path: path(rpc),
      headers: { 'content-type': `application/connect+${codec}`, ...version, ...headers },
      body: envelope(written(codec, input, message)),
    }),
    read(answer, output) {
      expect([answer.status, answer.headers['content-type']]).toEqual([200, `application/connect+${codec}`])
      const frames = envelopes(answer.body)
      expect(frames.map(({ flags }) => flags)).toEqual(frames.map((_, i) => (i === frames.length - 1 ? 2 : 0)))
      const end = JSON.parse((frames.at(-1)?.payload ?? Buffer.of()).toString()) as { error?: ErrorJson; metadata?: Record<string, string[]> }
      const trailers = Object.fromEntries(Object.entries(end.metadata ?? {}).map(([name, values]) => [name, values.join(', ')]))
      const messages = frames.slice(0, -1).map(({ payload }) => readAs(codec, output, payload))
      return { messages, code: end.error?.code, message: end.error?.message ?? '', head: answer.headers, trailers, answer }
    },
  }
}

const isGrpc = (speaker: Speaker): boolean => speaker.codes === grpcCodes
/** gRPC-Web is always HTTP 200. */
const httpOf = (speaker: Speaker, status: number): number => (isGrpc(speaker) ? 200 : status)
const statusDetails = (trailers: Called['trailers']): Buffer => Buffer.from(trailers['grpc-status-details-bin'] ?? '', 'base64')

/** What Connect says of `oddDetails`: the bytes of the one detail, unpadded, are part of the status. */
const shownDetails = [{ type: 'google.rpc.ErrorInfo', debug: { reason: 'SHIPPED', domain: 'shop.example' }, padded: false, inStatus: true }]
const connectDetails = ({ body }: RawAnswer): JsonValue =>
  ((JSON.parse(body.toString()) as ErrorJson).details ?? []).map(({ type, value, debug = null }) => ({
    type,
    debug,
    padded: value.endsWith('='),
    inStatus: value !== '' && oddDetails.includes(Buffer.from(value, 'base64')),
  }))

const webs = [web('gRPC-Web, binary', 'application/grpc-web+proto', false), web('gRPC-Web, text', 'application/grpc-web-text+proto', true)]
const unaries = [...webs, connectUnary('proto', false), connectUnary('json', false), connectUnary('proto', true), connectUnary('json', true)]
const streams = [...webs, connectStream('proto'), connectStream('json')]

for (const way of ways) {
  describe.skipIf(!way.there)(`gRPC-Web and Connect, ${way.title}`, () => {
    const keep = untilTheEnd()
    let issuer: Issuer
    let orders: WatchedOrders
    let odd: OddOrders
    let gateway: Gateway
    let alice: Readonly<Record<string, string>>
    let bob: Readonly<Record<string, string>>

    beforeAll(async () => {
      issuer = await openIssuer(keep)
      orders = await openOrders(keep)
      odd = await openOddOrders(keep)
      alice = { authorization: `Bearer ${await issuer.mint('alice', { scope: 'orders:all' })}` }
      bob = { authorization: `Bearer ${await issuer.mint('bob', { scope: 'profile' })}` }
      const clusters = await way.clusters(keep, { orders: { port: orders.port, protocol: 'grpc' }, odd: { port: odd.port, protocol: 'grpc' } })
      const shop = `sallyport: v1
${issuerSection(issuer)}${clusters}limits:
  once: { rate: 1/1m, key: [header.x-customer] }
access:
  orders: { authenticate: { jwt: shop }, rules: [{ id: all, allow: { grpc: ["shop.v1.Orders/*"], scopes: [orders:all] } }] }
  anyone: { rules: [{ id: all, allow: { anonymous: true } }] }
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: orders, timeout: 5s, to: orders }
  odd: { match: { grpc: shop.v1.Orders, hosts: [odd.example] }, access: anyone, timeout: 5s, to: odd }
  small: { match: { grpc: shop.v1.Orders, hosts: [small.example] }, access: anyone, bodyLimit: 16B, to: orders }
  limited: { match: { grpc: shop.v1.Orders, hosts: [limited.example] }, access: anyone, limits: [once], to: orders }
`
      const descriptors = sideEffectFree(shopDescriptors, ['GetOrder', 'CancelOrder'])
      gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': shop, 'shop.binpb': descriptors })
    })

    for (const [protocol, client] of Object.entries(rawClients)) {
      const call = async (speaker: Speaker, asked: Call, host?: string): Promise<Called> => {
        const request = { ...speaker.request(asked), ...(host === undefined ? {} : { host }) }
        return speaker.read(await client(gateway.port('public'), request), asked.output)
      }
      const get = (headers: Readonly<Record<string, string>>, message: JsonValue = { id: '7' }): Call => ({
        rpc: 'GetOrder',
        input: 'GetOrderRequest',
        output: 'Order',
        message,
        headers,
      })
      const watch = (headers: Readonly<Record<string, string>>, count = 3): Call => ({
        rpc: 'WatchOrders',
        input: 'WatchOrdersRequest',
        output: 'OrderEvent',
        message: { count, intervalMs: 1 },
        headers,
      })
      const cancel: Call = { rpc: 'CancelOrder', input: 'CancelOrderRequest', output: 'Order', message: { id: '7' } }

      describe.each(unaries)(`$title over ${protocol}`, (speaker) => {
        it('makes a unary call, with metadata both ways', async () => {
          const before = orders.calls.length
          const called = await call(speaker, get({ ...alice, 'x-tenant': 'red', 'x-blob-bin': 'AAF/' }))
          expect(called).toMatchObject({ code: undefined, messages: [{ id: '7', total: '4990', servedBy: 'orders' }] })
          expect(called.head['x-served-by']).toBe('orders')
          expect(called.head['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
          const { metadata } = await orders.call(before)
          expect([metadata['x-tenant'], metadata['x-blob-bin']]).toEqual(['red', '\u0000\u0001\u007f'])
          for (const name of ['authorization', 'connect-protocol-version', 'x-grpc-web']) expect([name, metadata[name]]).toEqual([name, undefined])
        })

        it('is told the error of the service: code, message, details, trailers', async () => {
          const { code, message, trailers, answer } = await call(speaker, cancel, 'odd.example')
          expect([code, message, answer.status]).toEqual([speaker.codes.failed_precondition, oddMessage, httpOf(speaker, 400)])
          expect(trailers['x-why']).toBe('shipped already')
          expect(isGrpc(speaker) ? statusDetails(trailers) : connectDetails(answer)).toEqual(isGrpc(speaker) ? oddDetails : shownDetails)
        })

        it('is not kept waiting past its deadline, and the service hears of it', async () => {
          const before = odd.calls.length
          const { code, answer } = await call(speaker, get(speaker.timeout(200)), 'odd.example')
          expect([code, answer.status]).toEqual([speaker.codes.late, httpOf(speaker, 504)])
          const { remainingMs, cancelled } = await odd.call(before)
          expect(remainingMs).toBeLessThanOrEqual(201)
          await cancelled
        })

        it('is refused in its own dialect: no token, no scope, a malformed timeout', async () => {
          const nobody = await call(speaker, get({}))
          expect([nobody.code, nobody.head['www-authenticate']]).toEqual([speaker.codes.unauthenticated, expect.stringContaining('Bearer')])
          expect((await call(speaker, get(bob))).code).toBe(speaker.codes.denied)
          expect((await call(speaker, get(alice, { id: '404' }))).code).toBe(speaker.codes.not_found)
          const malformed = Object.fromEntries(Object.keys(speaker.timeout(1)).map((name) => [name, 'soon']))
          expect((await call(speaker, get({ ...alice, ...malformed }))).code).toBe(speaker.codes.invalid)
          const unknown = await call(speaker, { ...get(alice), rpc: 'NoSuchMethod' })
          expect(unknown.code).toBe(speaker.codes.unimplemented)
          expect([nobody.answer.status, unknown.answer.status]).toEqual([httpOf(speaker, 401), httpOf(speaker, 404)])
        })

        it('is held to the limits of the route, in size and in rate', async () => {
          const large = await call(speaker, get({}, { id: 'x'.repeat(40) }), 'small.example')
          expect(large.code).toBe(speaker.codes.limited)
          const customer = { 'x-customer': `${protocol} ${speaker.title}` }
          expect((await call(speaker, get(customer), 'limited.example')).code).toBeUndefined()
          const again = await call(speaker, get(customer), 'limited.example')
          expect([again.code, Number(again.head['retry-after'])]).toEqual([speaker.codes.limited, expect.toSatisfy((seconds: number) => seconds > 0)])
          expect([large.answer.status, again.answer.status]).toEqual([httpOf(speaker, 413), httpOf(speaker, 429)])
        })
      })

      describe.each(streams)(`$title over ${protocol}`, (speaker) => {
        it('reads a server stream to its end', async () => {
          const { messages, code } = await call(speaker, watch(alice, 5))
          expect(messages.map((event) => (event as { sequence: string }).sequence)).toEqual(['1', '2', '3', '4', '5'])
          expect(code).toBeUndefined()
        })

        it('is refused, and cut at its deadline, in the same frames', async () => {
          const nobody = await call(speaker, watch({}))
          expect([nobody.code, nobody.messages]).toEqual([speaker.codes.unauthenticated, []])
          expect((await call(speaker, watch(bob))).code).toBe(speaker.codes.denied)
          const cut = await call(speaker, watch({ ...alice, ...speaker.timeout(300) }, 0))
          expect(cut.messages.length).toBeGreaterThan(0)
          expect(cut.code).toBe(speaker.codes.late)
        })

        it('sends a client stream', async () => {
          const order = { tenant: 'red', items: [{ sku: 'b-1', quantity: 1, unitPrice: '5' }] }
          const one = speaker.request({ rpc: 'ImportOrders', input: 'Order', output: '', message: order, headers: alice })
          const answer = await client(gateway.port('public'), { ...one, body: Buffer.concat([one.body ?? Buffer.of(), one.body ?? Buffer.of()]) })
          expect(speaker.read(answer, 'ImportOrdersResponse')).toMatchObject({ code: undefined, messages: [{ imported: 2 }] })
        })
      })

      it(`JSON without a Connect version stays plain over ${protocol}: google.rpc errors, problem documents`, async () => {
        const plain = (host: string, rpc: string) =>
          client(gateway.port('public'), { path: path(rpc), host, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"id":"7"}') })
        const failed = await plain('odd.example', 'CancelOrder')
        expect(JSON.parse(failed.body.toString())).toMatchObject({ code: 9, message: oddMessage })
        const refused = await plain('api.example', 'GetOrder')
        expect([refused.status, refused.headers['content-type']]).toEqual([401, 'application/problem+json'])
      })
    }

    it('names what it takes to those who compress otherwise', async () => {
      const headers = { ...alice, ...version, 'content-type': 'application/proto', 'content-encoding': 'br' }
      const { status, headers: head, body } = await rawClients['HTTP/1.1'](gateway.port('public'), { path: path('GetOrder'), headers, body: Buffer.of(1) })
      expect([status, head['accept-encoding'], JSON.parse(body.toString())]).toEqual([
        501,
        'gzip, identity',
        { code: 'unimplemented', message: expect.stringContaining('gzip, identity') },
      ])
    })
  })
}
