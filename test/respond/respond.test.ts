import { create, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { AnySchema, anyPack } from '@bufbuild/protobuf/wkt'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildRescue, buildRespond } from '../../src/core/ingress/respond.ts'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcReply, GrpcStatus, HttpReply } from '../../src/core/model/call.ts'
import { openExchange, type Translated } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList, noFields } from '../../src/core/model/fields.ts'
import type { TranslateOptions } from '../../src/core/model/translate-options.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { builtinRegistry, type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { refusalOf } from '../support/refusal.ts'
import { testPolicy, testRoute } from '../support/routes.ts'
import { fieldsOf, grpcPolicy, steered } from '../support/steered.ts'
import { libraryProto } from '../translate/library.ts'

const plain: TranslateOptions = { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false }
const fine: GrpcStatus = { code: 0, message: '', details: undefined, trailers: noFields }
let descriptors: Uint8Array
let book: DescriptorBook

beforeAll(async () => {
  descriptors = await descriptorsFrom({ 'lib.proto': libraryProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
})

function bytesOf(type: string, json: JsonValue): Uint8Array {
  const desc = book.registry.getMessage(type)
  if (desc === undefined) throw new Error(`no ${type}`)
  return toBinary(desc, fromJson(desc, json, { registry: book.registry }))
}

const reply = (json: JsonValue): Uint8Array => bytesOf('lib.v1.Reply', json)

/** A reply that counts what was pulled, and fails where an item is an Error. */
function grpcReply(
  items: readonly (Uint8Array | Error)[],
  status: Partial<GrpcStatus> = {},
  metadata: readonly (readonly [string, string])[] = [],
): GrpcReply & { pulled: () => number; closed: () => boolean } {
  let pulled = 0
  let closed = false
  async function* messages(): AsyncGenerator<Uint8Array> {
    try {
      for (const item of items) {
        pulled++
        if (item instanceof Error) throw item
        yield item
      }
    } finally {
      closed = true
    }
  }
  return {
    kind: 'grpc',
    metadata: new FieldList(metadata),
    messages: messages(),
    status: () => ({ ...fine, ...status }),
    pulled: () => pulled,
    closed: () => closed,
  }
}

async function exchange(request: string, headers: Record<string, string>, policy: Policy): Promise<Translated> {
  const [method = '', target = ''] = request.split(' ')
  const grpc = headers['content-type'] === 'application/grpc'
  const body = { length: undefined, bytes: () => new Uint8Array(5), async *chunks() {} }
  const options = grpc ? ({ httpVersion: '2', body } as const) : {}
  return buildTranslate(
    policy,
    fakePorts(),
  )(
    steered(policy, arrival(method, target, headers, options), {
      readings: [{ limit: 'per-client', quota: 10, windowMs: 60_000, remaining: 3, resetMs: 1500, degraded: false }],
    }),
  )
}

async function answer(request: string, from: GrpcReply, headers: Record<string, string> = {}, translate: Partial<TranslateOptions> = {}): Promise<Outbound> {
  const policy = grpcPolicy(descriptors, ['lib.v1.Library'], { translate: { ...plain, ...translate } })
  return buildRespond(policy, fakePorts())(await exchange(request, headers, policy), from)
}

async function bytes(outbound: Outbound): Promise<Uint8Array> {
  if (outbound.body === undefined || outbound.body instanceof Uint8Array) return outbound.body ?? new Uint8Array()
  const parts: number[] = []
  for await (const chunk of outbound.body) parts.push(...chunk)
  return Uint8Array.from(parts)
}

const text = async (outbound: Outbound): Promise<string> => new TextDecoder().decode(await bytes(outbound))

describe('unary answers in JSON', () => {
  test('are the message, with length, limits and the id of the request', async () => {
    const out = await answer('GET /v1/one/1', grpcReply([reply({ text: 'é', bigNumber: '9007199254740993' })]))
    expect(out.status).toBe(200)
    expect(await text(out)).toBe('{"text":"é","bigNumber":"9007199254740993"}')
    expect(fieldsOf(out.headers)).toMatchObject({
      'content-type': 'application/json',
      'content-length': '44',
      'x-request-id': expect.stringMatching(/\S/),
      ratelimit: expect.stringContaining('r=3'),
    })
  })

  test('are {} for an empty message', async () => {
    expect(await text(await answer('GET /v1/one/1', grpcReply([new Uint8Array()])))).toBe('{}')
  })

  test('follow the options of the route', async () => {
    const out = await answer('GET /v1/one/1', grpcReply([reply({ inner: { displayName: 'x' } })]), {}, { protoNames: true, emitDefaults: true })
    expect(JSON.parse(await text(out))).toMatchObject({ text: '', big_number: '0', items: [], labels: {}, inner: { display_name: 'x' } })
  })

  const shapes: readonly (readonly [path: string, reply: JsonValue, body: string])[] = [
    ['text', { text: 'x' }, '"x"'],
    ['text', {}, '""'],
    ['long', { bigNumber: '5' }, '"5"'],
    ['long', {}, '"0"'],
    ['list', { items: ['a'] }, '["a"]'],
    ['list', {}, '[]'],
    ['map', { labels: { a: 'b' } }, '{"a":"b"}'],
    ['map', {}, '{}'],
    ['message', { inner: { name: 'x' } }, '{"name":"x"}'],
    ['message', {}, '{}'],
    ['time', { at: '2024-01-01T00:00:00Z' }, '"2024-01-01T00:00:00Z"'],
    ['time', {}, 'null'],
  ]
  test.each(shapes)('response_body %s of %j is %s', async (path, json, body) => {
    expect(await text(await answer(`GET /v1/shape/${path}`, grpcReply([reply(json)])))).toBe(body)
  })

  test('google.api.HttpBody goes out raw with its type, as a message and as a field', async () => {
    const whole = await answer('GET /v1/download', grpcReply([bytesOf('google.api.HttpBody', { contentType: 'image/png', data: 'AQL/' })]))
    expect([whole.headers.get('content-type'), await bytes(whole)]).toEqual(['image/png', new Uint8Array([1, 2, 255])])
    const field = await answer('GET /v1/shape/file', grpcReply([reply({ file: { data: 'aGk=' } })]))
    expect([field.headers.get('content-type'), await text(field)]).toEqual(['application/octet-stream', 'hi'])
    const unset = await answer('GET /v1/shape/file', grpcReply([reply({})]))
    expect([unset.headers.get('content-type'), await text(unset)]).toEqual(['application/octet-stream', ''])
  })

  test('metadata and trailers come under a prefix, without the protocol’s own and the mesh’s', async () => {
    const metadata = [
      ['x-own', '1'],
      ['grpc-encoding', 'identity'],
      ['x-envoy-upstream-service-time', '3'],
      ['raw-bin', 'AQ=='],
      ['set-cookie', 'a=b'],
    ] as const
    const out = fieldsOf((await answer('GET /v1/one/1', grpcReply([new Uint8Array()], { trailers: new FieldList([['cost', '7']]) }, metadata))).headers)
    expect(out).toMatchObject({ 'grpc-metadata-x-own': '1', 'grpc-metadata-raw-bin': 'AQ', 'grpc-trailer-cost': '7' })
    expect(Object.keys(out).filter((name) => /encoding|envoy|^set-cookie/.test(name))).toEqual([])
  })

  test('an answer that is none, twice, or unreadable is the upstream’s fault', async () => {
    for (const items of [[], [new Uint8Array(), new Uint8Array()], [new Uint8Array([255])]]) {
      expect((await refusalOf(() => answer('GET /v1/one/1', grpcReply(items))))?.code).toBe('upstream_protocol')
    }
  })
})

describe('gRPC errors in JSON', () => {
  const table: readonly (readonly [code: number, http: number])[] = [
    [1, 499],
    [2, 500],
    [3, 400],
    [4, 504],
    [5, 404],
    [6, 409],
    [7, 403],
    [8, 429],
    [9, 400],
    [10, 409],
    [11, 400],
    [12, 501],
    [13, 500],
    [14, 503],
    [15, 500],
    [16, 401],
    [17, 500],
    [99, 500],
  ]
  test.each(table)('code %i is HTTP %i', async (code, http) => {
    const out = await answer('GET /v1/one/1', grpcReply([], { code, message: 'why' }))
    expect([out.status, out.headers.get('content-type')]).toEqual([http, 'application/json'])
    expect(JSON.parse(await text(out))).toMatchObject({ code })
  })

  test('the message is shown, but not of INTERNAL, UNKNOWN or codes nobody knows', async () => {
    const shown = async (code: number): Promise<string> =>
      (JSON.parse(await text(await answer('GET /v1/one/1', grpcReply([], { code, message: 'secret' })))) as { message: string }).message
    expect(await Promise.all([5, 14, 2, 13, 99].map(shown))).toEqual(['secret', 'secret', 'unknown error', 'internal error', 'unknown error'])
  })

  function details(items: readonly (readonly [type: string, json: JsonValue])[]): Uint8Array {
    const schema = builtinRegistry.getMessage('google.rpc.Status')
    if (schema === undefined) throw new Error('no Status')
    const packed = items.map(([type, json]) => {
      const desc = builtinRegistry.getMessage(type)
      return desc === undefined
        ? create(AnySchema, { typeUrl: `type.googleapis.com/${type}`, value: new Uint8Array([1, 2]) })
        : anyPack(desc, fromJson(desc, json))
    })
    return toBinary(schema, create(schema, { code: 99, message: 'other', details: packed }))
  }

  test('details are decoded, unknown ones stay as bytes, stack traces stay inside, and the headers win', async () => {
    const bin = details([
      ['google.rpc.ErrorInfo', { reason: 'GONE', domain: 'shop' }],
      ['nobody.Knows', {}],
      ['google.rpc.DebugInfo', { detail: 'at line 5' }],
    ])
    const out = await answer('GET /v1/one/1', grpcReply([], { code: 5, message: 'no such book', details: bin }))
    expect(out.status).toBe(404)
    expect(JSON.parse(await text(out))).toEqual({
      code: 5,
      message: 'no such book',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'GONE', domain: 'shop' },
        { '@type': 'type.googleapis.com/nobody.Knows', value: 'AQI=' },
      ],
    })
  })

  test('details that cannot be read never destroy the error', async () => {
    const out = await answer('GET /v1/one/1', grpcReply([], { code: 5, message: 'x', details: new Uint8Array([255, 1]) }))
    expect([out.status, JSON.parse(await text(out))]).toEqual([404, { code: 5, message: 'x', details: [] }])
  })

  test('RetryInfo is Retry-After in whole seconds', async () => {
    const out = await answer('GET /v1/one/1', grpcReply([], { code: 14, details: details([['google.rpc.RetryInfo', { retryDelay: '1.2s' }]]) }))
    expect(out.headers.get('retry-after')).toBe('2')
  })

  test('UNAUTHENTICATED brings a challenge that does not repeat the message', async () => {
    expect((await answer('GET /v1/one/1', grpcReply([], { code: 16, message: 'who?' }))).headers.get('www-authenticate')).toBe('Bearer realm="sallyport"')
  })

  test('Accept can ask for a problem document', async () => {
    const out = await answer('GET /v1/one/1', grpcReply([], { code: 5, message: 'no such book' }), { accept: 'application/problem+json, application/json' })
    expect(out.headers.get('content-type')).toBe('application/problem+json')
    expect(JSON.parse(await text(out))).toMatchObject({
      type: 'urn:sallyport:problem:rpc_not_found',
      title: 'Not found',
      status: 404,
      detail: 'no such book',
      code: 'NOT_FOUND',
      details: [],
    })
    const refused = await answer('GET /v1/one/1', grpcReply([], { code: 5 }), { accept: 'application/problem+json;q=0, application/json' })
    expect(refused.headers.get('content-type')).toBe('application/json')
  })
})

describe('server streams as newline-delimited JSON', () => {
  test('are one plain message per line, pulled', async () => {
    const from = grpcReply([reply({ text: 'a' }), reply({ text: 'b\nc' }), reply({})])
    const out = await answer('GET /v1/watch', from)
    expect([out.status, out.headers.get('content-type'), out.headers.get('content-length')]).toEqual([200, 'application/x-ndjson', undefined])
    expect(from.pulled()).toBe(1)
    expect(await text(out)).toBe('{"text":"a"}\n{"text":"b\\nc"}\n{}\n')
  })

  test('a downstream that goes away lets go of the upstream', async () => {
    const from = grpcReply([reply({ text: 'a' }), reply({ text: 'b' }), reply({ text: 'c' })])
    const { body } = await answer('GET /v1/watch', from)
    if (body === undefined || body instanceof Uint8Array) throw new Error('not a stream')
    const lines = body[Symbol.asyncIterator]()
    await lines.next()
    await lines.return?.()
    expect([from.pulled(), from.closed()]).toEqual([1, true])
  })

  test('an error before the first message has its own status', async () => {
    const out = await answer('GET /v1/watch', grpcReply([], { code: 7, message: 'no' }))
    expect([out.status, JSON.parse(await text(out))]).toEqual([403, { code: 7, message: 'no', details: [] }])
    expect((await refusalOf(() => answer('GET /v1/watch', grpcReply([new Fault('upstream_reset', 'gone')]))))?.code).toBe('upstream_reset')
  })

  test('an empty stream is an empty body', async () => {
    const out = await answer('GET /v1/watch', grpcReply([]))
    expect([out.status, out.headers.get('content-type'), await text(out)]).toEqual([200, 'application/x-ndjson', ''])
  })

  test('an error in mid-stream is a last line', async () => {
    const status = await text(await answer('GET /v1/watch', grpcReply([reply({})], { code: 8, message: 'enough' })))
    expect(status).toBe('{}\n{"error":{"code":8,"message":"enough","details":[]}}\n')
    const hidden = await text(await answer('GET /v1/watch', grpcReply([reply({})], { code: 13, message: 'secret' })))
    expect(hidden).toBe('{}\n{"error":{"code":13,"message":"internal error","details":[]}}\n')
    const broken = await text(await answer('GET /v1/watch', grpcReply([reply({}), new Fault('upstream_reset', 'the upstream broke off')])))
    expect(broken).toBe('{}\n{"error":{"code":14,"message":"the upstream broke off","details":[]}}\n')
    const unknown = await text(await answer('GET /v1/watch', grpcReply([reply({}), new Error('secret')])))
    expect(unknown).toBe('{}\n{"error":{"code":13,"message":"internal error","details":[]}}\n')
  })

  test('a stream of HttpBody is raw bytes, typed by the first, and cut by an error', async () => {
    const pages = [
      bytesOf('google.api.HttpBody', { contentType: 'text/csv', data: 'YSxi' }),
      bytesOf('google.api.HttpBody', { contentType: 'x/y', data: 'Y2Q=' }),
    ]
    const out = await answer('GET /v1/pages', grpcReply(pages))
    expect([out.headers.get('content-type'), await text(out)]).toEqual(['text/csv', 'a,bcd'])
    const cut = await answer('GET /v1/pages', grpcReply(pages, { code: 14 }))
    expect((await refusalOf(() => text(cut)))?.code).toBe('upstream_reset')
  })
})

describe('native gRPC answers', () => {
  const grpc = { 'content-type': 'application/grpc', te: 'trailers' }

  test('are framed again and end in trailers', async () => {
    const details = new Uint8Array([1, 2, 3, 4])
    const status = {
      code: 5,
      message: 'né %\n',
      details,
      trailers: new FieldList([
        ['cost', '7'],
        ['grpc-status', '0'],
      ]),
    }
    const out = await answer('POST /lib.v1.Library/Get', grpcReply([new Uint8Array([7, 8])], status, [['x-own', '1']]), grpc)
    expect(fieldsOf(out.headers)).toMatchObject({ 'content-type': 'application/grpc', 'x-own': '1', ratelimit: expect.stringContaining('r=3') })
    expect(await bytes(out)).toEqual(new Uint8Array([0, 0, 0, 0, 2, 7, 8]))
    expect(fieldsOf(out.trailers?.())).toEqual({ cost: '7', 'grpc-status': '5', 'grpc-message': 'n%C3%A9 %25%0A', 'grpc-status-details-bin': 'AQIDBA' })
  })

  test('an upstream that breaks off is a status too', async () => {
    const out = await answer('POST /lib.v1.Library/Get', grpcReply([new Fault('upstream_message_too_large', 'too large')]), grpc)
    await bytes(out)
    expect(fieldsOf(out.trailers?.())).toEqual({ 'grpc-status': '8', 'grpc-message': 'too large' })
  })
})

test('an HTTP answer goes on without the hop’s and the server’s own fields, its body untouched', async () => {
  const policy = testPolicy({ routes: [testRoute('all', { path: '/{**}' })] })
  const body = new Uint8Array([1])
  const headers = new FieldList([
    ['server', 'x'],
    ['connection', 'x-hop'],
    ['x-hop', '1'],
    ['keep-alive', '1'],
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['x-envoy-upstream-service-time', '1'],
    ['x-request-id', 'theirs'],
  ])
  const from: HttpReply = { kind: 'http', status: 203, headers, body }
  const x = await exchange('GET /', {}, policy)
  const out = await buildRespond(policy, fakePorts())(x, from)
  expect([out.status, out.body]).toEqual([203, body])
  expect(fieldsOf(out.headers)).toEqual({ 'set-cookie': 'a=1,b=2', 'x-request-id': x.id, ratelimit: expect.anything(), 'ratelimit-policy': expect.anything() })
})

describe('rescue', () => {
  const rule = new Fault('forbidden', 'not yours', {
    rule: 'orders/own',
    reason: 'A tenant may use its own orders only.',
    headers: [['x-a', '1']],
    members: { hint: 'x', status: 200 },
    internal: 'secret',
  })

  test('answers problem+json even when nothing was received yet', async () => {
    const out = buildRescue(testPolicy())(openExchange(arrival('GET', '/'), 'r'), new Fault('path_ambiguous', 'two readings', { close: true }))
    expect([out.status, out.close]).toEqual([400, true])
    expect(fieldsOf(out.headers)).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
    expect(JSON.parse(await text(out))).toEqual({
      type: 'urn:sallyport:problem:path_ambiguous',
      title: 'Ambiguous path',
      status: 400,
      detail: 'two readings',
      code: 'path_ambiguous',
    })
  })

  test('names the request and, outside prod, the rule; never what is internal', async () => {
    const policy = testPolicy({ routes: [testRoute('all', { path: '/{**}' })] })
    const x = await exchange('GET /', {}, policy)
    const out = buildRescue(policy)(x, rule)
    const body = await text(out)
    expect(JSON.parse(body)).toMatchObject({ instance: x.id, rule: 'orders/own', reason: 'A tenant may use its own orders only.', hint: 'x', status: 403 })
    expect(body).not.toContain('secret')
    expect(fieldsOf(out.headers)).toMatchObject({ 'x-a': '1', 'x-request-id': x.id, ratelimit: expect.stringContaining('r=3') })
    const prod = await text(buildRescue({ ...policy, environmentClass: 'prod' })(x, rule))
    expect(JSON.parse(prod)).not.toHaveProperty('rule')
    expect(JSON.parse(prod)).toHaveProperty('reason')
  })

  test('says nothing about what nobody foresaw', async () => {
    const out = buildRescue(testPolicy())(openExchange(arrival('GET', '/'), 'r'), Fault.from(new Error('secret')))
    expect([out.status, await text(out)]).toEqual([500, expect.not.stringContaining('secret')])
  })

  test('HEAD has headers alone', () => {
    const out = buildRescue(testPolicy())(openExchange(arrival('HEAD', '/'), 'r'), rule)
    expect([out.body, Number(out.headers.get('content-length'))]).toEqual([undefined, expect.toSatisfy((length: number) => length > 0)])
  })

  test('a native gRPC caller gets trailers alone, however far its request got', () => {
    for (const type of ['application/grpc', 'application/grpc+proto', 'Application/gRPC; x=y']) {
      const out = buildRescue(testPolicy())(
        openExchange(arrival('POST', '/x', { 'content-type': type }), 'r'),
        new Fault('rate_limited', 'né', { headers: [['retry-after', '3']] }),
      )
      expect([out.status, out.body]).toEqual([200, undefined])
      expect(fieldsOf(out.headers)).toMatchObject({ 'content-type': 'application/grpc', 'grpc-status': '8', 'grpc-message': 'n%C3%A9', 'retry-after': '3' })
    }
    const other = buildRescue(testPolicy())(openExchange(arrival('POST', '/x', { 'content-type': 'application/grpcx' }), 'r'), rule)
    expect(other.status).toBe(403)
  })
})
