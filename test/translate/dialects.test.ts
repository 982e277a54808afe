import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcCall } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Route } from '../../src/core/model/route.ts'
import { arrival, bodyOf } from '../support/arrival.ts'
import { sideEffectFree } from '../support/idempotent.ts'
import { fakePorts } from '../support/ports.ts'
import { shopDescriptors } from '../support/shop.ts'
import { codecOf } from '../support/shop-messages.ts'
import { grpcPolicy, steered } from '../support/steered.ts'

const descriptors = sideEffectFree(shopDescriptors, ['GetOrder'])
const getOrder = '/shop.v1.Orders/GetOrder'
const watch = '/shop.v1.Orders/WatchOrders'
const imports = '/shop.v1.Orders/ImportOrders'
const version = { 'connect-protocol-version': '1' }
const seven = codecOf('GetOrderRequest').write({ id: '7' })
const three = codecOf('WatchOrdersRequest').write({ count: 3 })
const utf8 = new TextEncoder()

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  readonly route?: Partial<Route>
}

async function call({ method = 'POST', path = getOrder, headers = {}, body, route = {} }: Asked): Promise<GrpcCall> {
  const policy = grpcPolicy(descriptors, ['shop.v1.Orders'], route)
  const whole = body === undefined ? undefined : bodyOf(body)
  // Without a stated length, and in small pieces.
  const given = whole && {
    length: undefined,
    bytes: (limit: number) => whole.bytes(limit),
    chunks: () => pieces(typeof body === 'string' ? utf8.encode(body) : body),
  }
  const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival(method, path, headers, { httpVersion: '2', ...(given ? { body: given } : {}) })))
  if (x.call.kind !== 'grpc') throw new Error('not a gRPC call')
  return x.call
}

async function* pieces(bytes: Uint8Array = new Uint8Array()): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3)
}

async function messages(asked: Asked): Promise<readonly string[]> {
  const { messages: made } = await call(asked)
  if (made instanceof Uint8Array) return [hex(made)]
  const all: string[] = []
  for await (const message of made) all.push(hex(message))
  return all
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const frame = (payload: Uint8Array | string, flags = 0) => {
  const bytes = Buffer.from(payload)
  const head = Buffer.alloc(5, flags)
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const get = (query: string) => ({ method: 'GET', path: `${getOrder}?${query}` })
const post = (type: string, body: Uint8Array | string, path = getOrder, headers: Readonly<Record<string, string>> = {}): Asked => ({
  path,
  headers: { 'content-type': type, ...headers },
  body,
})

describe('messages', () => {
  const webText = 'application/grpc-web-text'
  const url = Buffer.from(seven).toString('base64url')
  const taken: readonly (readonly [source: string, what: string, Asked, readonly Uint8Array[]])[] = [
    ['PROTOCOL-WEB, Message framing', 'a frame', post('application/grpc-web+proto', frame(seven)), [seven]],
    ['PROTOCOL-WEB, Message framing', 'an empty message', post('application/grpc-web', frame('')), [new Uint8Array()]],
    ['PROTOCOL-WEB, Message framing', 'the one message of a server stream', post('application/grpc-web', frame(three), watch), [three]],
    ['PROTOCOL-WEB, Text-encoded streams', 'base64', post(webText, base64(frame(seven))), [seven]],
    [
      'PROTOCOL-WEB, Text-encoded streams',
      'base64 with padding inside',
      post(webText, base64(frame(seven).subarray(0, 4)) + base64(frame(seven).subarray(4))),
      [seven],
    ],
    [
      'PROTOCOL-WEB, Text-encoded streams',
      'two frames padded each',
      post(webText, base64(frame('')) + base64(frame('')), imports),
      [new Uint8Array(), new Uint8Array()],
    ],
    ['Connect, Bare-Message', 'bare protobuf', post('application/proto', seven, getOrder, version), [seven]],
    ['Connect, Connect-Protocol-Version', 'bare protobuf without a version', post('application/proto', seven), [seven]],
    ['Connect, Bare-Message', 'no bytes are an empty message', post('application/proto', '', getOrder, version), [new Uint8Array()]],
    ['Connect, Bare-Message', 'JSON', post('application/json', '{"id":"7"}', getOrder, version), [seven]],
    ['Connect, Bare-Message', 'JSON in UTF-8', post('application/json; charset=UTF-8', '{"id":"7"}', getOrder, version), [seven]],
    ['Connect, Unary-Get-Request', 'JSON in the query', get('connect=v1&encoding=json&message=%7B%22id%22%3A%227%22%7D'), [seven]],
    ['Connect, Unary-Get-Request', 'any order, unknown parameters', get('message=%7B%22id%22:%227%22%7D&x=1&encoding=json&connect=v1'), [seven]],
    ['Connect, Base64-Query', 'base64url', get(`connect=v1&encoding=proto&base64=1&message=${url}`), [seven]],
    ['Connect, Base64-Query', 'escaped padding', get(`connect=v1&encoding=proto&base64=1&message=${encodeURIComponent(base64(seven))}`), [seven]],
    ['Connect, Base64-Query', 'another value than 1 is ignored', get('connect=v1&encoding=json&base64=0&message=%7B%7D'), [new Uint8Array()]],
    ['Connect, Compression-Query', 'identity', get('connect=v1&encoding=proto&compression=identity&message='), [new Uint8Array()]],
    ['Connect, Streaming-Request', 'an envelope', post('application/connect+proto', frame(three), watch), [three]],
    ['Connect, Streaming-Request', 'an envelope of JSON', post('application/connect+json', frame('{"count":3}'), watch), [three]],
    [
      'Connect, Streaming-Request',
      'none, one and more',
      post('application/connect+json', Buffer.concat([frame('{}'), frame('{}')]), imports),
      [new Uint8Array(), new Uint8Array()],
    ],
    ['Connect, Streaming-Request', 'none in a client stream', post('application/connect+proto', '', imports), []],
  ]
  test.each(taken)('%s: %s', async (_source, _what, asked, expected) => {
    expect(await messages(asked)).toEqual(expected.map(hex))
  })

  const unsupported = 'media_type_unsupported'
  const refused: readonly (readonly [source: string, what: string, Asked, code: string, header?: readonly [string, string]])[] = [
    ['PROTOCOL-WEB, Content-Type', 'other messages', post('application/grpc-web+thrift', frame('{}')), unsupported],
    ['PROTOCOL-WEB, Message framing', 'no message', post('application/grpc-web', ''), 'body_invalid'],
    ['PROTOCOL-WEB, Message framing', 'two messages', post('application/grpc-web', Buffer.concat([frame(''), frame('')])), 'body_invalid'],
    ['PROTOCOL-WEB, Message framing', 'a cut message', post('application/grpc-web', frame(seven).subarray(0, 6)), 'body_invalid'],
    ['PROTOCOL-WEB, Message framing', 'trailers in a request', post('application/grpc-web', frame('', 0x80)), 'body_invalid'],
    ['RFC 4648 section 4', 'no base64', post(webText, '!!!!'), 'body_invalid'],
    ['RFC 4648 section 4', 'a cut group of base64', post(webText, base64(frame('')).slice(0, -1)), 'body_invalid'],
    ['RFC 4648 section 4', 'padding alone', post(webText, '===='), 'body_invalid'],
    ['gRPC, Length-Prefixed-Message', 'too long a message', { ...post('application/grpc-web', frame('123456789')), route: { bodyLimit: 8 } }, 'body_too_large'],
    ['Connect, Connect-Protocol-Version', 'another version', post('application/json', '{}', getOrder, { 'connect-protocol-version': '2' }), 'request_invalid'],
    [
      'Connect, Message-Codec',
      'an unknown codec',
      post('application/thrift', 'x', getOrder, version),
      unsupported,
      ['accept-post', 'application/proto, application/json'],
    ],
    ['Connect, Message-Codec', 'another charset', post('application/json; charset=latin1', '{}', getOrder, version), unsupported],
    ['Connect, Message-Codec', 'an unknown codec in the query', get('connect=v1&encoding=xml&message='), unsupported],
    [
      'Connect, Streaming-Content-Type',
      'a bare message for a stream',
      post('application/proto', three, watch, version),
      unsupported,
      ['accept-post', 'application/connect+proto, application/connect+json'],
    ],
    ['Connect, Streaming-Content-Type', 'an unknown codec in a stream', post('application/connect+xml', frame(''), watch), unsupported],
    [
      'Connect, Unary-Content-Type',
      'an envelope for a unary RPC',
      post('application/connect+proto', frame(seven)),
      unsupported,
      ['accept-post', 'application/proto, application/json'],
    ],
    ['Connect, Envelope-Flags', 'compressed without an encoding', post('application/connect+proto', frame('', 1), watch), 'body_invalid'],
    ['Connect, Envelope-Flags', 'an end of stream', post('application/connect+proto', frame('{}', 2), watch), 'body_invalid'],
    ['Connect, Envelope-Flags', 'reserved bits', post('application/connect+proto', frame('', 4), watch), 'body_invalid'],
    ['Connect, Message-Query', 'none', get('connect=v1&encoding=json'), 'request_invalid'],
    ['Connect, Message-Query', 'twice', get('connect=v1&encoding=json&message=%7B%7D&message=%7B%7D'), 'request_invalid'],
    ['Connect, Message-Query', 'bytes that are not UTF-8', get('connect=v1&encoding=proto&message=%FF'), 'request_invalid'],
    ['Connect, Base64-Query', 'no base64', get('connect=v1&encoding=proto&base64=1&message=a'), 'request_invalid'],
    ['ProtoJSON', 'no JSON at all', post('application/json', '', getOrder, version), 'body_invalid'],
    ['ProtoJSON', 'an unknown member', post('application/json', '{"nope":1}', getOrder, version), 'body_invalid'],
    ['ProtoJSON', 'no JSON in the query', get('connect=v1&encoding=json&message=%7B'), 'body_invalid'],
    ['Sallyport, bodyLimit', 'too long a message', { ...post('application/proto', '123456789', getOrder, version), route: { bodyLimit: 8 } }, 'body_too_large'],
    [
      'Connect, Unary-Get-Request',
      'an RPC with side effects',
      { method: 'GET', path: '/shop.v1.Orders/CancelOrder?connect=v1&encoding=json&message=%7B%7D' },
      'method_not_allowed',
      ['allow', 'POST'],
    ],
    ['RFC 9110 section 15.5.6', 'a GET that is no Connect', { method: 'GET', path: getOrder }, 'method_not_allowed', ['allow', 'POST']],
  ]
  for (const [source, what, asked, code, header] of refused)
    test(`${source}: refuses ${what}`, async () => {
      const fault = await messages(asked).then(
        () => undefined,
        (error: unknown) => error as Fault,
      )
      expect(fault).toBeInstanceOf(Fault)
      expect(fault?.code).toBe(code)
      const given = new Map(fault?.detail.headers)
      expect(given.get(header?.[0] ?? '')).toBe(header?.[1])
      expect(fault?.message).toMatch(/./)
    })

  test('any bytes and queries are a call or a 4xx', async () => {
    const types = ['application/grpc-web', webText, 'application/proto', 'application/json', 'application/connect+proto', 'application/connect+json']
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.uint8Array({ maxLength: 40 }).map((payload) => frame(payload)),
    )
    const requests = fc.oneof(
      fc
        .record({ type: fc.constantFrom(...types), body: bytes, path: fc.constantFrom(getOrder, watch, imports) })
        .map(({ type, body, path }) => post(type, body, path, version)),
      fc
        .record({ message: fc.string(), base64: fc.boolean(), encoding: fc.constantFrom('json', 'proto') })
        .map((q) => get(`connect=v1&encoding=${q.encoding}${q.base64 ? '&base64=1' : ''}&message=${encodeURIComponent(q.message.toWellFormed())}`)),
    )
    await fc.assert(
      fc.asyncProperty(requests, async (asked) => {
        const fault = await messages(asked).then(
          () => undefined,
          (error: unknown) => Fault.from(error),
        )
        expect(fault === undefined || fault.status < 500).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('plain JSON without a Connect version stays bound by its rule', async () => {
    const policy = grpcPolicy(descriptors, ['shop.v1.Orders'])
    const plain = steered(policy, arrival('POST', getOrder, { 'content-type': 'application/json' }, { body: '{"id":"7"}' }))
    expect([plain.dialect.kind, plain.rpc?.binding?.template]).toEqual(['http', getOrder])
    const bound = steered(policy, arrival('POST', '/v1/orders', { 'content-type': 'application/json', ...version }, { body: '{}' }))
    expect([bound.dialect.kind, bound.rpc?.binding?.template]).toEqual(['http', '/v1/orders'])
  })
})

describe('metadata', () => {
  test.each(['application/grpc-web', 'application/proto'])('of %s is what the caller says, without what belongs to its HTTP exchange', async (type) => {
    const headers = { 'x-tenant': 'red', 'x-blob-bin': 'AAE=', 'accept-language': 'de' }
    const own = {
      accept: '*/*',
      cookie: 'a=b',
      origin: 'https://a',
      'sec-fetch-mode': 'cors',
      'x-grpc-web': '1',
      'x-user-agent': 'w',
      'connect-timeout-ms': '100',
      authorization: 'Bearer x',
    }
    const { metadata } = await call(post(type, type === 'application/proto' ? '' : frame(''), getOrder, { ...version, ...headers, ...own }))
    expect([metadata.get('x-tenant'), metadata.get('x-blob-bin'), metadata.get('accept-language')]).toEqual(['red', 'AAE', 'de'])
    for (const name of [...Object.keys(own), 'connect-protocol-version', 'content-type']) expect([name, metadata.get(name)]).toEqual([name, undefined])
    expect(metadata.get('traceparent')).toMatch(/^00-/)
  })
})
