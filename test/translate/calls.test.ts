import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { grpcFraming, readFrames } from '../../src/core/ingress/translate/frames.ts'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcCall, HttpCall } from '../../src/core/model/call.ts'
import type { Steered } from '../../src/core/model/exchange.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { Body } from '../../src/core/model/wire.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { type ArrivalOptions, arrival, bodyOf, type HeaderInput } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { refusalOf } from '../support/refusal.ts'
import { testListener, testPolicy, testRoute } from '../support/routes.ts'
import { fieldsOf, grpcPolicy, steered } from '../support/steered.ts'

let shop: Uint8Array
const plain = grpcFraming(new FieldList(), fakePorts().compression)

beforeAll(async () => {
  shop = await readFile('policies/descriptors/shop.binpb')
})

const cluster: Cluster = {
  name: 'backend',
  quarantined: undefined,
  sidecar: 'none',
  protocol: 'http',
  endpoints: { kind: 'static', addresses: [] },
  authority: undefined,
  tls: undefined,
  balance: 'round_robin',
  connectTimeoutMs: 1000,
  caps: { requests: 10 },
  subsets: {},
}

const subject: Steered['principal'] = {
  kind: 'subject',
  by: 'jwt',
  issuer: 'main',
  subject: 'u1',
  clientId: undefined,
  scopes: new Set(),
  claims: { sub: 'u1', roles: ['a,b', 'c d', 'é%'], deep: { tenant: 'x' }, object: { a: 1 }, n: 5 },
}

async function proxied(
  request: string,
  headers: HeaderInput,
  given: Partial<Route> = {},
  policy: Partial<Policy> = {},
  options: ArrivalOptions = {},
): Promise<HttpCall> {
  const [method = '', target = ''] = request.split(' ')
  const linked = testPolicy({ routes: [testRoute('all', { path: '/{**}' }, given)], clusters: { backend: cluster }, ...policy })
  const x = await buildTranslate(linked, fakePorts())(steered(linked, arrival(method, target, headers, options), { principal: subject }))
  if (x.call.kind !== 'http') throw new Error('not an HTTP call')
  return x.call
}

async function native(method: string, headers: HeaderInput, body: Body | Uint8Array | undefined, given: Partial<Route> = {}): Promise<GrpcCall> {
  const policy = grpcPolicy(shop, ['shop.v1.Orders'], given)
  const options: ArrivalOptions = { httpVersion: '2', ...(body === undefined ? {} : { body: unannounced(body) }) }
  const all = { 'content-type': 'application/grpc', te: 'trailers', ...(headers as Record<string, string>) }
  const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival('POST', `/shop.v1.Orders/${method}`, all, options), { principal: subject }))
  if (x.call.kind !== 'grpc') throw new Error('not a gRPC call')
  return x.call
}

/** The same body without a stated length, as gRPC clients send it. */
function unannounced(body: Body | Uint8Array): Body {
  const whole = bodyOf(body)
  return { length: undefined, bytes: (limit) => whole.bytes(limit), chunks: () => whole.chunks() }
}

function frame(payload: Uint8Array, flag = 0): Uint8Array {
  const bytes = new Uint8Array(5 + payload.length)
  bytes[0] = flag
  new DataView(bytes.buffer).setUint32(1, payload.length)
  bytes.set(payload, 5)
  return bytes
}

describe('plain HTTP', () => {
  test('goes on with its method, canonical path and raw query, and the body as it comes', async () => {
    const body = bodyOf('hello')
    const call = await proxied('POST /a%2Db/c?x=%2f&y=+', { 'content-type': 'text/plain' }, {}, {}, { body })
    expect(call).toMatchObject({ method: 'POST', target: '/a-b/c?x=%2f&y=+', scheme: 'http', authority: 'api.example.com' })
    expect(call.body?.length).toBe(5)
    expect(call.headers.get('content-type')).toBe('text/plain')
  })

  test('has the authority of the subset, else of the cluster, else of the downstream', async () => {
    const subsets = { v2: { authority: 'v2.test', endpoints: undefined } }
    const clusters = {
      backend: { ...cluster, authority: 'v1.test', subsets, tls: { serverName: undefined, ca: undefined, certificate: undefined, key: undefined } },
    }
    expect(await proxied('GET /', {}, {}, { clusters })).toMatchObject({ authority: 'v1.test', scheme: 'https' })
    const policy = testPolicy({ routes: [testRoute('all', { path: '/{**}' })], clusters })
    const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival('GET', '/'), { destination: { cluster: 'backend', subset: 'v2' } }))
    expect(x.call.authority).toBe('v2.test')
  })

  test('says who asked, for which request, in which trace', async () => {
    const headers = fieldsOf(
      (await proxied('GET /', { 'x-forwarded-for': '6.6.6.6', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'a=1' })).headers,
    )
    expect(headers).toMatchObject({ 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.example.com', tracestate: 'a=1' })
    expect(headers['x-request-id']).toMatch(/^\S+$/)
    expect(headers['traceparent']).toMatch(new RegExp(`^00-${'a'.repeat(32)}-(?!${'b'.repeat(16)})[0-9a-f]{16}-01$`))
  })

  test('what a trusted proxy said is appended to, not replaced', async () => {
    const listeners = { public: testListener({ trustedProxies: ['192.0.2.0/24'] }), egress: undefined, admin: undefined }
    const headers = { 'x-forwarded-for': '198.51.100.7', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'shop.example' }
    expect(fieldsOf((await proxied('GET /', headers, {}, { listeners })).headers)).toMatchObject({
      'x-forwarded-for': '198.51.100.7, 192.0.2.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.example',
    })
  })

  test('the token is kept from the upstream unless the route hands it on', async () => {
    const headers = { authorization: 'Bearer x' }
    expect((await proxied('GET /', headers)).headers.get('authorization')).toBeUndefined()
    expect((await proxied('GET /', headers, { handOn: { token: true, claims: [] } })).headers.all('authorization')).toEqual(['Bearer x'])
  })

  test('claim headers are the gateway’s alone: deleted in every spelling, then set from verified claims', async () => {
    const claims = [
      { header: 'X-User-Roles', claim: 'roles' },
      { header: 'x-tenant', claim: 'deep.tenant' },
      { header: 'x-n', claim: 'n' },
      { header: 'x-object', claim: 'object' },
      { header: 'x-none', claim: 'none' },
    ]
    const forged = { 'x-user-roles': 'admin', 'x-tenant': 'evil', 'x-none': 'evil', 'x-object': 'evil' }
    const headers = fieldsOf((await proxied('GET /', forged, { handOn: { token: false, claims } })).headers)
    expect(headers).toMatchObject({ 'x-user-roles': 'a%2Cb,c%20d,%C3%A9%25', 'x-tenant': 'x', 'x-n': '5' })
    expect(headers).not.toHaveProperty('x-none')
    expect(headers).not.toHaveProperty('x-object')
  })

  test('a body of unknown length is cut at the limit', async () => {
    const body: Body = {
      length: undefined,
      bytes: () => new Uint8Array(),
      chunks: async function* () {
        for (let i = 0; i < 3; i++) yield new Uint8Array(4)
      },
    }
    const call = await proxied('POST /', { 'transfer-encoding': 'chunked' }, { bodyLimit: 10 }, {}, { body })
    const seen: number[] = []
    const read = async (): Promise<void> => {
      for await (const chunk of call.body?.chunks() ?? []) seen.push(chunk.length)
    }
    expect((await refusalOf(read))?.code).toBe('body_too_large')
    expect(seen).toEqual([4, 4])
  })
})

describe('native gRPC', () => {
  test('a unary call is its one message without the frame', async () => {
    const call = await native('GetOrder', {}, frame(new Uint8Array([10, 1, 55])))
    expect(call).toMatchObject({ path: '/shop.v1.Orders/GetOrder', serverStream: false, messages: new Uint8Array([10, 1, 55]) })
  })

  test('a stream is pulled message by message', async () => {
    const pulled: number[] = []
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 1; i <= 3; i++) {
        pulled.push(i)
        yield frame(new Uint8Array([i]))
      }
    }
    const { messages, serverStream } = await native('Chat', {}, { length: undefined, bytes: () => new Uint8Array(), chunks })
    expect(serverStream).toBe(true)
    if (messages instanceof Uint8Array) throw new Error('not a stream')
    const stream = messages[Symbol.asyncIterator]()
    expect(pulled).toEqual([])
    expect((await stream.next()).value).toEqual(new Uint8Array([1]))
    expect(pulled).toEqual([1])
    await stream.return?.()
  })

  const broken: readonly (readonly [what: string, body: Uint8Array | undefined, code: string])[] = [
    ['no message', undefined, 'body_invalid'],
    ['half a frame', new Uint8Array([0, 0, 0]), 'body_invalid'],
    ['half a message', frame(new Uint8Array(10)).subarray(0, 9), 'body_invalid'],
    ['two messages', new Uint8Array([...frame(new Uint8Array(1)), ...frame(new Uint8Array(1))]), 'body_invalid'],
    ['unknown flags', frame(new Uint8Array(1), 0x80), 'body_invalid'],
    ['a message that is compressed with nothing', frame(new Uint8Array(1), 1), 'compression_invalid'],
    ['a message past the limit', frame(new Uint8Array(101)), 'body_too_large'],
  ]
  test.each(broken)('a unary call with %s is refused', async (_, body, code) => {
    expect((await refusalOf(() => native('GetOrder', {}, body, { bodyLimit: 100 })))?.code).toBe(code)
  })

  test('metadata passes but for what is the protocol’s, the hop’s, or the gateway’s own', async () => {
    const sent = {
      'x-own': 'v',
      'x-raw-bin': 'AQ==,Ag',
      'x-bad-bin': '*',
      'x-half-bin': 'AAAAA',
      'user-agent': 'grpc-node',
      'grpc-encoding': 'identity',
      authorization: 'Bearer x',
      'x-envoy-retry-on': 'x',
    }
    const { metadata } = await native('GetOrder', sent, frame(new Uint8Array()))
    expect(metadata.all('x-raw-bin')).toEqual(['AQ', 'Ag'])
    const names = Object.keys(fieldsOf(metadata))
    expect(names).toContain('x-own')
    expect(names).toContain('x-request-id')
    for (const name of ['x-bad-bin', 'x-half-bin', 'user-agent', 'grpc-encoding', 'authorization', 'te', 'content-type', 'x-envoy-retry-on', 'host'])
      expect(names).not.toContain(name)
  })

  test('frames come out whole however the bytes are cut', async () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(messages, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), async (sent, cuts) => {
        const all = Uint8Array.from(sent.flatMap((each) => [...frame(each)]))
        const chunks = async function* (): AsyncGenerator<Uint8Array> {
          for (let at = 0, i = 0; at < all.length; i++) {
            const next = at + (cuts[i % cuts.length] ?? 1)
            yield all.subarray(at, next)
            at = next
          }
        }
        const got: Uint8Array[] = []
        for await (const each of readFrames(chunks(), 100, plain)) got.push(each)
        expect(got.map(String)).toEqual(sent.map(String))
      }),
    )
  })

  test('any bytes give messages or a 4xx', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 12 })), async (parts) => {
        const fault = await refusalOf(async () => {
          const chunks = async function* (): AsyncGenerator<Uint8Array> {
            yield* parts
          }
          for await (const each of readFrames(chunks(), 100, plain)) expect(each.length).toBeLessThanOrEqual(100)
        })
        expect(['body_invalid', 'body_too_large', 'compression_invalid', undefined]).toContain(fault?.code)
      }),
    )
  })
})

describe('metadata of JSON callers', () => {
  async function metadata(headers: Record<string, string>, given: Partial<Route> = {}): Promise<Readonly<Record<string, string>>> {
    const policy = grpcPolicy(shop, ['shop.v1.Orders'], given)
    const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival('GET', '/v1/orders/1', headers), { principal: subject }))
    return x.call.kind === 'grpc' ? fieldsOf(x.call.metadata) : {}
  }

  test('is what they ask for with grpc-metadata-, a short allow-list, and what is always handed on', async () => {
    const found = await metadata({ 'grpc-metadata-x-shop': '1', 'grpc-metadata-key-bin': '-_8=', 'x-other': 'no', 'accept-language': 'de', cookie: 'a=b' })
    expect(found).toMatchObject({ 'x-shop': '1', 'accept-language': 'de', 'x-forwarded-for': '192.0.2.1' })
    expect(Object.keys(found).sort()).toEqual([
      'accept-language',
      'traceparent',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-request-id',
      'x-shop',
    ])
  })

  test('cannot say what only the gateway or the mesh may say', async () => {
    const claims = [{ header: 'x-user', claim: 'sub' }]
    const names = [
      'authorization',
      'x-user',
      'x-forwarded-for',
      'x-request-id',
      'grpc-timeout',
      'te',
      'connection',
      'x-envoy-retry-on',
      'l5d-dst-override',
      'x-sallyport-x',
    ]
    const forged = Object.fromEntries(names.map((name) => [`grpc-metadata-${name}`, 'evil']))
    const found = await metadata(forged, { handOn: { token: false, claims } })
    expect(Object.values(found).join(' ')).not.toContain('evil')
    expect(found['x-user']).toBe('u1')
  })
})
