import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildRespond } from '../../src/core/ingress/respond.ts'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcReply, GrpcStatus } from '../../src/core/model/call.ts'
import type { Translated } from '../../src/core/model/exchange.ts'
import { FieldList, noFields } from '../../src/core/model/fields.ts'
import type { TranslateOptions } from '../../src/core/model/translate-options.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { builtinRegistry, type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { arrival, type HeaderInput } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { fieldsOf, grpcPolicy, steered } from '../support/steered.ts'
import { shelfProto } from '../translate/shelf.ts'

const plain: TranslateOptions = { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false }
type Pair = readonly [string, string]
let descriptors: Uint8Array
let book: DescriptorBook

beforeAll(async () => {
  descriptors = await descriptorsFrom({ 'shelf.proto': shelfProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
})

function bytesOf(type: string, json: JsonValue): Uint8Array {
  const desc = book.registry.getMessage(type)
  if (desc === undefined) throw new Error(`no ${type}`)
  return toBinary(desc, fromJson(desc, json))
}

const bookOf = (json: JsonValue) => bytesOf('shelf.v1.Book', json)

interface From {
  readonly messages?: readonly (Uint8Array | Error)[]
  readonly metadata?: readonly Pair[]
  readonly trailers?: readonly Pair[]
  readonly status?: Partial<GrpcStatus>
}

/** Its status is known when its messages have ended well, not before. */
function replyOf({ messages = [], metadata = [], trailers = [], status = {} }: From): GrpcReply & { closed: () => boolean } {
  let ended = messages.length === 0
  let closed = false
  async function* stream(): AsyncGenerator<Uint8Array> {
    try {
      for (const message of messages) {
        if (message instanceof Error) throw message
        yield message
      }
      ended = true
    } finally {
      closed = true
    }
  }
  const end = { code: 0, message: '', details: undefined, trailers: trailers.length === 0 ? noFields : new FieldList(trailers), ...status }
  return {
    kind: 'grpc',
    metadata: new FieldList(metadata),
    messages: stream(),
    closed: () => closed,
    status: () => {
      if (!ended) throw new Error('the status is not known yet')
      return end
    },
  }
}

async function exchanged(
  request: string,
  headers: HeaderInput,
  translate: Partial<TranslateOptions>,
  reply: GrpcReply,
): Promise<{ readonly x: Translated; readonly out: Outbound }> {
  const [method = '', target = ''] = request.split(' ')
  const policy = grpcPolicy(descriptors, ['shelf.v1.Shelf'], { translate: { ...plain, ...translate } })
  const body = method === 'GET' || method === 'HEAD' || method === 'DELETE' ? {} : { body: '{}' }
  const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival(method, target, headers, body)))
  return { x, out: await buildRespond(policy, fakePorts())(x, reply) }
}

async function answer(request: string, translate: Partial<TranslateOptions>, from: From, headers: HeaderInput = {}): Promise<Outbound> {
  return (await exchanged(request, headers, translate, replyOf(from))).out
}

async function text({ body }: Outbound): Promise<string> {
  if (body === undefined) return ''
  const decoder = new TextDecoder()
  if (body instanceof Uint8Array) return decoder.decode(body)
  let whole = ''
  for await (const chunk of body) whole += decoder.decode(chunk)
  return whole
}

const json: HeaderInput = { 'content-type': 'application/json' }
const one = { messages: [new Uint8Array()] }

describe('responseHeaders', () => {
  const metadata: readonly Pair[] = [
    ['x-total', '7'],
    ['x-shop-a', '1'],
    ['x-other', 'o'],
    ['set-cookie', 'a=b'],
    ['content-disposition', 'inline'],
    ['access-control-allow-origin', '*'],
    ['x-request-id', 'forged'],
    ['grpc-encoding', 'gzip'],
    ['x-blob-bin', 'AQ=='],
  ]

  test('promote metadata and trailers under their own name, and the rest stays under its prefix', async () => {
    const trailers: readonly Pair[] = [
      ['x-shop-late', '2'],
      ['x-gone', 'g'],
    ]
    const { headers } = await answer('GET /v1/books/1', { responseHeaders: ['x-total', 'x-shop-*', 'x-blob-bin'] }, { ...one, metadata, trailers })
    expect(fieldsOf(headers)).toMatchObject({
      'x-total': '7',
      'x-shop-a': '1',
      'x-shop-late': '2',
      'x-blob-bin': 'AQ',
      'grpc-metadata-x-other': 'o',
      'grpc-trailer-x-gone': 'g',
      'grpc-metadata-set-cookie': 'a=b',
    })
    for (const name of ['grpc-metadata-x-total', 'x-other', 'set-cookie', 'grpc-encoding']) expect(headers.has(name), name).toBe(false)
  })

  test('never promote what the gateway says itself, and cookies only by their name', async () => {
    const { headers } = await answer('GET /v1/books/1', { responseHeaders: ['s*', 'c*', 'a*', 'x*', 'g*'] }, { ...one, metadata })
    expect(headers.get('x-request-id')).not.toBe('forged')
    for (const name of ['set-cookie', 'content-disposition', 'access-control-allow-origin', 'grpc-encoding']) expect(headers.has(name), name).toBe(false)
    expect((await answer('GET /v1/books/1', { responseHeaders: ['set-cookie'] }, { ...one, metadata })).headers.get('set-cookie')).toBe('a=b')
  })

  test('stand on errors too, where what the gateway says goes before', async () => {
    const from = {
      metadata: [
        ['x-total', '7'],
        ['cache-control', 'max-age=60'],
      ] as const,
      trailers: [['x-why', 'w']] as const,
      status: { code: 5, message: 'no' },
    }
    const { headers, status } = await answer('GET /v1/books/1', { responseHeaders: ['x-total', 'x-why', 'cache-control'] }, from)
    expect(status).toBe(404)
    expect(fieldsOf(headers)).toMatchObject({ 'x-total': '7', 'x-why': 'w', 'cache-control': 'no-store' })
  })
})

describe('trailers of a stream', () => {
  const from = {
    messages: [bookOf, bookOf],
    trailers: [
      ['x-sum', '2'],
      ['x-other', 'o'],
      ['location', '/x'],
    ] as const,
  }
  const watch = (headers: HeaderInput, given: From) => answer('GET /v1/watch/1', { responseHeaders: ['x-sum', 'location'] }, given, headers)
  const messages = () => from.messages.map((make) => make({ id: '1' }))

  test('follow the body for who takes them', async () => {
    const out = await watch({ TE: 'gzip, Trailers' }, { ...from, messages: messages() })
    expect(await text(out)).toBe('{"id":"1"}\n{"id":"1"}\n')
    expect(fieldsOf(out.trailers?.())).toEqual({ 'x-sum': '2', 'grpc-trailer-x-other': 'o' })
  })

  test('are left out for everybody else, and are headers of a stream without messages', async () => {
    expect((await watch({}, { ...from, messages: messages() })).trailers).toBeUndefined()
    const empty = await watch({ te: 'trailers' }, { ...from, messages: [] })
    expect([empty.trailers, empty.headers.get('x-sum'), empty.headers.get('grpc-trailer-x-other')]).toEqual([undefined, '2', 'o'])
  })

  test('are none when the stream breaks', async () => {
    const out = await watch({ te: 'trailers' }, { ...from, messages: [bookOf({ id: '1' }), new Error('gone')] })
    expect(await text(out)).toContain('"error"')
    expect(fieldsOf(out.trailers?.())).toEqual({})
  })
})

describe('statusFrom', () => {
  const options = { statusFrom: 'x-http-code', responseHeaders: ['location'] }
  const saying = async (metadata: readonly Pair[], from: From = {}) => {
    const { x, out } = await exchanged('GET /v1/books/1', {}, options, replyOf({ ...one, metadata, ...from }))
    return [out.status, x.remark, out.headers.has('grpc-metadata-x-http-code')]
  }

  test('sets the status of a success or a redirect', async () => {
    expect(await saying([['x-http-code', '201']])).toEqual([201, undefined, false])
    expect(await saying([], { trailers: [['x-http-code', '202']] })).toEqual([202, undefined, false])
    expect(
      await saying([
        ['x-http-code', '303'],
        ['location', '/v1/books/2'],
      ]),
    ).toEqual([303, undefined, false])
    const out = await answer('GET /v1/books/1', options, { ...one, metadata: [['x-http-code', '204']] })
    expect([out.status, out.body, out.headers.has('content-type'), out.headers.has('content-length')]).toEqual([204, undefined, false, false])
  })

  test('leaves aside any other value, and says so in the record', async () => {
    for (const value of ['404', '500', '100', '600', '20', 'abc', '305', '+201', '2e2'])
      expect(await saying([['x-http-code', value]])).toEqual([200, `x-http-code "${value}" is no status of a success or a redirect`, false])
    expect(await saying([['x-http-code', '302']])).toEqual([200, 'x-http-code "302" has no location among responseHeaders', false])
    expect(
      await saying([
        ['x-http-code', '201'],
        ['x-http-code', '202'],
      ]),
    ).toEqual([200, 'x-http-code "201" is given more than once', false])
    expect((await saying([['x-http-code', 'x'.repeat(99)]]))[1]).toBe('x-http-code is no status of a success or a redirect')
  })

  test('does not touch errors', async () => {
    expect((await saying([['x-http-code', '201']], { messages: [], status: { code: 5 } }))[0]).toBe(404)
  })
})

describe('etag', () => {
  const get = (etag: string, headers: HeaderInput = {}, method = 'GET', path = '/v1/books/1') =>
    answer(
      `${method} ${path}`,
      { etag: true, head: 'fromGet' },
      { messages: [path.includes('find') ? bytesOf('shelf.v1.Found', { book: { id: '1', etag } }) : bookOf({ id: '1', etag })] },
      headers,
    )

  test.each([
    ['"abc"', '"abc"'],
    ['W/"abc"', 'W/"abc"'],
    ['abc', '"abc"'],
    ['BwWKmjvelug=', '"BwWKmjvelug="'],
    ['a b', undefined],
    ['a"b', undefined],
    ['ü', undefined],
    ['', undefined],
  ])('%s of the message is %s of the answer', async (field, header) => {
    expect((await get(field)).headers.get('etag')).toBe(header)
    expect((await get(field, {}, 'GET', '/v1/find/1')).headers.get('etag')).toBe(header)
  })

  test('that the caller knows is 304 without a body', async () => {
    for (const [field, known] of [
      ['abc', '"abc"'],
      ['abc', 'W/"abc"'],
      ['W/"abc"', '"abc"'],
      ['abc', '"x", "abc"'],
      ['abc', '*'],
    ] as const) {
      for (const method of ['GET', 'HEAD']) {
        const out = await get(field, { 'if-none-match': known }, method)
        expect([out.status, out.body, out.headers.has('content-length'), out.headers.has('content-type')]).toEqual([304, undefined, false, false])
        expect(out.headers.get('etag')).toBeDefined()
      }
    }
    for (const other of ['"x"', 'abc', '"ab"']) expect((await get('abc', { 'if-none-match': other })).status).toBe(200)
    // Not for what has no tag, and not for what changes something.
    expect((await get('', { 'if-none-match': '*' })).status).toBe(200)
    const put = await answer('PUT /v1/books/1', { etag: true }, { messages: [bookOf({ etag: 'abc' })] }, { ...json, 'if-none-match': '"abc"' })
    expect([put.status, put.headers.get('etag')]).toEqual([200, '"abc"'])
  })

  test('is nothing without the option', async () => {
    const out = await answer('GET /v1/books/1', {}, { messages: [bookOf({ etag: 'abc' })] }, { 'if-none-match': '"abc"' })
    expect([out.status, out.headers.has('etag')]).toEqual([200, false])
  })

  test.each([
    [{ 'if-match': '"a"' }, true, 9, 412],
    [{ 'if-match': '"a"' }, true, 10, 409],
    [{ 'if-match': '*' }, true, 9, 400],
    [{}, true, 9, 400],
    [{ 'if-match': '"a"' }, false, 9, 400],
  ] as const)('a failed precondition with %j and etag %s, code %i, is %i', async (headers, etag, code, status) => {
    const out = await answer('PUT /v1/books/1', { etag }, { status: { code } }, { ...json, ...headers, accept: 'application/problem+json' })
    expect([out.status, (JSON.parse(await text(out)) as { status: number }).status]).toEqual([status, status])
  })
})

describe('head: fromGet', () => {
  test('answers with the headers of GET and no body', async () => {
    const from = { messages: [bookOf({ id: 'é' })] }
    const [get, head] = [await answer('GET /v1/books/1', {}, from), await answer('HEAD /v1/books/1', { head: 'fromGet' }, from)]
    expect(head.body).toBeUndefined()
    for (const name of ['content-type', 'content-length']) expect(head.headers.get(name)).toBe(get.headers.get(name))
    expect(head.headers.get('content-length')).toBe('11')
    const refused = await answer('HEAD /v1/books/1', { head: 'fromGet' }, { status: { code: 5 } })
    expect([refused.status, refused.body]).toEqual([404, undefined])
  })

  test('lets go of a stream', async () => {
    const reply = replyOf({ messages: [bookOf({ id: '1' }), bookOf({ id: '2' })] })
    const { out } = await exchanged('HEAD /v1/watch/1', {}, { head: 'fromGet' }, reply)
    expect([out.status, out.body, out.headers.get('content-type'), reply.closed()]).toEqual([200, undefined, 'application/x-ndjson', true])
  })
})

test('response_body of a message with required fields, which has no default, is rendered', async () => {
  const proto = `syntax = "proto2"; package old; import "google/api/annotations.proto";
    message M { required string id = 1; repeated string tags = 2; optional int32 size = 3; optional bytes blob = 4; }
    service S {
      rpc Tags(M) returns (M) { option (google.api.http) = { get: "/tags/{id}" response_body: "tags" additional_bindings { get: "/size/{id}" response_body: "size" } additional_bindings { get: "/blob/{id}" response_body: "blob" } }; }
    }`
  const policy = grpcPolicy(await descriptorsFrom({ 'old.proto': proto }), ['old.S'])
  const shown = async (path: string, bytes: readonly number[]) => {
    const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival('GET', path)))
    return text(await buildRespond(policy, fakePorts())(x, replyOf({ messages: [Uint8Array.from(bytes)] })))
  }
  const id = [0x0a, 1, 0x61]
  expect(await shown('/tags/a', [...id, 0x12, 1, 0x62])).toBe('["b"]')
  expect(await shown('/tags/a', id)).toBe('[]')
  expect(await shown('/size/a', [...id, 0x18, 7])).toBe('7')
  expect(await shown('/size/a', id)).toBe('null')
  expect(await shown('/blob/a', [...id, 0x22, 1, 0xff])).toBe('"/w=="')
})

describe('emptyAnswer: 204', () => {
  test('is for google.protobuf.Empty alone, as a message or as the body', async () => {
    const empty = await answer('DELETE /v1/books/1', { emptyAnswer: 204 }, one)
    expect([empty.status, empty.body, empty.headers.has('content-type')]).toEqual([204, undefined, false])
    expect((await answer('POST /v1/clear/1', { emptyAnswer: 204 }, one, json)).status).toBe(204)
    expect((await answer('GET /v1/books/1', { emptyAnswer: 204 }, one)).status).toBe(200)
  })

  test('without it Empty is {}', async () => {
    for (const [request, headers] of [
      ['DELETE /v1/books/1', {}],
      ['POST /v1/clear/1', json],
    ] as const) {
      const out = await answer(request, {}, one, headers)
      expect([out.status, await text(out)]).toEqual([200, '{}'])
    }
  })
})

describe('showInternal', () => {
  const status = { code: 13, message: 'table orders is locked', details: detailsOf() }
  const shown = async (translate: Partial<TranslateOptions>, accept: string) =>
    JSON.parse(await text(await answer('GET /v1/books/1', translate, { status }, { accept }))) as JsonValue

  function detailsOf(): Uint8Array {
    const [desc, info, debug] = ['Status', 'ErrorInfo', 'DebugInfo'].map((name) => builtinRegistry.getMessage(`google.rpc.${name}`))
    if (desc === undefined || info === undefined || debug === undefined) throw new Error('not built in')
    const details = [anyPack(info, fromJson(info, { reason: 'LOCKED' })), anyPack(debug, fromJson(debug, { detail: 'at line 7' }))]
    return toBinary(desc, Object.assign(fromJson(desc, { code: 13 }), { details }))
  }

  test('shows the message and details of INTERNAL and UNKNOWN, but never a stack', async () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'LOCKED' }]
    expect(await shown({ showInternal: true }, '*/*')).toEqual({ code: 13, message: 'table orders is locked', details })
    expect(await shown({ showInternal: true }, 'application/problem+json')).toMatchObject({ detail: 'table orders is locked', details, status: 500 })
    expect(await shown({}, '*/*')).toEqual({ code: 13, message: 'internal error', details: [] })
  })

  test('holds for streams and for Connect', async () => {
    const from = { messages: [bookOf({ id: '1' })], status: { code: 2, message: 'why' } }
    expect(await text(await answer('GET /v1/watch/1', { showInternal: true }, from))).toContain('"why"')
    expect(await text(await answer('GET /v1/watch/1', {}, from))).not.toContain('"why"')
    const connect = { ...json, 'connect-protocol-version': '1' }
    expect(await text(await answer('POST /shelf.v1.Shelf/Get', { showInternal: true }, { status }, connect))).toContain('table orders is locked')
    expect(await text(await answer('POST /shelf.v1.Shelf/Get', {}, { status }, connect))).not.toContain('table orders')
  })
})
