import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Route } from '../../src/core/model/route.ts'
import { arrival, bodyOf } from '../support/arrival.ts'
import { sideEffectFree } from '../support/idempotent.ts'
import { fakePorts } from '../support/ports.ts'
import { envelope } from '../support/raw.ts'
import { testPolicy, testRoute } from '../support/routes.ts'
import { shopDescriptors } from '../support/shop.ts'
import { codecOf } from '../support/shop-messages.ts'
import { grpcPolicy, steered } from '../support/steered.ts'

const descriptors = sideEffectFree(shopDescriptors, ['GetOrder'])
const getOrder = '/shop.v1.Orders/GetOrder'
const imports = '/shop.v1.Orders/ImportOrders'
const version = { 'connect-protocol-version': '1' }
const seven = codecOf('GetOrderRequest').write({ id: '7' })
const order = codecOf('Order').write({ id: '7' })
const json = Buffer.from('{"id":"7"}')
const gzip = { 'content-encoding': 'gzip' }

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly route?: Partial<Route>
}

const post = (type: string, body: Uint8Array, headers: Readonly<Record<string, string>> = {}, path = getOrder): Asked => ({
  path,
  headers: { 'content-type': type, ...headers },
  body,
})
const native = (body: Uint8Array, headers: Readonly<Record<string, string>> = {}, path = getOrder) =>
  post('application/grpc', body, { te: 'trailers', ...headers }, path)
const get = (query: string): Asked => ({ method: 'GET', path: `${getOrder}?connect=v1&${query}` })

/** The messages of the call, in hex. The body comes in small pieces and without a stated length. */
async function messages({ method = 'POST', path = getOrder, headers = {}, body, route = {} }: Asked): Promise<readonly string[]> {
  const policy = grpcPolicy(descriptors, ['shop.v1.Orders'], route)
  const given = body && {
    length: undefined,
    bytes: (limit: number) => bodyOf(body).bytes(limit),
    async *chunks() {
      for (let at = 0; at < body.length; at += 7) yield body.subarray(at, at + 7)
    },
  }
  const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival(method, path, headers, { httpVersion: '2', ...(given ? { body: given } : {}) })))
  if (x.call.kind !== 'grpc') throw new Error('not a gRPC call')
  if (x.call.messages instanceof Uint8Array) return [hex(x.call.messages)]
  const all: string[] = []
  for await (const message of x.call.messages) all.push(hex(message))
  return all
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const faultOf = (asked: Asked) =>
  messages(asked).then(
    () => undefined,
    (error: unknown) => Fault.from(error),
  )

describe('what is compressed', () => {
  const web = 'application/grpc-web'
  const stream = 'application/connect+proto'
  const named = { 'grpc-encoding': 'gzip' }
  const connectNamed = { 'connect-content-encoding': 'gzip' }
  const two = Buffer.concat([envelope(gzipSync(order), 1), envelope(order)])
  const lines = Buffer.from('{"id":"7"}\n{"id":"7"}\n')
  const taken: readonly (readonly [source: string, what: string, Asked, readonly Uint8Array[]])[] = [
    ['RFC 9110, Content-Encoding', 'JSON', post('application/json', gzipSync(json), gzip), [seven]],
    ['RFC 9110, Content-Encoding', 'JSON, spelled otherwise', post('application/json', gzipSync(json), { 'content-encoding': 'identity, X-GZip' }), [seven]],
    ['RFC 9110, Content-Encoding', 'JSON in identity', post('application/json', json, { 'content-encoding': 'identity' }), [seven]],
    ['RFC 9110, Content-Encoding', 'no body at all', post('application/json', Buffer.of(), gzip), [new Uint8Array()]],
    ['RFC 9110, Content-Encoding', 'lines of JSON', post('application/x-ndjson', gzipSync(lines), gzip, imports), [order, order]],
    ['RFC 9110, Content-Encoding', 'an array of JSON', post('application/json', gzipSync('[{"id":"7"}]'), gzip, imports), [order]],
    ['gRPC, Message-Encoding', 'a message', native(envelope(gzipSync(seven), 1), named), [seven]],
    ['gRPC, Compressed-Flag', 'a message that is not, though it might be', native(envelope(seven), named), [seven]],
    ['gRPC, Compressed-Flag', 'a stream of both', native(two, named, imports), [order, order]],
    ['gRPC, Compressed-Flag', 'an empty message', native(envelope('', 1), named), [new Uint8Array()]],
    ['gRPC, Content-Type', 'a message in JSON', post('application/grpc+json', envelope(json), { te: 'trailers' }), [seven]],
    [
      'gRPC, Content-Type',
      'a stream of JSON, compressed',
      post('application/grpc+json', envelope(gzipSync(json), 1), { te: 'trailers', ...named }, imports),
      [order],
    ],
    ['PROTOCOL-WEB, Content-Type', 'a message in JSON', post('application/grpc-web+json', envelope(json)), [seven]],
    ['PROTOCOL-WEB, Compression', 'a message', post(web, envelope(gzipSync(seven), 1), named), [seven]],
    ['PROTOCOL-WEB, Compression', 'a whole body', post(web, gzipSync(envelope(seven)), gzip), [seven]],
    ['PROTOCOL-WEB, Compression', 'a whole body of base64', post('application/grpc-web-text', gzipSync(envelope(seven).toString('base64')), gzip), [seven]],
    ['Connect, Content-Encoding', 'bare protobuf', post('application/proto', gzipSync(seven), { ...version, ...gzip }), [seven]],
    ['Connect, Content-Encoding', 'bare JSON', post('application/json', gzipSync(json), { ...version, ...gzip }), [seven]],
    ['Connect, Bare-Message', 'nothing, which is not inflated', post('application/proto', Buffer.of(), { ...version, ...gzip }), [new Uint8Array()]],
    ['Connect, Compression-Query', 'protobuf', get(`encoding=proto&base64=1&compression=gzip&message=${gzipSync(seven).toString('base64url')}`), [seven]],
    ['Connect, Compression-Query', 'JSON', get(`encoding=json&base64=1&compression=gzip&message=${gzipSync(json).toString('base64url')}`), [seven]],
    ['Connect, Message-Query', 'nothing, which is not inflated', get('encoding=proto&compression=gzip&message='), [new Uint8Array()]],
    ['Connect, Envelope-Flags', 'a stream of both', post(stream, two, connectNamed, imports), [order, order]],
    ['Connect, Envelope-Flags', 'JSON in a stream', post('application/connect+json', envelope(gzipSync(json), 1), connectNamed, imports), [order]],
  ]
  test.each(taken)('%s: %s', async (_source, _what, asked, expected) => {
    expect(await messages(asked)).toEqual(expected.map(hex))
  })

  const large = Buffer.alloc(100)
  const small = { route: { bodyLimit: 50 } }
  const http = ['accept-encoding', 'gzip, identity'] as const
  const grpc = ['grpc-accept-encoding', 'identity,gzip'] as const
  const refused: readonly (readonly [source: string, what: string, Asked, code: string, header?: readonly [string, string]])[] = [
    ['RFC 9110 section 15.5.16', 'brotli', post('application/json', json, { 'content-encoding': 'br' }), 'media_type_unsupported', http],
    ['RFC 9110 section 15.5.16', 'gzip twice', post('application/json', json, { 'content-encoding': 'gzip, gzip' }), 'media_type_unsupported', http],
    [
      'RFC 9110 section 15.5.16',
      'brotli in a stream',
      post('application/x-ndjson', json, { 'content-encoding': 'br' }, imports),
      'media_type_unsupported',
      http,
    ],
    ['RFC 1952', 'JSON that is no gzip', post('application/json', json, gzip), 'body_invalid'],
    ['RFC 1952', 'half of the JSON', post('application/json', gzipSync(json).subarray(0, 20), gzip), 'body_invalid'],
    ['RFC 1952', 'lines that are no gzip', post('application/x-ndjson', json, gzip, imports), 'body_invalid'],
    ['Sallyport, bodyLimit', 'JSON past it', { ...post('application/json', gzipSync(JSON.stringify('n'.repeat(100))), gzip), ...small }, 'body_too_large'],
    [
      'Sallyport, bodyLimit',
      'a line past it',
      { ...post('application/x-ndjson', gzipSync(JSON.stringify('n'.repeat(100))), gzip, imports), ...small },
      'body_too_large',
    ],
    ['gRPC, Message-Encoding', 'another kind', native(envelope(seven), { 'grpc-encoding': 'deflate' }), 'not_implemented', grpc],
    ['gRPC, statuscodes', 'a flag without a kind', native(envelope(gzipSync(seven), 1)), 'compression_invalid'],
    ['gRPC, statuscodes', 'a flag in identity', native(envelope(seven, 1), { 'grpc-encoding': 'identity' }), 'compression_invalid'],
    ['gRPC, statuscodes', 'a message that is no gzip', native(envelope(seven, 1), named), 'compression_invalid'],
    ['gRPC, statuscodes', 'a message past the limit', { ...native(envelope(gzipSync(large), 1), named), ...small }, 'body_too_large'],
    ['gRPC, statuscodes', 'a message past the limit in a stream', { ...native(envelope(gzipSync(large), 1), named, imports), ...small }, 'body_too_large'],
    [
      'gRPC, Content-Type',
      'messages in neither protobuf nor JSON',
      post('application/grpc+thrift', envelope(json), { te: 'trailers' }),
      'media_type_unsupported',
    ],
    ['ProtoJSON', 'a message in JSON that does not fit', post('application/grpc-web+json', envelope('{"nope":1}')), 'body_invalid'],
    ['PROTOCOL-WEB, Compression', 'another kind', post(web, envelope(seven), { 'grpc-encoding': 'snappy' }), 'not_implemented', grpc],
    ['PROTOCOL-WEB, Compression', 'another kind of body', post(web, envelope(seven), { 'content-encoding': 'br' }), 'not_implemented', http],
    ['PROTOCOL-WEB, Compression', 'a flag without a kind', post(web, envelope('', 1)), 'compression_invalid'],
    ['PROTOCOL-WEB, Compression', 'a body that is no gzip', post(web, envelope(seven), gzip), 'body_invalid'],
    ['PROTOCOL-WEB, Compression', 'a body past the limit', { ...post(web, gzipSync(envelope(large)), gzip), ...small }, 'body_too_large'],
    ['Connect, Content-Encoding', 'another kind', post('application/proto', seven, { ...version, 'content-encoding': 'br' }), 'not_implemented', http],
    ['Connect, Content-Encoding', 'no gzip', post('application/proto', seven, { ...version, ...gzip }), 'body_invalid'],
    ['Connect, Content-Encoding', 'past the limit', { ...post('application/proto', gzipSync(large), { ...version, ...gzip }), ...small }, 'body_too_large'],
    ['Connect, Compression-Query', 'another kind', get('encoding=proto&compression=br&message='), 'not_implemented', http],
    ['Connect, Compression-Query', 'no gzip', get('encoding=json&compression=gzip&message=%7B%7D'), 'body_invalid'],
    [
      'Connect, Compression-Query',
      'past the limit',
      { ...get(`encoding=proto&base64=1&compression=gzip&message=${gzipSync(large).toString('base64url')}`), ...small },
      'body_too_large',
    ],
    [
      'Connect, Streaming-Content-Encoding',
      'another kind',
      post(stream, envelope(order), { 'connect-content-encoding': 'zstd' }, imports),
      'not_implemented',
      ['connect-accept-encoding', 'gzip, identity'],
    ],
    [
      'Connect, Streaming-Request',
      'a whole stream',
      post(stream, gzipSync(envelope(order)), gzip, imports),
      'not_implemented',
      ['accept-encoding', 'identity'],
    ],
    ['Connect, Envelope-Flags', 'a flag without a kind', post(stream, envelope('', 1), {}, imports), 'body_invalid'],
    ['Connect, Envelope-Flags', 'an end of stream, compressed', post(stream, envelope('', 3), connectNamed, imports), 'body_invalid'],
    ['Connect, Envelope-Flags', 'no gzip', post(stream, envelope(order, 1), connectNamed, imports), 'body_invalid'],
    ['Connect, Envelope-Flags', 'past the limit', { ...post(stream, envelope(gzipSync(large), 1), connectNamed, imports), ...small }, 'body_too_large'],
  ]
  for (const [source, what, asked, code, header] of refused)
    test(`${source}: refuses ${what}`, async () => {
      const fault = await faultOf(asked)
      expect([fault?.code, fault?.status]).toEqual([code, expect.toSatisfy((status: number) => status < 500 || code === 'not_implemented')])
      expect(new Map(fault?.detail.headers).get(header?.[0] ?? '')).toBe(header?.[1])
    })

  test('a body for which the rule has no place is not inflated', async () => {
    const asked = { method: 'GET', path: '/v1/orders/7', headers: { 'content-encoding': 'br' }, body: Buffer.from('x') }
    expect(await messages(asked)).toEqual([hex(seven)])
  })

  test('plain HTTP passes as it is', async () => {
    const policy = testPolicy({ routes: [testRoute('plain', { path: '/{**}' })] })
    const packed = gzipSync(json)
    const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival('POST', '/x', gzip, { body: packed })))
    if (x.call.kind !== 'http') throw new Error('not an HTTP call')
    expect([x.call.headers.get('content-encoding'), await x.call.body?.bytes(1000)]).toEqual(['gzip', packed])
  })

  test('any bytes that say they are gzip are a call or a 4xx', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.uint8Array({ maxLength: 64 }).map((raw) => gzipSync(raw)),
      fc.uint8Array({ maxLength: 64 }).map((raw) => envelope(gzipSync(raw), 1)),
      fc.uint8Array({ maxLength: 64 }).map((raw) => envelope(raw, 1)),
    )
    const requests = fc.oneof(
      bytes.map((body) => native(body, named)),
      bytes.map((body) => post(web, body, { ...named, ...gzip })),
      bytes.map((body) => post('application/json', body, gzip)),
      bytes.map((body) => post('application/x-ndjson', body, gzip, imports)),
      bytes.map((body) => post('application/proto', body, { ...version, ...gzip })),
      bytes.map((body) => post(stream, body, connectNamed, imports)),
    )
    await fc.assert(
      fc.asyncProperty(requests, async (asked) => {
        const fault = await faultOf(asked)
        expect(fault === undefined || fault.status < 500).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})
