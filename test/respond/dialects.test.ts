import { describe, expect, test } from 'vitest'
import { buildRescue, buildRespond } from '../../src/core/ingress/respond.ts'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcReply, GrpcStatus } from '../../src/core/model/call.ts'
import { openExchange } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { envelope, envelopes, unpadded } from '../support/raw.ts'
import { testPolicy } from '../support/routes.ts'
import { shopDescriptors } from '../support/shop.ts'
import { codecOf } from '../support/shop-messages.ts'
import { fieldsOf, grpcPolicy, steered } from '../support/steered.ts'

const policy = grpcPolicy(shopDescriptors, ['shop.v1.Orders'])
const version = { 'connect-protocol-version': '1' }
const order = codecOf('Order').write({ id: '7' })
const event = codecOf('OrderEvent').write({ sequence: '1' })
type Pair = readonly [string, string]

function replyOf(
  items: readonly (Uint8Array | Error)[],
  status: Partial<Omit<GrpcStatus, 'trailers'>> = {},
  head: readonly Pair[] = [],
  trailers: readonly Pair[] = [],
): GrpcReply {
  async function* messages(): AsyncIterable<Uint8Array> {
    for (const item of items) {
      if (item instanceof Error) throw item
      yield item
    }
  }
  const ended: GrpcStatus = { code: 0, message: '', details: undefined, ...status, trailers: new FieldList(trailers) }
  return { kind: 'grpc', metadata: new FieldList(head), messages: messages(), status: () => ended }
}

async function answer(
  rpc: 'GetOrder' | 'WatchOrders',
  type: string,
  reply: GrpcReply,
  more: Readonly<Record<string, string>> = {},
): Promise<Outbound & { readonly bytes: Buffer }> {
  const framed = !/^application\/(?:proto|json)$/.test(type)
  const empty = type.endsWith('json') ? '{}' : ''
  const frame = framed ? envelope(empty) : Buffer.from(empty)
  const body = type.includes('text') ? Buffer.from(frame.toString('base64')) : frame
  const headers = { 'content-type': type, ...(type.includes('grpc') ? {} : version), ...more }
  const given = {
    length: undefined,
    bytes: () => body,
    async *chunks() {
      yield body
    },
  }
  const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival('POST', `/shop.v1.Orders/${rpc}`, headers, { httpVersion: '2', body: given })))
  const out = await buildRespond(policy, fakePorts())(x, reply)
  const parts: Uint8Array[] = []
  if (out.body instanceof Uint8Array) parts.push(out.body)
  else for await (const part of out.body ?? []) parts.push(part)
  return { ...out, bytes: Buffer.concat(parts) }
}

const broken = new Fault('upstream_reset', 'the upstream broke off')
const json = (bytes: Buffer): unknown => JSON.parse(bytes.toString())

describe('gRPC-Web answers', () => {
  test('PROTOCOL-WEB, Message framing: messages, then one frame of lower-case trailers', async () => {
    const out = await answer(
      'WatchOrders',
      'application/grpc-web+proto',
      replyOf(
        [event, event],
        { message: 'né' },
        [['x-a', '1']],
        [
          ['x-b', '2'],
          ['x-c-bin', 'AA=='],
          ['x-evil-bin', 'a\r\nb: c'],
        ],
      ),
    )
    const frames = envelopes(out.bytes)
    expect([out.status, out.trailers, fieldsOf(out.headers)['x-a']]).toEqual([200, undefined, '1'])
    expect(frames.map(({ flags }) => flags)).toEqual([0, 0, 0x80])
    expect(frames[2]?.payload.toString()).toBe('x-b: 2\r\nx-c-bin: AA\r\ngrpc-status: 0\r\ngrpc-message: n%C3%A9\r\n')
  })

  test('PROTOCOL-WEB, Text-encoded streams: each frame is base64 by itself', async () => {
    const out = await answer('WatchOrders', 'application/grpc-web-text', replyOf([Buffer.from('xy')]))
    expect(out.headers.get('content-type')).toBe('application/grpc-web-text+proto')
    expect(out.bytes.toString()).toMatch(/==./)
    expect(envelopes(unpadded(out.bytes.toString())).map(({ flags }) => flags)).toEqual([0, 0x80])
    const binary = await answer('WatchOrders', 'application/grpc-web-text', replyOf([]), { accept: 'application/grpc-web' })
    expect(envelopes(binary.bytes)).toHaveLength(1)
  })

  test('an upstream that breaks off is the status of its fault, in the last frame', async () => {
    const out = await answer('WatchOrders', 'application/grpc-web', replyOf([event, broken]))
    expect(envelopes(out.bytes).at(-1)?.payload.toString()).toBe('grpc-status: 14\r\ngrpc-message: the upstream broke off\r\n')
  })
})

describe('Connect answers', () => {
  test('Connect, Unary-Response: the bare message in the codec of the request, trailers with a prefix', async () => {
    const reply = () =>
      replyOf(
        [order],
        {},
        [
          ['x-a', '1'],
          ['content-encoding', 'gzip'],
          ['access-control-allow-origin', '*'],
          ['connect-x', '1'],
        ],
        [['x-b', '2']],
      )
    const binary = await answer('GetOrder', 'application/proto', reply())
    expect([binary.status, binary.bytes.equals(order)]).toEqual([200, true])
    const { 'x-a': a, 'trailer-x-b': b, 'content-type': type, ...rest } = fieldsOf(binary.headers)
    expect([a, b, type]).toEqual(['1', '2', 'application/proto'])
    for (const name of ['content-encoding', 'access-control-allow-origin', 'connect-x', 'x-b']) expect(rest).not.toHaveProperty(name)
    const text = await answer('GetOrder', 'application/json', reply())
    expect([json(text.bytes), text.headers.get('content-type')]).toEqual([{ id: '7' }, 'application/json'])
  })

  // Connect, "Error Codes"; INTERNAL and UNKNOWN keep their messages to themselves, as in JSON.
  const codes: readonly (readonly [code: number, name: string, http: number, message?: string])[] = [
    [1, 'canceled', 499],
    [2, 'unknown', 500, 'unknown error'],
    [3, 'invalid_argument', 400],
    [4, 'deadline_exceeded', 504],
    [5, 'not_found', 404],
    [6, 'already_exists', 409],
    [7, 'permission_denied', 403],
    [8, 'resource_exhausted', 429],
    [9, 'failed_precondition', 400],
    [10, 'aborted', 409],
    [11, 'out_of_range', 400],
    [12, 'unimplemented', 501],
    [13, 'internal', 500, 'internal error'],
    [14, 'unavailable', 503],
    [15, 'data_loss', 500],
    [16, 'unauthenticated', 401],
    [99, 'unknown', 500, 'unknown error'],
  ]
  for (const [code, name, http, message = 'why'] of codes)
    test(`Connect, Error Codes: ${code} is ${name}, HTTP ${http}`, async () => {
      const out = await answer('GetOrder', 'application/proto', replyOf([], { code, message: 'why' }))
      expect([out.status, out.headers.get('content-type'), json(out.bytes)]).toEqual([http, 'application/json', { code: name, message }])
      const stream = await answer('WatchOrders', 'application/connect+proto', replyOf([], { code, message: 'why' }, [], [['x-b', '2']]))
      expect([stream.status, json(envelopes(stream.bytes)[0]?.payload ?? Buffer.of())]).toEqual([
        200,
        { error: { code: name, message }, metadata: { 'x-b': ['2'] } },
      ])
    })

  test('Connect, EndStreamResponse: messages, then {} when all went well', async () => {
    const out = await answer('WatchOrders', 'application/connect+json', replyOf([event]))
    expect(envelopes(out.bytes).map(({ flags, payload }) => [flags, json(payload)])).toEqual([
      [0, { sequence: '1' }],
      [2, {}],
    ])
  })

  test('Connect, EndStreamResponse: an upstream that breaks off, or sends what is no message, is an error in the end', async () => {
    const cut = await answer('WatchOrders', 'application/connect+proto', replyOf([event, broken]))
    expect(json(envelopes(cut.bytes).at(-1)?.payload ?? Buffer.of())).toEqual({ error: { code: 'unavailable', message: broken.message } })
    const garbage = await answer('WatchOrders', 'application/connect+json', replyOf([Buffer.from([0xff])]))
    expect(json(envelopes(garbage.bytes).at(-1)?.payload ?? Buffer.of())).toMatchObject({ error: { code: 'unavailable' } })
  })

  test('a unary reply of no message or two is refused', async () => {
    await expect(answer('GetOrder', 'application/proto', replyOf([]))).rejects.toThrow(/without an answer/)
    await expect(answer('GetOrder', 'application/proto', replyOf([order, order]))).rejects.toThrow(/more than once/)
  })
})

describe('refusals before a route is known', () => {
  const fault = new Fault('request_invalid', 'why')
  const rescued = (type: string, headers: Readonly<Record<string, string>> = {}, given = fault) =>
    buildRescue(testPolicy())(openExchange(arrival('POST', '/x', { 'content-type': type, ...headers }), 'r'), given)
  const bytesOf = ({ body }: Outbound): Buffer => Buffer.from(body instanceof Uint8Array ? body : [])

  test('PROTOCOL-WEB, Trailers-only: the status stands in the headers', () => {
    for (const type of ['application/grpc-web+proto', 'application/grpc-web-text+proto']) {
      const out = rescued(type)
      expect([out.status, out.body, fieldsOf(out.headers)]).toEqual([
        200,
        undefined,
        expect.objectContaining({ 'content-type': type, 'grpc-status': '3', 'grpc-message': 'why' }),
      ])
    }
  })

  test('Connect: the HTTP status and the error, in streams a last message, and 415 everywhere', () => {
    const unary = rescued('application/json', version)
    expect([unary.status, json(bytesOf(unary))]).toEqual([400, { code: 'invalid_argument', message: 'why' }])
    const stream = rescued('application/connect+json')
    expect([stream.status, envelopes(bytesOf(stream)).map(({ flags, payload }) => [flags, json(payload)])]).toEqual([
      200,
      [[2, { error: { code: 'invalid_argument', message: 'why' } }]],
    ])
    const type = rescued('application/connect+json', {}, new Fault('media_type_unsupported', 'why'))
    expect([type.status, type.headers.get('content-type')]).toEqual([415, 'application/json'])
  })

  test('a protobuf body without a Connect version is any HTTP request', () => {
    expect(rescued('application/proto').headers.get('content-type')).toBe('application/problem+json')
  })
})
