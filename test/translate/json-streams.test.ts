import { fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { Translated } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Body } from '../../src/core/model/wire.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { refusalOf } from '../support/refusal.ts'
import { grpcPolicy, steered } from '../support/steered.ts'
import { libraryProto } from './library.ts'

let descriptors: Uint8Array
let book: DescriptorBook
let policy: Policy

beforeAll(async () => {
  descriptors = await descriptorsFrom({ 'lib.proto': libraryProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
  policy = grpcPolicy(descriptors, ['lib.v1.Library'])
})

const ndjson = { 'content-type': 'application/x-ndjson' }
const json = { 'content-type': 'application/json' }

/** A body without a stated length, in these chunks; it tells how many were read, and whether it was let go. */
function chunked(...chunks: readonly (string | Uint8Array | Fault)[]): Body & { readonly read: () => number; readonly closed: () => boolean } {
  let read = 0
  let closed = false
  return {
    length: undefined,
    bytes: () => new Uint8Array(),
    async *chunks() {
      try {
        for (const chunk of chunks) {
          read++
          if (chunk instanceof Fault) throw chunk
          yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
        }
      } finally {
        closed = true
      }
    },
    read: () => read,
    closed: () => closed,
  }
}

async function translated(request: string, headers: Record<string, string>, body?: Body | string, under = policy): Promise<Translated> {
  const [method = '', target = ''] = request.split(' ')
  const framed = body === undefined || typeof body === 'string' ? {} : { 'transfer-encoding': 'chunked' }
  return buildTranslate(under, fakePorts())(steered(under, arrival(method, target, { ...framed, ...headers }, body === undefined ? {} : { body })))
}

async function* streamed(request: string, headers: Record<string, string>, body?: Body | string, type = 'lib.v1.Request'): AsyncGenerator<JsonValue> {
  const { call } = await translated(request, headers, body)
  const desc = book.registry.getMessage(type)
  if (call.kind !== 'grpc' || call.messages instanceof Uint8Array || desc === undefined) throw new Error('not a stream')
  for await (const message of call.messages) yield toJson(desc, fromBinary(desc, message), { registry: book.registry })
}

async function all(...asked: Parameters<typeof streamed>): Promise<readonly JsonValue[]> {
  const messages: JsonValue[] = []
  for await (const message of streamed(...asked)) messages.push(message)
  return messages
}

describe('a client’s stream as JSON', () => {
  const bodies: readonly (readonly [name: string, headers: Record<string, string>, body: string | undefined, messages: readonly JsonValue[]])[] = [
    ['lines', ndjson, '{"id":"1"}\n\n{"count":2}\n', [{ id: '1' }, { count: 2 }]],
    ['lines by their other name', { 'content-type': 'application/jsonl; charset=utf-8' }, '{"id":"é"}', [{ id: 'é' }]],
    ['an array', json, '[{"id":"1"},{}]', [{ id: '1' }, {}]],
    ['an empty array', json, '[]', []],
    ['no lines', ndjson, '\n', []],
    ['an empty body', {}, '', []],
    ['no body', {}, undefined, []],
  ]
  test.each(bodies)('is %s', async (_, headers, body, messages) => {
    expect(await all('POST /v1/feed', headers, body)).toEqual(messages)
  })

  test('comes out the same wherever its bytes are cut', async () => {
    const texts = fc.array(fc.record({ id: fc.string({ unit: 'grapheme' }), labels: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }) }), {
      maxLength: 5,
    })
    await fc.assert(
      fc.asyncProperty(texts, fc.boolean(), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (messages, asLines, cuts) => {
        const bytes = new TextEncoder().encode(asLines ? messages.map((one) => JSON.stringify(one)).join('\n') : JSON.stringify(messages))
        const chunks: Uint8Array[] = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const next = at + (cuts[i % cuts.length] ?? 1)
          chunks.push(bytes.subarray(at, next))
          at = next
        }
        const got = await all('POST /v1/feed', asLines ? ndjson : json, chunked(...chunks))
        const filled = got.map((one) => Object.assign({ id: '', labels: {} }, one))
        expect(filled).toEqual(messages.map(({ id, labels }) => ({ id, labels: Object.fromEntries(Object.entries(labels)) })))
      }),
      { numRuns: 60 },
    )
  })

  test('is pulled one message at a time, and let go of when nobody wants more', async () => {
    const body = chunked('{"id":"1"}\n', '{"id":"2"}\n', '{"id":"3"}\n')
    const messages = streamed('POST /v1/feed', ndjson, body)
    expect((await messages.next()).value).toEqual({ id: '1' })
    expect(body.read()).toBe(1)
    expect((await messages.next()).value).toEqual({ id: '2' })
    expect(body.read()).toBe(2)
    await messages.return(undefined)
    expect([body.read(), body.closed()]).toEqual([2, true])
  })

  const broken: readonly (readonly [what: string, headers: Record<string, string>, body: string, code: string, says: string])[] = [
    ['a line that is no JSON', ndjson, '{"id":"1"}\n{"id":\n', 'body_invalid', 'message 2'],
    ['two messages on a line', ndjson, '{"id":"1"}\n{}{}', 'body_invalid', 'message 2'],
    ['a field that is unknown', ndjson, '{}\n{}\n{"inner":{"nope":1}}', 'body_invalid', 'message 3: inner.nope'],
    ['a value that does not fit', json, '[{},{"count":"x"}]', 'body_invalid', 'message 2: count'],
    ['a member twice', json, '[{"id":"1","id":"2"}]', 'body_invalid', 'message 1'],
    ['half of a surrogate pair', ndjson, '{"id":"\\ud800"}', 'body_invalid', 'surrogate'],
    ['no object', json, '[null]', 'body_invalid', 'message 1'],
    ['an object in place of an array', json, '{"id":"1"}', 'body_invalid', 'array'],
    ['an array that does not end', json, '[{"id":"1"},', 'body_invalid', 'ends before'],
    ['too deep a message', ndjson, `${'{"inner":{"deeper":'.repeat(60)}{}${'}}'.repeat(60)}`, 'body_invalid', '100 levels'],
    ['a body of another type', { 'content-type': 'text/plain' }, '{}', 'media_type_unsupported', 'x-ndjson'],
    ['a body in another charset', { 'content-type': 'application/x-ndjson; charset=latin1' }, '{}', 'media_type_unsupported', 'UTF-8'],
    ['a body without a type', {}, '{}', 'media_type_unsupported', 'application/json'],
    ['Connect’s own framing', { 'content-type': 'application/connect+json' }, '{}', 'media_type_unsupported', 'x-ndjson'],
  ]
  test.each(broken)('with %s is refused', async (_, headers, body, code, says) => {
    const fault = await refusalOf(() => all('POST /v1/feed', headers, body))
    expect([fault?.code, fault?.message]).toEqual([code, expect.stringContaining(says)])
  })

  test('with bytes that are not UTF-8 is refused', async () => {
    expect((await refusalOf(() => all('POST /v1/feed', ndjson, chunked(new Uint8Array([0x22, 0xc3, 0x22])))))?.message).toContain('UTF-8')
  })

  test('is held to the limit message by message, not as a whole', async () => {
    policy = grpcPolicy(descriptors, ['lib.v1.Library'], { bodyLimit: 30 })
    const line = '{"id":"12345678901234567"}\n'
    expect(await all('POST /v1/feed', ndjson, chunked(line, line, line))).toHaveLength(3)
    expect((await refusalOf(() => all('POST /v1/feed', ndjson, chunked(line, `{"id":"${'1'.repeat(30)}"}`))))?.code).toBe('body_too_large')
    policy = grpcPolicy(descriptors, ['lib.v1.Library'])
  })

  test('that breaks off is its own fault', async () => {
    const body = chunked('{"id":"1"}\n{"id":', new Fault('client_closed', 'gone'))
    expect((await refusalOf(() => all('POST /v1/feed', ndjson, body)))?.code).toBe('client_closed')
  })

  test('of google.api.HttpBody is the body’s chunks with their type', async () => {
    const messages = await all('POST /v1/stash', { 'content-type': 'text/csv' }, chunked('a,b', '', 'c'), 'google.api.HttpBody')
    expect(messages).toEqual([
      { contentType: 'text/csv', data: 'YSxi' },
      { contentType: 'text/csv', data: 'Yw==' },
    ])
  })
})

describe('path and query of a client’s stream', () => {
  test('are in the first message alone', async () => {
    expect(await all('POST /v1/fill/7', ndjson, '{"count":1}\n{"count":2}')).toEqual([{ id: '7', count: 1 }, { count: 2 }])
    const byField = await all('PATCH /v1/fill/n?count=5', ndjson, '{"size":1}\n{"tags":["a"]}')
    expect(byField).toEqual([
      { inner: { name: 'n', size: 1 }, count: 5, updateMask: 'size' },
      { inner: { tags: ['a'] }, updateMask: 'tags' },
    ])
  })

  test('a later message may repeat what the path says, never contradict it', async () => {
    expect(await all('POST /v1/fill/7', ndjson, '{}\n{"id":"7"}\n{"id":null}')).toEqual([{ id: '7' }, { id: '7' }, {}])
    for (const later of ['{"id":"8"}', '{"id":""}']) {
      const fault = await refusalOf(() => all('POST /v1/fill/7', ndjson, `{}\n${later}`))
      expect([fault?.code, fault?.message]).toEqual(['request_invalid', expect.stringContaining('message 2: the body disagrees with the path about "id"')])
    }
    expect((await refusalOf(() => all('PATCH /v1/fill/n', ndjson, '{}\n{"name":"m"}')))?.code).toBe('request_invalid')
  })

  test('are refused before the service hears of the call', async () => {
    const body = chunked('{}')
    const fault = await refusalOf(() => translated('POST /v1/fill/7?nope=1', ndjson, body))
    expect([fault?.code, body.read()]).toEqual(['request_invalid', 0])
  })

  test('are the one message of a rule without a body', async () => {
    const { call } = await translated('GET /v1/fill/7?count=2', {})
    const desc = book.registry.getMessage('lib.v1.Request')
    if (call.kind !== 'grpc' || !(call.messages instanceof Uint8Array) || desc === undefined) throw new Error('not one message')
    expect(toJson(desc, fromBinary(desc, call.messages))).toEqual({ id: '7', count: 2 })
  })
})

describe('the form of a streamed answer', () => {
  const accepts: readonly (readonly [accept: string, type: string | undefined])[] = [
    ['', 'application/x-ndjson'],
    ['*/*', 'application/x-ndjson'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['application/jsonl', 'application/jsonl'],
    ['Application/X-NDJSON; q=0.3', 'application/x-ndjson'],
    ['application/*;q=0.1', 'application/x-ndjson'],
    ['text/html, */*;q=0.8', 'application/x-ndjson'],
    ['text/event-stream', 'text/event-stream'],
    ['text/*', 'text/event-stream'],
    ['application/json', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    // What is named counts for more than what a wildcard covers.
    ['application/json, text/plain, */*', 'application/json'],
    ['text/event-stream, application/x-ndjson', 'application/x-ndjson'],
    ['text/event-stream, application/x-ndjson;q=0.9', 'text/event-stream'],
    ['application/x-ndjson;q=0.2, application/json;q=0.21', 'application/json'],
    ['text/event-stream;q=0.5, */*;q=0.8', 'application/x-ndjson'],
    ['*/*, application/x-ndjson;q=0, application/jsonl;q=0', 'text/event-stream'],
    ['application/json, application/problem+json', 'application/json'],
    ['application/x-ndjson;q=0', undefined],
    ['application/json;q=2', undefined],
    ['application/problem+json', undefined],
    ['text/html', undefined],
    ['nonsense', undefined],
  ]
  test.each(accepts)('Accept: %s gives %s', async (accept, type) => {
    for (const request of ['GET /v1/watch', 'GET /v1/fill/1']) {
      let found: string | undefined
      const fault = await refusalOf(async () => {
        found = (await translated(request, { accept })).form?.type
      })
      expect([found, fault?.code]).toEqual([type, type === undefined ? 'not_acceptable' : undefined])
      for (const one of ['application/x-ndjson', 'text/event-stream', 'application/json']) expect(fault?.message ?? one).toContain(one)
    }
  })

  test('is NDJSON without Accept, and counts every Accept field', async () => {
    expect((await translated('GET /v1/watch', {})).form?.kind).toBe('ndjson')
    const x = await buildTranslate(
      policy,
      fakePorts(),
    )(
      steered(
        policy,
        arrival('GET', '/v1/watch', [
          ['accept', 'text/html'],
          ['accept', 'application/json'],
        ]),
      ),
    )
    expect(x.form?.kind).toBe('array')
  })

  test('is nothing to choose for one message, nor for raw bytes', async () => {
    expect((await translated('POST /v1/feed', { accept: 'image/png' })).form).toBeUndefined()
    expect((await translated('GET /v1/pages', { accept: 'image/png' })).form).toBeUndefined()
  })
})
