import { fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcCall } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { TranslateOptions } from '../../src/core/model/translate-options.ts'
import { type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { type ArrivalOptions, arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { fieldsOf, grpcPolicy, steered } from '../support/steered.ts'
import { shelfProto } from './shelf.ts'

const plain: TranslateOptions = { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false }
const json = { 'content-type': 'application/json' }
let descriptors: Uint8Array
let book: DescriptorBook

beforeAll(async () => {
  descriptors = await descriptorsFrom({ 'shelf.proto': shelfProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
})

interface Asked {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: ArrivalOptions['body']
}

async function call(options: Partial<TranslateOptions>, request: string, { headers = {}, body }: Asked = {}): Promise<GrpcCall> {
  const [method = '', target = ''] = request.split(' ')
  const policy = grpcPolicy(descriptors, ['shelf.v1.Shelf'], { translate: { ...plain, ...options } })
  const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival(method, target, headers, body === undefined ? {} : { body })))
  if (x.call.kind !== 'grpc') throw new Error('not a gRPC call')
  return x.call
}

async function message(options: Partial<TranslateOptions>, request: string, asked: Asked, type: string): Promise<JsonValue> {
  const { messages } = await call(options, request, asked)
  const desc = book.registry.getMessage(`shelf.v1.${type}`)
  if (desc === undefined || !(messages instanceof Uint8Array)) throw new Error('not one message')
  return toJson(desc, fromBinary(desc, messages), { registry: book.registry })
}

async function refusal(made: Promise<unknown>): Promise<string> {
  const error: unknown = await made.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Fault)) throw new Error('nothing was refused')
  return `${error.code}: ${error.message}`
}

describe('a query parameter that the route was chosen by', () => {
  const chosenBy = (name: string) => {
    const policy = grpcPolicy(descriptors, ['shelf.v1.Shelf'], { translate: plain })
    const routes = policy.routes.map((route) => ({ ...route, match: { ...route.match, query: [{ name, exact: 'all' }] } }))
    return { ...policy, routes }
  }
  const ask = async (policy: ReturnType<typeof chosenBy>, target: string) => buildTranslate(policy, fakePorts())(steered(policy, arrival('GET', target, {})))

  test('is known though no field takes it', async () => {
    expect((await ask(chosenBy('style'), '/v1/books/7?style=all')).call.kind).toBe('grpc')
  })

  test('does not make others known', async () => {
    expect(await refusal(ask(chosenBy('style'), '/v1/books/7?style=all&other=1'))).toContain('"other" is not a field')
  })
})

describe('head: fromGet', () => {
  test('makes HEAD the call that GET makes', async () => {
    expect((await call({ head: 'fromGet' }, 'HEAD /v1/books/7')).path).toBe('/shelf.v1.Shelf/Get')
    expect(await message({ head: 'fromGet' }, 'HEAD /v1/books/7', {}, 'GetRequest')).toEqual({ id: '7' })
  })

  test('leaves HEAD refused without it, and where there is no GET', async () => {
    const refused = async (options: Partial<TranslateOptions>, target: string) => {
      try {
        await call(options, `HEAD ${target}`)
      } catch (error) {
        if (error instanceof Fault) return [error.code, error.detail.headers?.[0]?.[1]]
        throw error
      }
      return []
    }
    expect(await refused({}, '/v1/books/7')).toEqual(['method_not_allowed', 'DELETE, GET, PATCH, PUT'])
    expect(await refused({ head: 'fromGet' }, '/v1/clear/7')).toEqual(['method_not_allowed', 'POST'])
    // Allow names HEAD where it is taken.
    const policy = grpcPolicy(descriptors, ['shelf.v1.Shelf'], { translate: { ...plain, head: 'fromGet' } })
    expect(() => steered(policy, arrival('POST', '/v1/books/7', json))).toThrow(
      expect.objectContaining({ detail: { headers: [['allow', 'DELETE, GET, HEAD, PATCH, PUT']] } }),
    )
  })
})

describe('requestHeaders', () => {
  test('become metadata under their own name, and no others do', async () => {
    const headers = {
      'x-tenant': 'acme',
      'x-shop-a': '1',
      'x-shop-b': ['2', '3'],
      'x-other': 'no',
      cookie: 'a=b',
      'x-forwarded-user': 'root',
      'x-odd': 'ü',
      'user-agent': 'curl',
    }
    const { metadata } = await call({ requestHeaders: ['x-tenant', 'x-shop-*', 'x-odd', 'x-f*', 'c*', 'u*'] }, 'GET /v1/books/1', { headers })
    expect(fieldsOf(metadata)).toMatchObject({ 'x-tenant': 'acme', 'x-shop-a': '1', 'x-shop-b': '2,3' })
    for (const name of ['x-other', 'cookie', 'x-forwarded-user', 'x-odd', 'user-agent']) expect(metadata.has(name), name).toBe(false)
    expect((await call({}, 'GET /v1/books/1', { headers })).metadata.has('x-tenant')).toBe(false)
  })

  test('with binary values are decoded, padded or not, one by one', async () => {
    const headers = { 'x-blob-bin': ['AQID, /w==', '/w', 'not base64!'] }
    expect((await call({ requestHeaders: ['x-blob-bin'] }, 'GET /v1/books/1', { headers })).metadata.all('x-blob-bin')).toEqual(['AQID', '/w', '/w'])
  })
})

describe('etag', () => {
  const match = (tag: string | readonly string[]) => ({ headers: { ...json, 'if-match': tag }, body: '{"title":"x"}' })

  test.each<[NonNullable<TranslateOptions['etag']>, string, string | undefined]>([
    [true, '"abc"', '"abc"'],
    [true, 'W/"abc"', 'W/"abc"'],
    ['bare', '"abc"', 'abc'],
    ['bare', 'W/"abc"', 'W/"abc"'],
    [true, '*', undefined],
    [false, '"abc"', undefined],
  ])('%s: If-Match %s is the field %s of the request, or of the resource in its body', async (etag, tag, field) => {
    const said = field === undefined ? {} : { etag: field }
    expect(await message({ etag }, 'PUT /v1/books/1', match(tag), 'Book')).toEqual({ id: '1', title: 'x', ...said })
    expect(await message({ etag }, 'PATCH /v1/books/1', match(tag), 'UpdateRequest')).toEqual({ book: { id: '1', title: 'x', ...said }, updateMask: 'title' })
    expect(await message({ etag }, 'DELETE /v1/books/1', { headers: { 'if-match': tag } }, 'DeleteRequest')).toEqual({ id: '1', ...said })
  })

  test.each([
    ['two tags', 'PUT /v1/books/1', { 'if-match': '"a", "b"' }, '{}', 'one entity tag'],
    ['no tag', 'PUT /v1/books/1', { 'if-match': 'abc' }, '{}', 'one entity tag'],
    ['another tag in the body', 'PUT /v1/books/1', { 'if-match': '"a"' }, '{"etag":"\\"b\\""}', 'disagrees'],
    ['another tag in the resource', 'PATCH /v1/books/1', { 'if-match': '"a"' }, '{"etag":"\\"b\\""}', 'disagrees'],
    ['another tag in the query', 'DELETE /v1/books/1?etag=b', { 'if-match': '"a"' }, undefined, 'disagrees'],
    ['no field for it', 'POST /v1/books/1:count', { 'if-match': '"a"' }, '{}', 'takes no If-Match'],
  ])('If-Match with %s is refused', async (_, request, headers, body, why) => {
    const asked = body === undefined ? { headers } : { headers: { ...json, ...headers }, body }
    expect(await refusal(call({ etag: true }, request, asked))).toMatch(new RegExp(`^request_invalid: .*${why}`))
  })

  test('If-Match that the body repeats is fine, and on GET it is left alone', async () => {
    const asked = { headers: { ...json, 'if-match': '"a"' }, body: '{"etag":"\\"a\\""}' }
    expect(await message({ etag: true }, 'PUT /v1/books/1', asked, 'Book')).toEqual({ id: '1', etag: '"a"' })
    expect(await message({ etag: true }, 'GET /v1/books/1', { headers: { 'if-match': '"a"' } }, 'GetRequest')).toEqual({ id: '1' })
  })
})

describe('queryMaps', () => {
  const list = (query: string, options: Partial<TranslateOptions> = { queryMaps: true }) => message(options, `GET /v1/books?${query}`, {}, 'ListRequest')

  test.each<[string, JsonValue]>([
    ['labels[a]=1&labels[b]=2', { labels: { a: '1', b: '2' } }],
    ['labels%5Ba%5D=x+y', { labels: { a: 'x y' } }],
    ['labels[a%255B]=1', { labels: { 'a%5B': '1' } }],
    ['labels[a.b[c]]=1', { labels: { 'a.b[c]': '1' } }],
    ['labels[__proto__]=1', { labels: JSON.parse('{"__proto__":"1"}') as JsonValue }],
    ['kinds[7]=KIND_PAPER&kinds[-1]=0', { kinds: { '7': 'KIND_PAPER', '-1': 'KIND_UNSPECIFIED' } }],
    ['flags[true]=9007199254740993', { flags: { true: '9007199254740993' } }],
    ['times[a]=2024-01-01T00:00:00Z', { times: { a: '2024-01-01T00:00:00Z' } }],
    ['nested.labels[a]=1', { nested: { labels: { a: '1' } } }],
    ['labels[a]=', { labels: { a: '' } }],
  ])('%s is %j', async (query, json) => {
    expect(await list(query)).toEqual(json)
  })

  test.each([
    ['labels[]=1', 'the key is empty'],
    ['labels[a]=1&labels%5Ba%5D=2', 'the key is given twice'],
    ['kinds[x]=1', 'the key: expected'],
    ['kinds[2147483648]=1', 'the key: expected'],
    ['flags[yes]=1', 'the key: expected true or false'],
    ['kinds[1]=NOPE', 'not a value'],
    ['books[a]=1', 'no map'],
    ['name[a]=1', 'no map'],
    ['nowhere[a]=1', 'not a field'],
    ['labels=1', 'cannot be given'],
    ['labels[a=1', 'not a field'],
  ])('%s is refused', async (query, why) => {
    expect(await refusal(list(query))).toMatch(new RegExp(`^request_invalid: query parameter .*${why}`))
  })

  test('without it a map is no parameter', async () => {
    expect(await refusal(list('labels[a]=1', {}))).toContain('not a field')
    expect(await list('labels[a]=1', { unknownQuery: 'ignore' })).toEqual({})
  })
})

describe('unexpectedBody: reject', () => {
  const chunked = (...parts: readonly string[]) => ({
    length: undefined,
    bytes: () => new Uint8Array(),
    async *chunks() {
      for (const part of parts) yield new TextEncoder().encode(part)
    },
  })

  test('refuses a body that the rule has no place for', async () => {
    const { unexpectedBody } = { unexpectedBody: 'reject' } as const
    expect(await refusal(call({ unexpectedBody }, 'DELETE /v1/books/1', { headers: json, body: '{}' }))).toBe('body_invalid: this request takes no body')
    const headers = { 'transfer-encoding': 'chunked' }
    expect(await refusal(call({ unexpectedBody }, 'DELETE /v1/books/1', { headers, body: chunked('', '{}') }))).toBe('body_invalid: this request takes no body')
    expect((await call({ unexpectedBody }, 'DELETE /v1/books/1', { headers, body: chunked('') })).path).toBe('/shelf.v1.Shelf/Delete')
    expect((await call({ unexpectedBody }, 'DELETE /v1/books/1')).path).toBe('/shelf.v1.Shelf/Delete')
    expect((await call({ unexpectedBody }, 'PUT /v1/books/1', { headers: json, body: '{}' })).path).toBe('/shelf.v1.Shelf/Replace')
  })

  test('without it the body is not read', async () => {
    expect((await call({}, 'DELETE /v1/books/1', { headers: json, body: 'not even JSON' })).path).toBe('/shelf.v1.Shelf/Delete')
  })
})
