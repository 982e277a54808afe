import { isDeepStrictEqual } from 'node:util'
import { type DescField, type DescMessage, fromBinary, type JsonObject, type JsonValue, type Registry, toJson } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { readDescriptors } from '../../src/core/protobuf.ts'
import { anyCharacter } from '../support/any-character.ts'
import { sideEffectFree } from '../support/idempotent.ts'
import { untilTheEnd } from '../support/keep.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { envelope } from '../support/raw.ts'
import { type Asked, type Came, type Door, socketDoors, walkDoor } from './bytes/doors.ts'
import { judgeJson, judgeValue, multiText, queryJson, segmentsOf, type Verdict } from './bytes/oracle.ts'
import { libraryProto } from './library.ts'

/*
 * Bad client input never gives a 5xx and never reaches the upstream. Each property sends bytes that are valid, almost valid or noise; what is right
 * is said by an oracle that shares no code with the gateway. Long run: `BYTES_RUNS=100000 npx vitest run test/translate/bytes.test.ts`.
 *
 * 5xx that bad input may get, because they say what the gateway does not do or that the caller's own time is over: 501 for methods that no gateway
 * takes and for codings that are not spoken, 504 for a deadline that the request itself states. Messages in binary protobuf are handed on as they
 * are: the gateway does not look into them, and the service says INVALID_ARGUMENT or INTERNAL in its own words.
 */
const runs = Number(process.env['BYTES_RUNS'] ?? 200)
const seed = Number(process.env['BYTES_SEED'] ?? 20261120)
const time = 20_000 + runs * 50

const wildProto = `
syntax = "proto3";
package wild.v1;
import "google/api/annotations.proto";
service Wild {
  rpc One(Named) returns (Named) { option (google.api.http) = { get: "/v1/wild/one/{id}" }; }
  rpc Archive(Named) returns (Named) { option (google.api.http) = { get: "/v1/wild/one/{id}:archive" }; }
  rpc Books(Named) returns (Named) { option (google.api.http) = { get: "/v1/wild/{name=shelves/*/books/**}" }; }
  rpc Rest(Named) returns (Named) { option (google.api.http) = { get: "/v1/wild/rest/{name=**}" }; }
  rpc Stop(Named) returns (Named) { option (google.api.http) = { get: "/v1/wild/rest/{name=**}:stop" }; }
  rpc Pair(Named) returns (Named) { option (google.api.http) = { get: "/v1/wild/pair/{inner.id}/{name}" }; }
}
message Named { string id = 1; string name = 2; Named inner = 3; }
`

const keep = untilTheEnd()
let registry: Registry
let doors: readonly (readonly [door: Door, runs: number])[]
let walk: Door

beforeAll(async () => {
  const descriptors = sideEffectFree(await descriptorsFrom({ 'library.proto': libraryProto, 'wild.proto': wildProto }), ['Get'])
  const book = readDescriptors(descriptors)
  if ('problem' in book) throw new Error(book.problem)
  registry = book.registry
  const services = ['lib.v1.Library', 'wild.v1.Wild']
  const methods = Object.fromEntries(services.map((name) => [name, registry.getService(name)?.methods.map((method) => method.name) ?? []]))
  walk = await walkDoor(descriptors, services)
  const [tcp, h2] = await socketDoors(keep, descriptors, methods)
  if (tcp === undefined || h2 === undefined) throw new Error('two doors')
  // Over sockets a tenth: the bytes are the same, the listeners are not.
  doors = [
    [walk, runs],
    [tcp, Math.ceil(runs / 10)],
    [h2, Math.ceil(runs / 10)],
  ]
}, 60_000)

const request = () => messageOf('lib.v1.Request')

function messageOf(name: string): DescMessage {
  const found = registry.getMessage(name)
  if (found === undefined) throw new Error(`no message ${name}`)
  return found
}

async function everywhere<T>(input: fc.Arbitrary<T>, check: (door: Door, value: T) => Promise<void>): Promise<void> {
  for (const [door, numRuns] of doors)
    await fc.assert(
      fc.asyncProperty(input, (value) => check(door, value)),
      { seed, numRuns },
    )
}

const shown = (desc: DescMessage, bytes: Uint8Array): JsonValue => toJson(desc, fromBinary(desc, bytes), { registry })

/** What a property says must be: it is tried many times, and what fails is shown with its input. */
function same(actual: unknown, wanted: unknown): void {
  if (!isDeepStrictEqual(actual, wanted)) throw new Error(`${JSON.stringify(actual)} is not ${JSON.stringify(wanted)}`)
}

function within(actual: number, least: number, most: number): void {
  if (!(actual >= least && actual <= most)) throw new Error(`${actual} is not from ${least} to ${most}`)
}

/** A refusal of the downstream's own making: no call, or for streams a call that was broken off. */
function expectRefused(came: Came): void {
  within(came.status, 400, 499)
  same(came.calls, [])
}

function expectCalled(came: Came, path: string, desc: DescMessage, bytes: Uint8Array): void {
  same({ status: came.status, body: came.status === 200 ? '' : came.body.toString() }, { status: 200, body: '' })
  same(
    came.calls.map((call) => call.path),
    [path],
  )
  const [message, ...more] = came.calls[0]?.messages ?? []
  same(more, [])
  same(shown(desc, message ?? new Uint8Array([0])), shown(desc, bytes))
}

describe('paths', () => {
  const pieces = [
    'a',
    'b',
    'books',
    'shelves',
    'one',
    'rest',
    'x:archive',
    'x:y:archive',
    ':archive',
    'x:stop',
    ':stop',
    'x:',
    'arch%69ve',
    'x:arch%69ve',
    'x%3Aarchive',

    '%2F',
    '%2f',
    'a%2Fb',
    '%252F',
    '%25',
    '%',
    '%2',
    '%zz',
    '%3A',
    '%20',
    '+',
    'a+b',
    '@',
    ';',
    'a;b',
    '..;a',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '.%2F..',
    '...',

    '%C3%A9',
    '%c3%a9',
    '%C3',
    '%E2%82%AC',
    '%ED%A0%80',
    '%F0%9F%98%80',
    '%C0%AF',
    '%FF',
    '%EF%BB%BF',
    '%00',
    '%0D%0A',
    '%7F',
    '%5C',
    '\\',
    '*',
    '**',
    '{id}',
    '',
    '~',
    '%7E',
    '"',
    '<',
    '|',
    '^',
    '`',
    "'",
    '(',
    '=',
    '&',
    '__proto__',
  ]
  const segment = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...pieces) },
    { weight: 2, arbitrary: fc.array(fc.constantFrom(...pieces), { maxLength: 3 }).map((parts) => parts.join('')) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')),
    },
  )
  const kind = fc.constantFrom('one', 'rest', 'shelves', 'pair', 'r%65st', 'rest:stop', 'shelves/s1/books', 'shelves/%2F/b%6Foks', 'other')
  const path = fc
    .tuple(kind, fc.array(segment, { maxLength: 4 }))
    .map(([first, rest]) => ['/v1/wild', first, ...rest].join('/'))
    .filter((text) => !/[\\"<|^`]/.test(text) || text.length < 200)

  it('reach the RPC whose template they fit, with the variables decoded once, or nothing', { timeout: time }, async () => {
    await expect(
      everywhere(path, async (door, target) => {
        const came = await door.ask({ method: 'GET', target })
        const expected = expectedOf(target)
        if (expected === undefined) return expectRefused(came)
        const verdict = judgeValue(registry, messageOf('wild.v1.Named'), expected.message)
        if (verdict.is !== 'valid') throw new Error('the oracle made no message')
        expectCalled(came, `/wild.v1.Wild/${expected.rpc}`, messageOf('wild.v1.Named'), verdict.bytes)
      }),
    ).resolves.toBeUndefined()
  })
})

/** The RPC and message of a path by http.proto, read segment by segment. */
function expectedOf(path: string): { readonly rpc: string; readonly message: JsonObject } | undefined {
  const all = segmentsOf(path)
  if (all === undefined || all.at(-1)?.raw === '' || all[0]?.text !== 'v1' || all[1]?.text !== 'wild') return undefined
  const [kind, ...rest] = all.slice(2)
  const last = all.at(-1)
  if (kind === undefined || last === undefined) return undefined
  const colon = last.raw.lastIndexOf(':')
  const verb = colon > 0 ? decodeURIComponent(last.raw.slice(colon + 1)) : undefined
  const before = { raw: last.raw.slice(0, colon), text: '' }
  const withoutVerb = (segments: typeof all) => [...segments.slice(0, -1), before]
  if (kind.text === 'one' && rest.length === 1) {
    return verb === 'archive' ? { rpc: 'Archive', message: { id: decodeURIComponent(before.raw) } } : { rpc: 'One', message: { id: last.text } }
  }
  if (rest.length === 0 && verb === 'stop' && decodeURIComponent(before.raw) === 'rest') return { rpc: 'Stop', message: {} }
  if (kind.text === 'rest') {
    return verb === 'stop' && rest.length > 0
      ? { rpc: 'Stop', message: { name: multiText(withoutVerb(rest)) } }
      : { rpc: 'Rest', message: { name: multiText(rest) } }
  }
  if (kind.text === 'shelves' && rest[1]?.text === 'books') return { rpc: 'Books', message: { name: multiText([kind, ...rest]) } }
  if (kind.text === 'pair' && rest.length === 2) return { rpc: 'Pair', message: { inner: { id: rest[0]?.text ?? '' }, name: rest[1]?.text ?? '' } }
  return undefined
}

const inner: fc.Arbitrary<JsonObject> = fc.letrec<{ inner: JsonObject }>((tie) => ({
  inner: fc.record(
    {
      name: fc.string({ unit: anyCharacter }),
      displayName: fc.string(),
      deeper: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.constant({}), tie('inner')),
      tags: fc.array(fc.string(), { maxLength: 3 }),
      at: fc.constantFrom('2026-01-31T12:00:00Z', '2026-02-30T12:00:00Z', 'now'),
      size: fc.integer(),
    },
    { requiredKeys: [] },
  ),
})).inner

const anyValue = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>
const orAnything = (value: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 40, arbitrary: value }, { weight: 1, arbitrary: anyValue }, { weight: 1, arbitrary: fc.constant(null) })

/** Mostly right, with a member of the wrong kind now and then. */
const members: fc.Arbitrary<JsonObject> = fc.record(
  {
    name: orAnything(fc.string({ unit: anyCharacter })),
    id: fc.constantFrom('b1', 'b2', '', null),
    inner: orAnything(inner),
    count: orAnything(fc.oneof(fc.integer(), fc.integer().map(String))),
    total: orAnything(fc.oneof(fc.integer(), fc.integer().map(String), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String))),
    flag: orAnything(fc.boolean()),
    color: orAnything(fc.constantFrom('COLOR_RED', 'COLOR_GREEN', 1, 7, 1.5, -1)),
    data: orAnything(fc.base64String()),
    ratio: orAnything(
      fc.oneof(
        fc.integer().map((value) => value / 8),
        fc.integer(),
        fc.double(),
        fc.constantFrom('0.5', 'x'),
      ),
    ),
    tags: orAnything(fc.array(orAnything(fc.string()), { maxLength: 3 })),
    labels: orAnything(fc.dictionary(fc.constantFrom('__proto__', 'constructor', 'a', '', 'toString'), orAnything(fc.string()))),
    left: fc.string(),
    note: orAnything(fc.string()),
    otherName: fc.string(),
    unsigned: orAnything(fc.integer({ min: -5, max: 2 ** 33 })),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>

/** Now and then with one more member than there may be. */
const content = fc
  .tuple(members, fc.nat(6), fc.constantFrom('unknown', '__proto__', 'right', 'long_name', 'both'), anyValue)
  .map(([value, rare, name, more]): JsonObject => (rare === 0 ? Object.fromEntries([...Object.entries(value), [name, more]]) : value))

type Change = readonly [kind: string, at: number, what: number]
const change: fc.Arbitrary<Change> = fc.tuple(
  fc.constantFrom('cut', 'drop', 'put', 'set', 'twice', 'swap', 'flip'),
  fc.double({ min: 0, max: 0.999, noNaN: true }),
  fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\ \n\r\t0-eE.ntf')), fc.nat(255)),
)
/** Mostly none or one: two broken places hide each other. */
const changes = fc.array(change, { maxLength: 2, size: '-1' })

function changed(bytes: Buffer, all: readonly Change[]): Buffer {
  return all.reduce((now, [kind, where, what]) => {
    const at = Math.floor(where * now.length)
    const [head, tail] = [now.subarray(0, at), now.subarray(at)]
    const byte = Buffer.of(what)
    switch (kind) {
      case 'cut':
        return head
      case 'drop':
        return Buffer.concat([head, tail.subarray(1)])
      case 'put':
        return Buffer.concat([head, byte, tail])
      case 'set':
        return Buffer.concat([head, byte, tail.subarray(1)])
      case 'twice':
        return Buffer.concat([head, tail.subarray(0, what), tail])
      case 'swap':
        return Buffer.from(
          now
            .toString('latin1')
            .replace('":', '" :')
            .replace(',', what % 2 === 0 ? ',,' : ' , '),
          'latin1',
        )
      default:
        return Buffer.concat([head, Buffer.of((tail[0] ?? 0) ^ (1 << (what % 8))), tail.subarray(1)])
    }
  }, bytes)
}

const odd = fc.constantFrom(
  '',
  ' ',
  'null',
  '[]',
  '"x"',
  '1',
  '{',
  '}',
  '{}{}',
  '{},',
  '{} ',
  '\n{}\n',
  '\uFEFF{}',
  "{'name':'x'}",
  '{name:"x"}',
  '{"name":"x",}',
  '{"tags":[1,]}',
  '//\n{}',
  '{"total":1e400}',
  '{"total":-0}',
  '{"count":1.0}',
  '{"name":"\\ud800"}',
  '{"\\ud800":1}',
  '{"na\\u006de":"x","name":"y"}',
  '{"__proto__":{"name":"x"}}',

  '{"labels":{"__proto__":"x"}}',
  '{"name":"\u0000"}',
  '{"name":"\\u0000"}',
  `{"total":${'9'.repeat(4000)}}`,
  `{"ratio":${'9'.repeat(400)}}`,
  '{"left":"a","right":"b"}',
)
const deep = fc
  .tuple(fc.integer({ min: 60, max: 130 }), fc.constantFrom('object', 'array'))
  .map(([depth, of]) =>
    of === 'object' ? `${'{"inner":'.slice(0, 9)}${'{"deeper":'.repeat(depth)}{}${'}'.repeat(depth)}}` : `{"tags":${'['.repeat(depth)}${']'.repeat(depth)}}`,
  )
const json: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(content, changes).map(([value, all]) => changed(Buffer.from(JSON.stringify(value)), all)) },
  { weight: 2, arbitrary: fc.oneof(odd, deep).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
)
const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 })

/** What the body of a rule with the path variable `id` comes to: the path stands, and the body may not say otherwise. */
function withId(verdict: Verdict, id: string): Verdict {
  if (verdict.is !== 'valid') return verdict
  const body = verdict.json as JsonObject
  if (body['id'] !== undefined && body['id'] !== null && body['id'] !== id) return { is: 'invalid' }
  return judgeValue(registry, request(), { ...body, id })
}

describe('JSON', () => {
  const typed = { 'content-type': 'application/json' }

  it('in a body is the message it says, or is refused', { timeout: time }, async () => {
    await expect(
      everywhere(json, async (door, body) => {
        const came = await door.ask({ method: 'POST', target: '/v1/books/b1', headers: typed, body })
        const verdict = withId(body.length === 0 ? { is: 'valid', json: {}, bytes: body } : judgeJson(registry, request(), body), 'b1')
        if (verdict.is === 'valid') expectCalled(came, '/lib.v1.Library/Create', request(), verdict.bytes)
        else if (verdict.is === 'invalid' || came.calls.length === 0) expectRefused(came)
        else same(came.status, 200)
      }),
    ).resolves.toBeUndefined()
  })

  it('in the Connect protocol too', { timeout: time }, async () => {
    await expect(
      everywhere(json, async (door, body) => {
        const headers = { 'content-type': 'application/json', 'connect-protocol-version': '1' }
        const came = await door.ask({ method: 'POST', target: '/lib.v1.Library/Get', headers, body })
        // A call of an RPC whose automatic rule takes JSON: the Connect dialect has the same strictness, and no empty body.
        const verdict = judgeJson(registry, request(), body)
        if (verdict.is === 'valid') expectCalled(came, '/lib.v1.Library/Get', request(), verdict.bytes)
        else if (verdict.is === 'invalid' || came.calls.length === 0) expectRefused(came)
        else same(came.status, 200)
      }),
    ).resolves.toBeUndefined()
  })

  it('in the query of a Connect GET too', { timeout: time }, async () => {
    const escaped = fc.tuple(json, fc.boolean()).filter(([body]) => body.length < 2000)
    await expect(
      everywhere(escaped, async (door, [body, inBase64]) => {
        const message = inBase64 ? `${body.toString('base64url')}&base64=1` : [...body].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
        const came = await door.ask({ method: 'GET', target: `/lib.v1.Library/Get?connect=v1&encoding=json&message=${message}` })
        const verdict = judgeJson(registry, request(), body)
        if (verdict.is === 'valid') expectCalled(came, '/lib.v1.Library/Get', request(), verdict.bytes)
        else if (verdict.is === 'invalid' || came.calls.length === 0) expectRefused(came)
        else same(came.status, 200)
      }),
    ).resolves.toBeUndefined()
  })

  it('by lines gives the messages before the first that is wrong, and a refusal for that', { timeout: time }, async () => {
    const lines = fc.array(fc.tuple(json, fc.constantFrom('\n', '\r\n', '\n\n', ' \n')), { maxLength: 4 })
    await expect(
      everywhere(fc.tuple(lines, cuts), async (door, [all, sizes]) => {
        const body = Buffer.concat(all.flatMap(([line, end]) => [line, Buffer.from(end)]))
        const came = await door.ask({ method: 'POST', target: '/v1/feed', headers: { 'content-type': 'application/x-ndjson' }, body, cuts: sizes })
        const items = body
          .toString('latin1')
          .split('\n')
          .filter((line) => !/^[ \t\r]*$/.test(line))
        expectStream(
          came,
          items.map((line) => judgeJson(registry, request(), Buffer.from(line, 'latin1'))),
        )
      }),
    ).resolves.toBeUndefined()
  })

  it('in an array gives the messages before the first that is wrong, and a refusal for that', { timeout: time }, async () => {
    const clean = fc.array(content, { maxLength: 4 }).map((items) => Buffer.from(JSON.stringify(items)))
    await expect(
      everywhere(fc.tuple(fc.tuple(clean, changes), cuts), async (door, [[array, all], sizes]) => {
        const body = changed(array, all)
        const came = await door.ask({ method: 'POST', target: '/v1/feed', headers: { 'content-type': 'application/json' }, body, cuts: sizes })
        const whole = parsedArray(body)
        if (whole !== undefined) return expectStream(came, whole)
        if (body.toString('latin1').trim() === '') return expectStream(came, [])
        within(came.status, 400, 499)
        within(came.status, 200, 499)
        same(
          came.calls.filter((call) => call.whole),
          [],
        )
      }),
    ).resolves.toBeUndefined()
  })
})

/** Each item judged; undefined when the body as a whole is no strict JSON array, `unsure` for all where one of them is. */
function parsedArray(body: Buffer): readonly Verdict[] | undefined {
  const list = messageOf('google.protobuf.ListValue')
  if (judgeJson(registry, list, body).is === 'invalid') return undefined
  const items = JSON.parse(body.toString()) as JsonValue[]
  return items.map((item) => (judgeJson(registry, list, body).is === 'unsure' ? { is: 'unsure' } : judgeValue(registry, request(), item)))
}

function expectStream(came: Came, verdicts: readonly Verdict[]): void {
  within(came.calls.length, 0, 1)
  const messages = came.calls[0]?.messages ?? []
  const first = verdicts.findIndex(({ is }) => is !== 'valid')
  const good = (first < 0 ? verdicts : verdicts.slice(0, first)).flatMap((verdict) => (verdict.is === 'valid' ? [verdict.bytes] : []))
  const firstBad = verdicts[first]
  if (firstBad === undefined) {
    same({ status: came.status, body: came.status === 200 ? '' : came.body.toString() }, { status: 200, body: '' })
    same(
      messages.map((bytes) => shown(request(), bytes)),
      good.map((bytes) => shown(request(), bytes)),
    )
    return
  }
  within(came.status, 200, 499)
  const known = messages.slice(0, good.length)
  same(
    known.map((bytes) => shown(request(), bytes)),
    good.slice(0, known.length).map((bytes) => shown(request(), bytes)),
  )
  if (firstBad.is !== 'invalid') return
  within(came.status, 400, 499)
  within(messages.length, 0, good.length)
  same(
    came.calls.filter((call) => call.whole),
    [],
  )
}

describe('queries', () => {
  const names = [
    'name',
    'count',
    'total',
    'flag',
    'color',
    'colors',
    'data',
    'ratio',
    'tags',
    'left',
    'right',
    'maybe',
    'unsigned',
    'otherName',
    'long_name',
    'long%5Fname',
    'inner.name',
    'inner.display_name',
  ]
  const odd = [
    'id',
    'inner',
    'inners',
    'labels',
    'labels.a',
    'inner.deeper.size',
    'name.x',
    'unknown',
    '__proto__',
    'inner.',
    '.',
    '',
    'inner%2Ename',
    '%',
    'name%',
    'na%6De',
    'both.name',
    'inner.tags',
  ]
  const texts = [
    '',
    'a',
    'true',
    'false',
    '1',
    '-1',
    '0',
    '007',
    '4294967296',
    '2147483648',
    '9223372036854775807',
    '9223372036854775808',
    '1.5',
    '1e3',
    '0x10',
    'NaN',
    '-Infinity',
  ]
  const more = ['COLOR_RED', 'color_red', '99', 'YQ==', 'YQ', 'YQ=', 'Y', '%C3%A9', '%C3', '%', 'a+b', 'a%20b', 'a%2Bb', '%00', '%ED%A0%80', "'", '"']
  const pair = fc
    .tuple(fc.constantFrom(...names, ...names, ...odd), fc.constantFrom('=', '=', '=', '', '=='), fc.constantFrom(...texts, ...more))
    .map(([name, equals, text]) => `${name}${equals}${equals === '' ? '' : text}`)
  const query = fc.array(pair, { maxLength: 3 }).chain((pairs) => fc.constantFrom('&', '&&').map((and) => pairs.join(and)))

  it('bind the fields they name, each in its type, or are refused', { timeout: time }, async () => {
    await expect(
      everywhere(query, async (door, text) => {
        const came = await door.ask({ method: 'GET', target: `/v1/one/i7${text === '' ? '' : `?${text}`}` })
        const message = messageOfQuery(text)
        const verdict: Verdict = message === undefined ? { is: 'invalid' } : judgeValue(registry, request(), message)
        if (verdict.is === 'valid') expectCalled(came, '/lib.v1.Library/Get', request(), verdict.bytes)
        else expectRefused(came)
      }),
    ).resolves.toBeUndefined()
  })
})

/** A query as the ProtoJSON of the message that it means, beside `id` from the path; undefined when it means none. */
function messageOfQuery(query: string): JsonObject | undefined {
  const message: JsonObject = { id: 'i7' }
  const taken = new Set<unknown>(['id'])
  for (const pair of query.split('&').filter((one) => one !== '')) {
    const mark = pair.includes('=') ? pair.indexOf('=') : pair.length
    const [key, text] = [formText(pair.slice(0, mark)), formText(pair.slice(mark + 1))]
    if (key === undefined || text === undefined || !bindPair(message, taken, key.split('.'), text)) return undefined
  }
  return message
}

function formText(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

function bindPair(root: JsonObject, taken: Set<unknown>, steps: readonly string[], text: string): boolean {
  let desc: DescMessage | undefined = request()
  let at = root
  let place = ''
  for (const [i, step] of steps.entries()) {
    const field: DescField | undefined = desc?.fields.find((one) => one.name === step || one.jsonName === step)
    if (field === undefined) return false
    place += `.${field.name}`
    const group = field.oneof === undefined ? undefined : `${place.slice(0, place.lastIndexOf('.'))}|${field.oneof.name}`
    if (group !== undefined && [...taken].some((one) => typeof one === 'string' && one.startsWith(`${group}:`) && one !== `${group}:${field.name}`))
      return false
    if (group !== undefined) taken.add(`${group}:${field.name}`)
    if (i < steps.length - 1) {
      if (field.fieldKind !== 'message') return false
      at[field.jsonName] ??= {}
      at = at[field.jsonName] as JsonObject
      desc = field.message
      continue
    }
    return setLeaf(at, taken, field, place, text)
  }
  return false
}

function setLeaf(at: JsonObject, taken: Set<unknown>, field: DescField, place: string, text: string): boolean {
  if (field.fieldKind === 'map' || field.message !== undefined || place === '.id') return false
  const value = queryJson(field, text)
  if (value === undefined) return false
  if (field.fieldKind === 'list') {
    at[field.jsonName] = [...((at[field.jsonName] as JsonValue[] | undefined) ?? []), value]
    return true
  }
  if (taken.has(place)) return false
  taken.add(place)
  at[field.jsonName] = value
  return true
}

describe('frames', () => {
  const payload = fc.uint8Array({ maxLength: 20 })
  const frame = fc.tuple(
    payload,
    fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(255) }),
    fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -20, max: 2 ** 31 }) }),
  )
  const body = fc
    .tuple(
      fc.array(frame, { maxLength: 3 }).map((frames) =>
        Buffer.concat(
          frames.map(([bytes, flags, lie]) => {
            const whole = envelope(bytes, flags)
            whole.writeUInt32BE((bytes.length + lie) >>> 0, 1)
            return whole
          }),
        ),
      ),
      changes,
    )
    .map(([bytes, all]) => changed(bytes, all))
  const types = ['application/grpc', 'application/grpc+proto', 'application/grpc-web', 'application/grpc-web-text', 'application/connect+proto']
  const rpcs = [
    ['Get', false],
    ['Watch', false],
    ['Feed', true],
    ['Fill', true],
  ] as const

  it('give whole messages to the service, or none at all', { timeout: time }, async () => {
    await expect(
      everywhere(fc.tuple(fc.constantFrom(...types), fc.constantFrom(...rpcs), body, cuts), async (door, [type, [rpc, many], bytes, sizes]) => {
        if (type.includes('connect') && rpc === 'Get') return // bare messages there: any bytes are one
        const sent = type.includes('text') ? Buffer.from(bytes.toString('base64')) : bytes
        const came = await door.ask({ method: 'POST', target: `/lib.v1.Library/${rpc}`, headers: { 'content-type': type }, body: sent, cuts: sizes })
        expectFrames(came, bytes, bytes, many)
      }),
    ).resolves.toBeUndefined()
  })

  it('in base64 that is noise are refused', { timeout: time }, async () => {
    const text = fc.tuple(body, changes).map(([bytes, all]) => changed(Buffer.from(bytes.toString('base64')), all))
    await expect(
      everywhere(fc.tuple(text, cuts), async (door, [sent, sizes]) => {
        const came = await door.ask({
          method: 'POST',
          target: '/lib.v1.Library/Get',
          headers: { 'content-type': 'application/grpc-web-text' },
          body: sent,
          cuts: sizes,
        })
        const segments = sent.toString('latin1').match(/[^=]+=*|=+/g) ?? []
        const isBase64 = segments.every((one) => one.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(one))
        const bytes = Buffer.concat(segments.map((one) => Buffer.from(one, 'base64')))
        expectFrames(came, isBase64 ? bytes : undefined, bytes, false)
      }),
    ).resolves.toBeUndefined()
  })

  it('of JSON are held to what JSON is held to', { timeout: time }, async () => {
    const messages = fc.array(json, { maxLength: 3 })
    await expect(
      everywhere(fc.tuple(messages, cuts), async (door, [all, sizes]) => {
        const came = await door.ask({
          method: 'POST',
          target: '/lib.v1.Library/Feed',
          headers: { 'content-type': 'application/connect+json' },
          body: Buffer.concat(all.map((one) => envelope(one))),
          cuts: sizes,
        })
        same(came.status, 200)
        const code = errorOf(came)
        const verdicts = all.map((one) => judgeJson(registry, request(), one))
        if (verdicts.every(({ is }) => is === 'valid')) same([code, came.calls[0]?.messages.length], [undefined, all.length])
        else if (verdicts.some(({ is }) => is === 'invalid')) same([code, came.calls.filter((call) => call.whole)], ['invalid_argument', []])
        else same([undefined, 'invalid_argument'].includes(code), true)
      }),
    ).resolves.toBeUndefined()
  })
})

/** The payloads; undefined when this is not a sequence of whole uncompressed frames. */
function framesOf(bytes: Buffer): readonly Buffer[] | undefined {
  const payloads: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 5 || bytes[at] !== 0) return undefined
    const end = at + 5 + bytes.readUInt32BE(at + 1)
    if (end > bytes.length) return undefined
    payloads.push(bytes.subarray(at + 5, end))
    at = end
  }
  return payloads
}

/** Whether a frame whose head came whole is marked as compressed. */
function hasMark(bytes: Buffer): boolean {
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt32BE(at + 1)) if (bytes[at] === 1) return true
  return false
}

/** `seen`: bytes that the gateway may have come to before it found what is wrong with the whole. */
function expectFrames(came: Came, bytes: Buffer | undefined, seen: Buffer, many: boolean): void {
  const frames = bytes === undefined ? undefined : framesOf(bytes)

  // The HTTP status of gRPC, gRPC-Web and Connect streams says nothing.
  same(came.status, 200)
  const code = errorOf(came)
  const isSound = frames !== undefined && (many || frames.length === 1)
  if (isSound) {
    same(
      [code, came.calls.map((call) => call.messages.map((one) => Buffer.from(one).toString('hex')))],
      [undefined, [frames.map((one) => one.toString('hex'))]],
    )
    return
  }
  // gRPC says INTERNAL of a message that is marked as compressed, with nothing (compression.md, "Test cases").
  const named = ['3', '8', '12', 'invalid_argument', 'resource_exhausted', 'unimplemented', ...(hasMark(seen) ? ['13'] : [])]
  same(named.includes(code ?? ''), true)
  same(
    came.calls.filter((call) => !many || call.whole),
    [],
  )
}

/** The error in whatever dialect the answer is; undefined when there is none. */
function errorOf({ headers, body }: Came): string | undefined {
  const status = headers['grpc-status']
  if (status !== undefined) return status === '0' ? undefined : status
  if (headers['content-type']?.startsWith('application/connect+') === true) {
    const end = lastFrame(body)
    return end === undefined ? 'no end' : ((JSON.parse(end.toString()) as { error?: { code: string } }).error?.code ?? undefined)
  }
  const isText = headers['content-type']?.includes('text') === true
  const bytes = isText ? Buffer.concat((body.toString().match(/[^=]+={0,2}/g) ?? []).map((one) => Buffer.from(one, 'base64'))) : body
  const found = /grpc-status: ([0-9]+)/.exec(lastFrame(bytes)?.toString() ?? '')?.[1]
  return found === '0' ? undefined : (found ?? 'no status')
}

function lastFrame(body: Buffer): Buffer | undefined {
  let last: Buffer | undefined
  for (let at = 0; at + 5 <= body.length; at += 5 + body.readUInt32BE(at + 1)) last = body.subarray(at + 5, at + 5 + body.readUInt32BE(at + 1))
  return last
}

describe('headers', () => {
  const types = [
    'application/json',
    'application/json; charset=utf-16',
    'application/json;',
    'text/plain',
    'application/grpc',
    'application/grpc-web',
    'application/grpc-web-text',
    'application/proto',
  ]
  const moreTypes = [
    'application/connect+json',
    'application/connect+xml',
    'application/grpc+json',
    'application/grpcx',
    'application/x-ndjson',
    '*/*',
    ';',
    '/',
    'application/vnd.x+json',
    'application/',
  ]
  const value = fc.oneof(
    fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/),
    fc.constantFrom('gzip', 'identity', '1', '2', '0', '-1', '1S', '99999999H', '0n', 'x', 'text/event-stream', 'application/json;q=0', '*/*;q=0.001'),
  )
  const fields = fc.record(
    {
      'content-type': fc.oneof(fc.constantFrom(...types, ...moreTypes), value),
      accept: fc.oneof(fc.constantFrom('*/*', 'text/event-stream', 'application/json', 'text/html', ',,', ';q=1', 'application/problem+json'), value),
      'grpc-timeout': fc.constantFrom('1S', '0n', '1', 'S', '123456789S', '-1S', '1.5S'),
      'connect-timeout-ms': fc.constantFrom('1000', '0', '-1', '12345678901', '1e3'),
      'x-server-timeout': fc.constantFrom('1', '0', '0.0000001', 'x'),
      'grpc-encoding': value,
      'content-encoding': value,
      'connect-content-encoding': value,
      'connect-protocol-version': value,
      'grpc-metadata-x-a': value,
      'grpc-metadata-x-bin': value,
      'grpc-metadata-host': value,
      'grpc-metadata-te': value,
      'grpc-status': value,
      'x-http-method-override': fc.constantFrom('DELETE', 'GET'),
      'x-bin': value,
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, string>>
  const target = fc.constantFrom(
    '/v1/books/b1',
    '/v1/one/b1',
    '/v1/watch',
    '/v1/feed',
    '/v1/upload',
    '/v1/attach/7',
    '/v1/stash',
    '/lib.v1.Library/Get',
    '/lib.v1.Library/Watch',
    '/lib.v1.Library/Feed',
    '/lib.v1.Library/Fill',
  )
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'HEAD', 'OPTIONS', 'DELETE', 'get', 'FOO')
  const asked: fc.Arbitrary<Asked> = fc
    .tuple(method, target, fields, fc.option(fc.oneof(json, fc.constantFrom(envelope(''), Buffer.alloc(0)))))
    .map(([verb, path, headers, body]) =>
      body === null || verb === 'HEAD' ? { method: verb, target: path, headers } : { method: verb, target: path, headers, body },
    )

  it('of whatever kind never make the gateway fail', { timeout: time }, async () => {
    await expect(
      fc.assert(
        fc.asyncProperty(asked, async (one) => {
          const came = await walk.ask(one)
          const code =
            came.headers['grpc-status'] ?? (one.method !== 'HEAD' && came.headers['content-type']?.includes('connect+') === true ? errorOf(came) : undefined)
          if (came.status >= 500) same([501, 504].includes(came.status), true)
          same(['2', '13', '14', '15', 'internal', 'unknown', 'unavailable', 'no end'].includes(code ?? ''), false)
          if (came.status === 200 && code === undefined) return
          same(
            came.calls.filter((call) => call.whole && came.status !== 200),
            [],
          )
        }),
        { seed, numRuns: runs * 2 },
      ),
    ).resolves.toBeUndefined()
  })
})
