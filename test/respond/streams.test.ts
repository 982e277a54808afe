import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildRespond } from '../../src/core/ingress/respond.ts'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcReply, GrpcStatus } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { noFields } from '../../src/core/model/fields.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { arrival } from '../support/arrival.ts'
import { type FakeClock, fakeClock } from '../support/clock.ts'
import { fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { refusalOf } from '../support/refusal.ts'
import { textOf } from '../support/sockets.ts'
import { fieldsOf, grpcPolicy, steered } from '../support/steered.ts'
import { libraryProto } from '../translate/library.ts'

const fine: GrpcStatus = { code: 0, message: '', details: undefined, trailers: noFields }
let book: DescriptorBook
let policy: Policy

beforeAll(async () => {
  const descriptors = await descriptorsFrom({ 'lib.proto': libraryProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
  policy = grpcPolicy(descriptors, ['lib.v1.Library'])
})

function reply(json: JsonValue): Uint8Array {
  const desc = book.registry.getMessage('lib.v1.Reply')
  if (desc === undefined) throw new Error('no lib.v1.Reply')
  return toBinary(desc, fromJson(desc, json))
}

/** A service that says what it is told to, when it is told to. */
interface Service extends GrpcReply {
  say(message: Uint8Array | Fault): void
  end(status?: Partial<GrpcStatus>): void
  readonly pulled: () => number
  readonly closed: () => boolean
}

function service(...said: readonly (Uint8Array | Fault)[]): Service {
  const waiting: (Uint8Array | Fault)[] = [...said]
  let status: GrpcStatus | undefined
  let wake = () => {}
  let pulled = 0
  let closed = false
  const isOpen = () => status === undefined && !closed
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    pulled++
    while (isOpen() && waiting.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const one = waiting.shift()
    if (one instanceof Fault) throw one
    return one === undefined ? { done: true, value: undefined } : { done: false, value: one }
  }
  const close = async (): Promise<IteratorResult<Uint8Array>> => {
    closed = true
    wake()
    return { done: true, value: undefined }
  }
  return {
    kind: 'grpc',
    metadata: noFields,
    messages: { [Symbol.asyncIterator]: () => ({ next, return: close }) },
    status: () => status ?? fine,
    say(message) {
      waiting.push(message)
      wake()
    },
    end(how = {}) {
      status = { ...fine, ...how }
      wake()
    },
    pulled: () => pulled,
    closed: () => closed,
  }
}

function ended(messages: readonly (Uint8Array | Fault)[], status: Partial<GrpcStatus> = {}): Service {
  const from = service(...messages)
  from.end(status)
  return from
}

async function answer(accept: string, from: GrpcReply, clock: FakeClock = fakeClock()): Promise<Outbound> {
  const x = await buildTranslate(policy, fakePorts())(steered(policy, arrival('GET', '/v1/watch', { accept })))
  return buildRespond(policy, fakePorts({ clock }))(x, from)
}

/** The chunks of a body, pulled one at a time, as text. */
function chunksOf({ body }: Outbound): { next(): Promise<string | undefined>; close(): Promise<unknown> } {
  if (body === undefined || body instanceof Uint8Array) throw new Error('not a stream')
  const chunks = body[Symbol.asyncIterator]()
  return {
    async next() {
      const step = await chunks.next()
      return step.done === true ? undefined : new TextDecoder().decode(step.value)
    },
    close: async () => chunks.return?.(),
  }
}

const a = { text: 'a\nb' }
const types = { ndjson: 'application/x-ndjson', sse: 'text/event-stream', array: 'application/json' }

describe('a streamed answer', () => {
  const whole: readonly (readonly [type: string, none: string, one: string, two: string])[] = [
    [types.ndjson, '', '{"text":"a\\nb"}\n', '{"text":"a\\nb"}\n{}\n'],
    ['application/jsonl', '', '{"text":"a\\nb"}\n', '{"text":"a\\nb"}\n{}\n'],
    [
      types.sse,
      'event: end\ndata: {}\n\n',
      'data: {"text":"a\\nb"}\n\nevent: end\ndata: {}\n\n',
      'data: {"text":"a\\nb"}\n\ndata: {}\n\nevent: end\ndata: {}\n\n',
    ],
    [types.array, '[]', '[{"text":"a\\nb"}]', '[{"text":"a\\nb"},{}]'],
  ]
  test.each(whole)('as %s is whole with no message, one, and two', async (type, none, one, two) => {
    const rows = [
      [[], none],
      [[reply(a)], one],
      [[reply(a), reply({})], two],
    ] as const
    for (const [messages, text] of rows) {
      const out = await answer(type, ended(messages))
      expect([out.status, out.headers.get('content-type'), await textOf(out.body)]).toEqual([200, type, text])
    }
  })

  test('asks proxies to pass events on at once, and caches to forget them', async () => {
    expect(fieldsOf((await answer(types.sse, ended([reply({})]))).headers)).toMatchObject({ 'x-accel-buffering': 'no', 'cache-control': 'no-store' })
    expect((await answer(types.ndjson, ended([reply({})]))).headers.has('x-accel-buffering')).toBe(false)
  })

  test.each(Object.values(types))('as %s goes out message by message, each pulled when it is wanted', async (type) => {
    const from = service(reply({ text: '1' }), reply({ text: '2' }))
    const chunks = chunksOf(await answer(type, from))
    expect(from.pulled()).toBe(1)
    expect(await chunks.next()).toContain('{"text":"1"}')
    expect(from.pulled()).toBe(1)
    expect(await chunks.next()).toContain('{"text":"2"}')
    expect(from.pulled()).toBe(2)
    await chunks.close()
    expect(from.closed()).toBe(true)
  })

  test.each(Object.values(types))('as %s has an error before the first message with its own status', async (type) => {
    const out = await answer(type, ended([], { code: 5, message: 'no such' }))
    expect([out.status, out.headers.get('content-type'), await textOf(out.body)]).toEqual([
      404,
      'application/json',
      '{"code":5,"message":"no such","details":[]}',
    ])
    expect((await refusalOf(() => answer(type, service(new Fault('body_invalid', 'message 1: no')))))?.code).toBe('body_invalid')
  })

  test.each(Object.values(types))('as %s lets the service go when nobody begins to read it, or stops while nothing comes', async (type) => {
    const unread = service(reply({}))
    await chunksOf(await answer(type, unread)).close()
    expect(unread.closed()).toBe(true)
    const silent = service(reply({}))
    const chunks = chunksOf(await answer(type, silent))
    await chunks.next()
    const waiting = chunks.next()
    await chunks.close()
    expect(silent.closed()).toBe(true)
    await waiting
  })

  test('a first message that cannot be read is refused, and the service let go', async () => {
    const from = service(new Uint8Array([0xff]))
    expect((await refusalOf(() => answer(types.sse, from)))?.code).toBe('upstream_protocol')
    expect(from.closed()).toBe(true)
  })

  const failures: readonly (readonly [what: string, from: () => Service, error: JsonValue, code: string])[] = [
    ['the service ends with an error', () => ended([reply({})], { code: 8, message: 'enough' }), { code: 8, message: 'enough', details: [] }, 'upstream_reset'],
    ['the service fails inside', () => ended([reply({})], { code: 13, message: 'x' }), { code: 13, message: 'internal error', details: [] }, 'upstream_reset'],
    [
      'the client’s own stream is wrong',
      () => service(reply({}), new Fault('body_invalid', 'message 2: no')),
      { code: 3, message: 'message 2: no', details: [] },
      'body_invalid',
    ],
    [
      'a message cannot be read',
      () => service(reply({}), new Uint8Array([0xff])),
      { code: 14, message: 'the upstream sent a message that cannot be read', details: [] },
      'upstream_protocol',
    ],
  ]
  test.each(failures)('where %s in mid-stream says so in its own way; an array breaks off', async (_, from, error, code) => {
    expect(await textOf((await answer(types.ndjson, from())).body)).toBe(`{}\n${JSON.stringify({ error })}\n`)
    expect(await textOf((await answer(types.sse, from())).body)).toBe(`data: {}\n\nevent: error\ndata: ${JSON.stringify(error)}\n\n`)
    const service = from()
    const chunks = chunksOf(await answer(types.array, service))
    expect(await chunks.next()).toBe('[{}')
    expect((await refusalOf(() => chunks.next()))?.code).toBe(code)
    expect(service.closed()).toBe(true)
  })
})

describe('server-sent events', () => {
  test('say every 15 s that they are alive while nothing comes', async () => {
    const clock = fakeClock()
    const from = service(reply({}))
    const chunks = chunksOf(await answer(types.sse, from, clock))
    await chunks.next()
    for (let i = 0; i < 3; i++) {
      let heard: string | undefined
      const next = chunks.next().then((chunk) => void (heard = chunk))
      await expect.poll(() => clock.pending).toBe(1)
      clock.advance(14_999)
      await Promise.resolve()
      expect(heard).toBeUndefined()
      clock.advance(1)
      await next
      expect(heard).toBe(':\n\n')
    }
    // One message was asked for, however often it was waited for.
    expect(from.pulled()).toBe(2)
    const next = chunks.next()
    from.say(reply({ text: 'late' }))
    expect(await next).toBe('data: {"text":"late"}\n\n')
    const last = chunks.next()
    from.end()
    expect([await last, await chunks.next(), clock.pending]).toEqual(['event: end\ndata: {}\n\n', undefined, 0])
  })

  test('let go of a silent service when the downstream goes', async () => {
    const clock = fakeClock()
    const from = service(reply({}))
    const chunks = chunksOf(await answer(types.sse, from, clock))
    await chunks.next()
    const beat = chunks.next()
    await expect.poll(() => clock.pending).toBe(1)
    clock.advance(15_000)
    await beat
    await chunks.close()
    expect([from.closed(), clock.pending]).toEqual([true, 0])
  })

  test('other forms keep silent', async () => {
    const clock = fakeClock()
    const chunks = chunksOf(await answer(types.ndjson, service(reply({})), clock))
    await chunks.next()
    void chunks.next()
    await Promise.resolve()
    expect(clock.pending).toBe(0)
  })
})
