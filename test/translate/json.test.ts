import { fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildTranslate, type Translate } from '../../src/core/ingress/translate.ts'
import type { GrpcCall } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { type ArrivalOptions, arrival, type HeaderInput } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { refusalOf } from '../support/refusal.ts'
import { grpcPolicy, steered } from '../support/steered.ts'
import { libraryProto } from './library.ts'

let descriptors: Uint8Array
let book: DescriptorBook

beforeAll(async () => {
  descriptors = await descriptorsFrom({ 'lib.proto': libraryProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
})

interface Asked {
  readonly headers?: HeaderInput
  readonly body?: ArrivalOptions['body']
  readonly translate?: Partial<Route['translate']>
}

const rooms = new Map<string, { readonly policy: Policy; readonly run: Translate }>()

function built(translate: Route['translate']): { readonly policy: Policy; readonly run: Translate } {
  const key = JSON.stringify(translate)
  const policy = rooms.get(key)?.policy ?? grpcPolicy(descriptors, ['lib.v1.Library'], { translate })
  const room = rooms.get(key) ?? { policy, run: buildTranslate(policy, fakePorts()) }
  rooms.set(key, room)
  return room
}

async function call(request: string, { headers = {}, body, translate = {} }: Asked = {}): Promise<GrpcCall> {
  const [method = '', target = ''] = request.split(' ')
  const options = { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false, ...translate } as const
  const { policy, run } = built(options)
  const asJson: HeaderInput =
    Array.isArray(headers) || 'content-type' in headers
      ? headers
      : [['content-type', 'application/json'], ...Object.entries(headers).map(([name, value]) => [name, String(value)] as const)]
  const x = await run(steered(policy, arrival(method, target, body === undefined ? headers : asJson, body === undefined ? {} : { body })))
  if (x.call.kind !== 'grpc') throw new Error('not a gRPC call')
  return x.call
}

/** The message that a request becomes, in ProtoJSON. */
async function message(request: string, asked: Asked = {}, type = 'lib.v1.Request'): Promise<JsonValue> {
  const { messages } = await call(request, asked)
  const desc = book.registry.getMessage(type)
  if (desc === undefined || !(messages instanceof Uint8Array)) throw new Error('not one message')
  return toJson(desc, fromBinary(desc, messages), { registry: book.registry })
}

describe('path variables', () => {
  const cases: readonly (readonly [request: string, message: JsonValue])[] = [
    ['GET /v1/shelves/1/books/2', { name: 'shelves/1/books/2' }],
    ['GET /v1/one/a%20b', { id: 'a b' }],
    ['GET /v1/one/a%2Fb', { id: 'a/b' }],
    ['GET /v1/one/a%3Ab', { id: 'a:b' }],
    ['GET /v1/one/a+b', { id: 'a+b' }],
    ['GET /v1/one/%252F', { id: '%2F' }],
    ['GET /v1/one/%C3%A9', { id: 'é' }],
    ['GET /v1/deep/x', { inner: { name: 'x' } }],
    ['GET /v1/rest/a%2Fb/c', { name: 'a%2Fb/c' }],
    ['GET /v1/rest', {}],
    ['GET /v1/int/-7', { count: -7 }],
    ['GET /v1/long/9223372036854775807', { total: '9223372036854775807' }],
    ['GET /v1/flag/true', { flag: true }],
    ['GET /v1/color/COLOR_RED', { color: 'COLOR_RED' }],
    ['GET /v1/color/2', { color: 'COLOR_BLUE' }],
    ['GET /v1/color/99', { color: 99 }],
    ['GET /v1/bytes/-_8', { data: '+/8=' }],
    ['GET /v1/at/2024-02-29T00:00:00Z', { at: '2024-02-29T00:00:00Z' }],
    ['GET /v1/wrapped/0', { wrapped: '0' }],
    ['GET /v1/ratio/1.5e3', { ratio: 1500 }],
    ['GET /v1/ratio/-Infinity', { ratio: '-Infinity' }],
  ]
  test.each(cases)('%s', async (request, expected) => {
    expect(await message(request)).toEqual(expected)
  })

  const refused: readonly (readonly [request: string, says: string])[] = [
    ['GET /v1/int/0x10', 'path variable "count": expected an integer'],
    ['GET /v1/int/010', 'path variable "count"'],
    ['GET /v1/int/1e3', 'path variable "count"'],
    ['GET /v1/int/-0', 'path variable "count"'],
    ['GET /v1/int/2147483648', 'path variable "count"'],
    ['GET /v1/long/9223372036854775808', 'path variable "total"'],
    ['GET /v1/flag/1', 'expected true or false'],
    ['GET /v1/flag/TRUE', 'expected true or false'],
    ['GET /v1/color/COLOR_GREEN', 'not a value of lib.v1.Color'],
    ['GET /v1/bytes/a*b', 'expected base64'],
    ['GET /v1/at/2023-02-29T00:00:00Z', 'no such day'],
    ['GET /v1/ratio/0x1', 'expected a number'],
    ['GET /v1/ratio/1e400', 'expected a number'],
  ]
  test.each(refused)('%s is refused', async (request, says) => {
    const fault = await refusalOf(() => message(request))
    expect(fault?.code).toBe('request_invalid')
    expect(fault?.message).toContain(says)
  })
})

describe('query parameters', () => {
  const cases: readonly (readonly [query: string, message: JsonValue])[] = [
    ['', {}],
    ['&&', {}],
    ['count=3&total=4', { count: 3, total: '4' }],
    ['tags=b&tags=a', { tags: ['b', 'a'] }],
    ['tags=a,b', { tags: ['a,b'] }],
    ['colors=COLOR_RED&colors=2', { colors: ['COLOR_RED', 'COLOR_BLUE'] }],
    ['inner.name=x&inner.displayName=y', { inner: { name: 'x', displayName: 'y' } }],
    ['inner.display_name=y', { inner: { displayName: 'y' } }],
    ['inner.deeper.deeper.size=0', { inner: { deeper: { deeper: { size: 0 } } } }],
    ['inner%2Ename=x', { inner: { name: 'x' } }],
    ['otherName=x', { otherName: 'x' }],
    ['long_name=x', { otherName: 'x' }],
    ['id=a+b%2Bc', { id: 'a b+c' }],
    ['id=a;b=c', { id: 'a;b=c' }],
    ['maybe=', { maybe: '' }],
    ['maybe', { maybe: '' }],
    ['note=', { note: '' }],
    ['wrapped=0', { wrapped: '0' }],
    ['at=2024-01-01T00:00:00Z', { at: '2024-01-01T00:00:00Z' }],
    ['update_mask=display_name,inner.tags', { updateMask: 'displayName,inner.tags' }],
    ['updateMask=displayName', { updateMask: 'displayName' }],
    ['left=x', { left: 'x' }],
    ['flag=false', {}],
  ]
  test.each(cases)('?%s', async (query, expected) => {
    expect(await message(`GET /v1/watch?${query}`)).toEqual(expected)
  })

  const refused: readonly (readonly [query: string, says: string])[] = [
    ['nope=1', 'query parameter "nope"'],
    ['inner.nope=1', 'query parameter "inner.nope"'],
    ['count.x=1', 'query parameter "count.x"'],
    ['count=1&count=2', 'given twice'],
    [`inner.${'deeper.'.repeat(99)}name=x`, 'deeper than 100 levels'],
    ['long_name=1&otherName=2', 'given twice'],
    ['count=', 'expected an integer'],
    ['count', 'expected an integer'],
    ['flag=', 'expected true or false'],
    ['color=', 'not a value'],
    ['unsigned=-1', 'expected an integer'],
    ['left=a&right=b', '"left" of the same oneof is already set'],
    ['both.name=a&right=b', '"both" of the same oneof is already set'],
    ['left=a&both.name=b', '"left" of the same oneof is already set'],
    ['inner=x', 'cannot be given in the query'],
    ['inners=x', 'cannot be given in the query'],
    ['inners.name=x', 'query parameter "inners.name"'],
    ['labels=x', 'cannot be given in the query'],
    ['at.seconds=5', 'one text value and no parts'],
    ['wrapped.value=5', 'one text value and no parts'],
    ['update_mask=a_bC', 'not a field path'],
    ['id=%ff', 'UTF-8'],
    ['tags=a&tags=%ff', 'UTF-8'],
    ['data=+%2F8=', 'expected base64'],
  ]
  test.each(refused)('?%s is refused', async (query, says) => {
    const fault = await refusalOf(() => message(`GET /v1/watch?${query}`))
    expect(fault?.code).toBe('request_invalid')
    expect(fault?.message).toContain(says)
  })

  test('unknown parameters are passed over where the route ignores them', async () => {
    expect(await message('GET /v1/watch?nope=1&count=2', { translate: { unknownQuery: 'ignore' } })).toEqual({ count: 2 })
    expect(await message('GET /v1/watch?key=1&utm_source=x&count=2', { translate: { unknownQuery: ['key', 'utm_*'] } })).toEqual({ count: 2 })
    expect((await refusalOf(() => message('GET /v1/watch?other=1', { translate: { unknownQuery: ['key'] } })))?.code).toBe('request_invalid')
  })
})

describe('what the path says stands', () => {
  const refused: readonly (readonly [what: string, request: string, body?: string])[] = [
    ['the query names the variable', 'GET /v1/one/1?id=2'],
    ['the query names it with the same value', 'GET /v1/one/1?id=1'],
    ['the query names it by its JSON name', 'GET /v1/deep/a?inner.name=b'],
    ['the query names a part of it', 'GET /v1/wrapped/1?wrapped.value=2'],
    ['the query names its parent', 'GET /v1/deep/a?inner=x'],
    ['the query names its sibling in a oneof', 'GET /v1/left/a?right=b'],
    ['the query names a field inside its sibling in a oneof', 'GET /v1/left/a?both.name=b'],
    ['the body disagrees', 'POST /v1/books/1', '{"id":"2"}'],
    ['the body disagrees with an empty value', 'POST /v1/books/1', '{"id":""}'],
    ['the body disagrees about a wrapper', 'POST /v1/wrapped/1', '{"wrapped":"2"}'],
    ['the body names a sibling in a oneof', 'POST /v1/left/a', '{"right":"b"}'],
    ['the body names another member of the oneof', 'POST /v1/left/a', '{"both":{"name":"b"}}'],
    ['the body field disagrees', 'PUT /v1/inner/a', '{"name":"b"}'],
    ['with a whole body, the query names the variable', 'POST /v1/books/1?id=2', '{}'],
  ]
  test.each(refused.map(([what, request, body]) => [what, request, body] as const))('%s: refused', async (_, request, body) => {
    const asked = body === undefined ? {} : { body }
    expect((await refusalOf(() => message(request, asked)))?.code).toBe('request_invalid')
    expect((await refusalOf(() => message(request, { ...asked, translate: { unknownQuery: 'ignore' } })))?.code).toBe('request_invalid')
  })

  test('a body that says the same, or nothing, is fine', async () => {
    expect(await message('POST /v1/books/1', { body: '{"id":"1","count":2}' })).toEqual({ id: '1', count: 2 })
    expect(await message('POST /v1/books/1', { body: '{"id":null}' })).toEqual({ id: '1' })
    expect(await message('POST /v1/wrapped/1', { body: '{"wrapped":1}' })).toEqual({ wrapped: '1' })
    expect(await message('POST /v1/left/a', { body: '{"left":"a"}' })).toEqual({ left: 'a' })
    expect(await message('PUT /v1/inner/a', { body: '{"name":"a","size":1}' })).toEqual({ inner: { name: 'a', size: 1 } })
  })

  test('a query beside a variable of the same parent is fine', async () => {
    expect(await message('GET /v1/deep/a?inner.size=3')).toEqual({ inner: { name: 'a', size: 3 } })
  })
})

describe('bodies', () => {
  test('a body field of any kind takes the whole body', async () => {
    expect(await message('PUT /v1/tags', { body: '["a","b"]' })).toEqual({ tags: ['a', 'b'] })
    expect(await message('PUT /v1/count', { body: '7' })).toEqual({ count: 7 })
    expect(await message('PUT /v1/labels', { body: '{"a":"b"}' })).toEqual({ labels: { a: 'b' } })
    expect(await message('PUT /v1/when', { body: '"2024-01-01T00:00:00Z"' })).toEqual({ at: '2024-01-01T00:00:00Z' })
    expect(await message('PUT /v1/total', { body: '9223372036854775807' })).toEqual({ total: '9223372036854775807' })
    expect(await message('PUT /v1/tags?id=x', { body: '[]' })).toEqual({ id: 'x' })
  })

  test('an empty body is the default message, whatever its type', async () => {
    expect(await message('POST /v1/books/1', { body: '' })).toEqual({ id: '1' })
    expect(await message('POST /v1/books/1')).toEqual({ id: '1' })
    expect(await message('PUT /v1/inner/a', { body: '' })).toEqual({ inner: { name: 'a' } })
  })

  test('a body that the rule has no place for is not read', async () => {
    expect(await message('GET /v1/one/1', { body: '{"count":5}' })).toEqual({ id: '1' })
  })

  test('nothing is read from the query when the body is the whole message', async () => {
    expect((await refusalOf(() => message('POST /v1/books/1?count=1', { body: '{}' })))?.code).toBe('request_invalid')
    expect(await message('POST /v1/books/1?count=1', { body: '{}', translate: { unknownQuery: 'ignore' } })).toEqual({ id: '1' })
  })

  test('the query cannot reach into the body field', async () => {
    expect((await refusalOf(() => message('PUT /v1/inner/a?inner.size=3', { body: '{}' })))?.message).toContain('read from the body')
  })

  test('google.api.HttpBody takes any body with its type, and the path and query beside it', async () => {
    expect(await message('POST /v1/upload', { headers: { 'content-type': 'image/png' }, body: new Uint8Array([1, 2, 255]) }, 'google.api.HttpBody')).toEqual({
      contentType: 'image/png',
      data: 'AQL/',
    })
    expect(await message('POST /v1/attach/7?title=x', { headers: { 'content-type': 'text/plain' }, body: 'hi' }, 'lib.v1.Attachment')).toEqual({
      id: '7',
      title: 'x',
      file: { contentType: 'text/plain', data: 'aGk=' },
    })
  })

  const types: readonly (readonly [type: string, taken: boolean])[] = [
    ['application/json', true],
    ['Application/JSON; charset="UTF-8"', true],
    ['application/merge-patch+json', true],
    ['application/json; charset=iso-8859-1', false],
    ['text/json', false],
    ['text/plain', false],
    ['application/x-www-form-urlencoded', false],
    ['application/connect+json', false],
    ['application/grpc-web', false],
    ['application/grpc-web+json', false],
    ['application/proto', false],
    ['json', false],
  ]
  test.each(types)('content type %s is taken: %s', async (type, taken) => {
    const fault = await refusalOf(() => message('POST /v1/books/1', { headers: { 'content-type': type }, body: '{}' }))
    expect(fault?.code).toBe(taken ? undefined : 'media_type_unsupported')
  })

  const empty: readonly (readonly [name: string, body: ArrivalOptions['body']])[] = [
    ['no body', undefined],
    ['a body of length 0', ''],
    ['a body of unknown length that is empty', { length: undefined, bytes: async () => new Uint8Array(), async *chunks() {} }],
  ]
  describe.each(empty)('with %s', (_, body) => {
    const asked = (...types: readonly string[]) =>
      call('POST /v1/books/1', { headers: types.map((type) => ['content-type', type] as const), ...(body === undefined ? {} : { body }) })
    const others = ['application/grpc-web+proto', 'application/grpc-web-text', 'application/proto', 'application/connect+json', 'text/plain', 'json', '']

    test.each(others)('content type "%s" is refused all the same', async (type) => {
      expect((await refusalOf(() => asked(type)))?.code).toBe('media_type_unsupported')
    })

    test('JSON and no content type at all are the empty message', async () => {
      for (const types of [['application/json'], []]) expect((await asked(...types)).messages).toEqual((await call('POST /v1/books/1')).messages)
    })
  })

  test('an HttpBody takes any content type, also with nothing in it', async () => {
    expect((await call('POST /v1/upload', { headers: { 'content-type': 'application/proto' } })).messages).toEqual(new Uint8Array())
  })

  test('a body without a content type is refused', async () => {
    expect((await refusalOf(() => message('POST /v1/books/1', { headers: [], body: '{}' })))?.code).toBe('media_type_unsupported')
  })

  test('a body longer than the limit is refused', async () => {
    const policy = grpcPolicy(descriptors, ['lib.v1.Library'], { bodyLimit: 10 })
    const body = { length: undefined, bytes: (limit: number) => Promise.reject(new Fault('body_too_large', `${limit}`)), async *chunks() {} }
    const x = steered(policy, arrival('POST', '/v1/books/1', { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }, { body }))
    expect((await refusalOf(() => buildTranslate(policy, fakePorts())(x)))?.message).toBe('10')
  })
})

describe('PATCH without an update mask (AIP-134)', () => {
  test('the mask is the members of the body, by proto names, without what the path says', async () => {
    const body = '{"name":"a","displayName":"x","size":null,"deeper":{"tags":["t"],"deeper":{}},"at":"2024-01-01T00:00:00Z"}'
    expect(await message('PATCH /v1/inner/a', { body })).toMatchObject({ updateMask: 'displayName,size,deeper.tags,deeper.deeper,at' })
  })

  test('a mask that is given wins, even an empty one', async () => {
    expect(await message('PATCH /v1/inner/a?update_mask=size', { body: '{"displayName":"x"}' })).toMatchObject({ updateMask: 'size' })
    expect(await message('PATCH /v1/inner/a?update_mask=', { body: '{"displayName":"x"}' })).toMatchObject({ updateMask: '' })
  })

  test('other methods and empty bodies derive nothing', async () => {
    expect(await message('PUT /v1/inner/a', { body: '{"displayName":"x"}' })).not.toHaveProperty('updateMask')
    expect(await message('PATCH /v1/inner/a', { body: '' })).not.toHaveProperty('updateMask')
  })
})

describe('streams of JSON callers', () => {
  test('a server stream is one message in, and marked', async () => {
    expect(await call('GET /v1/watch')).toMatchObject({ path: '/lib.v1.Library/Watch', serverStream: true })
  })

  test('every RPC can be called at its own path', async () => {
    expect(await message('POST /lib.v1.Library/Get', { body: '{"id":"1"}' })).toEqual({ id: '1' })
  })
})

describe('whatever comes, a request becomes a message or a 4xx', () => {
  const octets = fc.uint8Array({ maxLength: 12 }).map((bytes) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''))
  const names = fc.constantFrom(
    'id',
    'count',
    'inner.name',
    'both.size',
    'left',
    'right',
    'tags',
    'at',
    'update_mask',
    'labels',
    'inners',
    'wrapped',
    '__proto__',
    'a.b',
  )
  const query = fc.array(fc.tuple(fc.oneof(names, octets), octets), { maxLength: 5 }).map((pairs) => pairs.map(([key, value]) => `${key}=${value}`).join('&'))
  const path = fc.constantFrom('/v1/one/', '/v1/int/', '/v1/at/', '/v1/bytes/', '/v1/color/', '/v1/rest/', '/v1/books/', '/v1/inner/', '/v1/ratio/')
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.json({ maxDepth: 3 }).map((text) => new TextEncoder().encode(text)),
  )

  test('any bytes in path, query and body', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('GET', 'POST', 'PUT', 'PATCH'), path, octets, query, body, async (method, base, rest, search, bytes) => {
        const fault = await refusalOf(() => call(`${method} ${base}${rest}?${search}`, { body: bytes }))
        expect(fault?.status ?? 400).toBeGreaterThanOrEqual(400)
        expect(fault?.status ?? 400).toBeLessThan(500)
      }),
      { numRuns: 300 },
    )
  })
})
