import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildRescue, buildRespond } from '../../src/core/ingress/respond.ts'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcReply, GrpcStatus } from '../../src/core/model/call.ts'
import type { Translated } from '../../src/core/model/exchange.ts'
import { Fault, type FaultCode } from '../../src/core/model/fault.ts'
import { FieldList, noFields } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { refusalOf } from '../support/refusal.ts'
import { type FakeSocketOffer, socketOffer } from '../support/socket-offer.ts'
import { textOf } from '../support/sockets.ts'
import { grpcPolicy, steered } from '../support/steered.ts'
import { libraryProto } from './library.ts'

let book: DescriptorBook
let policy: Policy
let descriptors: Uint8Array

beforeAll(async () => {
  descriptors = await descriptorsFrom({ 'lib.proto': libraryProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
  policy = grpcPolicy(descriptors, ['lib.v1.Library'], { bodyLimit: 500 })
})

function typed(name: string) {
  const desc = book.registry.getMessage(`lib.v1.${name}`)
  if (desc === undefined) throw new Error(`no lib.v1.${name}`)
  return desc
}
const reply = (json: JsonValue) => toBinary(typed('Reply'), fromJson(typed('Reply'), json))

async function translated(target: string, socket: FakeSocketOffer, lifeline = new Lifeline()): Promise<Translated> {
  return buildTranslate(policy, fakePorts())(steered(policy, arrival('GET', target, {}, { socket, lifeline })))
}

/** The messages of the call, as JSON. */
async function messagesOf({ call }: Translated): Promise<readonly JsonValue[]> {
  if (call.kind !== 'grpc') throw new Error('no gRPC call')
  const read = (bytes: Uint8Array) => toJson(typed('Request'), fromBinary(typed('Request'), bytes))
  if (call.messages instanceof Uint8Array) return [read(call.messages)]
  const messages: JsonValue[] = []
  for await (const message of call.messages) messages.push(read(message))
  return messages
}

describe('what is said over a WebSocket', () => {
  test('is opened when the service wants the first message, with the limit of the route', async () => {
    const socket = socketOffer(['{"count":1}', '{"id":"a","count":2}'])
    const x = await translated('/v1/fill/a', socket)
    // The rule of POST, which takes a body: that of GET has no room for a stream.
    expect([socket.opened, x.form, x.rpc?.binding?.method]).toEqual([false, undefined, 'POST'])
    expect(await messagesOf(x)).toEqual([
      { id: 'a', count: 1 },
      { id: 'a', count: 2 },
    ])
    expect([socket.limit(), socket.head()?.get('x-request-id')]).toEqual([500, x.id])
  })

  test('is one message where the RPC takes one; nothing said is an empty one', async () => {
    expect(await messagesOf(await translated('/lib.v1.Library/Watch', socketOffer(['{"id":"7"}'])))).toEqual([{ id: '7' }])
    expect(await messagesOf(await translated('/lib.v1.Library/Watch', socketOffer([])))).toEqual([{}])
  })

  test('is not asked for where path and query are all', async () => {
    const socket = socketOffer(['{}'])
    expect(await messagesOf(await translated('/v1/watch?id=7', socket))).toEqual([{ id: '7' }])
    expect([socket.opened, socket.taken()]).toEqual([false, 0])
  })

  test('is cut short by a message too many', async () => {
    const lifeline = new Lifeline()
    const cut = new Promise<Fault>((resolve) => void lifeline.onEnd(resolve))
    await translated('/lib.v1.Library/Watch', socketOffer(['{}', '{}']), lifeline)
    expect((await cut).code).toBe('request_invalid')
  })

  type Refused = readonly [target: string, messages: readonly string[], code: FaultCode, detail: RegExp]
  test.each<Refused>([
    ['/lib.v1.Library/Feed', ['{}', '{"nope":1}'], 'body_invalid', /^message 2: .*nope/],
    ['/lib.v1.Library/Feed', ['[{}]'], 'body_invalid', /^message 1: /],
    ['/v1/fill/a', ['{}', '{"id":"b"}'], 'request_invalid', /^message 2: /],
    ['/lib.v1.Library/Feed', ['{}\n{}'], 'body_invalid', /^message 1: /],
    ['/lib.v1.Library/Watch', ['{"nope":1}'], 'body_invalid', /nope/],
  ])('on %s as %j is refused', async (target, messages, code, detail) => {
    const run = async () => messagesOf(await translated(target, socketOffer(messages)))
    expect(await refusalOf(run)).toMatchObject({ code, message: expect.stringMatching(detail) })
  })

  test.each<readonly [target: string, code: FaultCode]>([
    ['/v1/watch?nope=1', 'request_invalid'],
    ['/lib.v1.Library/Watch?id=1', 'request_invalid'],
    ['/lib.v1.Library/Fill?id=1', 'request_invalid'],
    ['/v1/stash', 'not_implemented'],
    ['/v1/pages', 'not_implemented'],
  ])('is not opened for %s', async (target, code) => {
    const socket = socketOffer(['{}'])
    expect((await refusalOf(() => translated(target, socket)))?.code).toBe(code)
    expect(socket.opened).toBe(false)
  })
})

const fine: GrpcStatus = { code: 0, message: '', details: undefined, trailers: noFields }
const service = (messages: readonly Uint8Array[], status: Partial<GrpcStatus> = {}, broken?: Fault): GrpcReply => ({
  kind: 'grpc',
  metadata: new FieldList([['x-shard', '3']]),
  messages: (async function* () {
    yield* messages
    if (broken !== undefined) throw broken
  })(),
  status: () => ({ ...fine, ...status }),
})

/** The messages of an answer and how it closes. */
async function saidBy({ body, ending }: Outbound): Promise<readonly [messages: readonly string[], code: number | undefined, reason: string | undefined]> {
  const messages: string[] = []
  if (body instanceof Uint8Array) messages.push(await textOf(body))
  else if (body !== undefined) for await (const part of body) messages.push(new TextDecoder().decode(part))
  const end = ending?.()
  return [messages, end?.code, end?.reason]
}

describe('what is answered over a WebSocket', () => {
  const answer = async (target: string, from: GrpcReply, socket = socketOffer(['{}'])) => {
    const x = await translated(target, socket)
    return { outbound: await buildRespond(policy, fakePorts())(x, from), socket }
  }
  const watch = '/lib.v1.Library/Watch'
  const feed = '/lib.v1.Library/Feed'

  test.each<readonly [name: string, target: string, from: () => GrpcReply, said: Awaited<ReturnType<typeof saidBy>>]>([
    ['a stream', watch, () => service([reply({ text: 'a\nb' }), reply({})]), [['{"text":"a\\nb"}', '{}'], 1000, '']],
    ['an empty stream', watch, () => service([]), [[], 1000, '']],
    [
      'an error in mid-stream',
      watch,
      () => service([reply({})], { code: 9, message: 'no' }),
      [['{}', '{"error":{"code":9,"message":"no","details":[]}}'], 1011, 'FAILED_PRECONDITION'],
    ],
    [
      'a service that is not there any more',
      watch,
      () => service([reply({})], { code: 14, message: 'gone' }),
      [['{}', '{"error":{"code":14,"message":"gone","details":[]}}'], 1013, 'UNAVAILABLE'],
    ],
    [
      'what nobody may read',
      watch,
      () => service([reply({})], { code: 13, message: 'at line 7' }),
      [['{}', '{"error":{"code":13,"message":"internal error","details":[]}}'], 1011, 'INTERNAL'],
    ],
    [
      'an early error after the WebSocket was opened',
      watch,
      () => service([], { code: 5, message: 'none' }),
      [['{"error":{"code":5,"message":"none","details":[]}}'], 1011, 'NOT_FOUND'],
    ],
    [
      'a stream that breaks',
      watch,
      () => service([reply({})], {}, new Fault('upstream_reset', 'the upstream broke off')),
      [['{}', '{"error":{"code":14,"message":"the upstream broke off","details":[]}}'], 1011, 'upstream_reset'],
    ],
    ['a stream both ways', '/v1/fill/7', () => service([reply({ text: 'x' })]), [['{"text":"x"}'], 1000, '']],
  ])('%s', async (_name, target, from, said) => {
    expect(await saidBy((await answer(target, from())).outbound)).toEqual(said)
  })

  test('an RPC that answers once has exactly one message', async () => {
    const opened = async (from: GrpcReply) => {
      const socket = socketOffer(['{}'])
      const x = await translated(feed, socket)
      await messagesOf(x)
      return saidBy(await buildRespond(policy, fakePorts())(x, from))
    }
    expect(await opened(service([reply({ text: 'x' })]))).toEqual([['{"text":"x"}'], 1000, ''])
    for (const wrong of [service([]), service([reply({}), reply({})])]) {
      const [messages, code, reason] = await opened(wrong)
      expect([messages.at(-1), code, reason]).toEqual([expect.stringContaining('"code":14'), 1011, 'upstream_protocol'])
    }
  })

  test('opens the WebSocket with the first message, and shows metadata then', async () => {
    const { socket, outbound } = await answer('/v1/watch', service([reply({})]), socketOffer([]))
    expect([outbound.status, socket.opened, socket.head()?.get('grpc-metadata-x-shard')]).toEqual([101, true, '3'])
  })

  test('opens it with what the route lists under its own name', async () => {
    const options = { translate: { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false } } as const
    const listing = grpcPolicy(descriptors, ['lib.v1.Library'], { translate: { ...options.translate, responseHeaders: ['x-shard', 'sec-*'] } })
    const socket = socketOffer([])
    const x = await buildTranslate(listing, fakePorts())(steered(listing, arrival('GET', '/v1/watch', {}, { socket })))
    const metadata = new FieldList([
      ['x-shard', '3'],
      ['sec-websocket-protocol', 'other'],
    ])
    const outbound = await buildRespond(listing, fakePorts())(x, { ...service([reply({})]), metadata })
    expect([outbound.status, socket.head()?.get('x-shard'), socket.head()?.get('sec-websocket-protocol')]).toEqual([101, '3', undefined])
  })

  test('an early error is an HTTP answer as long as the WebSocket is not open', async () => {
    const { socket, outbound } = await answer('/v1/watch', service([], { code: 5, message: 'none' }), socketOffer([]))
    expect([outbound.status, socket.opened, await textOf(outbound.body)]).toEqual([404, false, '{"code":5,"message":"none","details":[]}'])
  })

  test('a first message that cannot be read is refused as long as the WebSocket is not open', async () => {
    const socket = socketOffer([])
    expect((await refusalOf(() => answer('/v1/watch', service([Uint8Array.of(0xff)]), socket)))?.code).toBe('upstream_protocol')
    expect(socket.opened).toBe(false)
  })

  test.each<readonly [code: FaultCode, close: number]>([
    ['body_invalid', 1007],
    ['request_invalid', 1007],
    ['media_type_unsupported', 1003],
    ['body_too_large', 1009],
    ['request_timeout', 1008],
    ['upstream_unavailable', 1013],
    ['overloaded', 1013],
    ['deadline_exceeded', 1011],
    ['internal', 1011],
  ])('a fault %s closes with %i, and is a problem as long as nothing is open', async (code, close) => {
    const socket = socketOffer(['{}'])
    const x = await translated('/v1/watch', socket)
    const fault = new Fault(code, 'why')
    const before = buildRescue(policy)(x, fault)
    expect([before.status, before.headers.get('content-type'), before.ending]).toEqual([fault.status, 'application/problem+json', undefined])
    socket.open(noFields, 1)
    const [messages, closed, reason] = await saidBy(buildRescue(policy)(x, fault))
    expect([JSON.parse(messages[0] ?? ''), closed, reason]).toEqual([{ error: { code: expect.any(Number), message: 'why', details: [] } }, close, code])
  })
})
