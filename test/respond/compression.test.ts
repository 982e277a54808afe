import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { packedAnswer } from '../../src/core/ingress/respond/pack.ts'
import { buildRespond } from '../../src/core/ingress/respond.ts'
import { buildTranslate } from '../../src/core/ingress/translate.ts'
import type { GrpcReply, GrpcStatus } from '../../src/core/model/call.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { arrival, bodyOf } from '../support/arrival.ts'
import { sideEffectFree } from '../support/idempotent.ts'
import { fakePorts } from '../support/ports.ts'
import { envelope, envelopes, unpadded } from '../support/raw.ts'
import { shopDescriptors } from '../support/shop.ts'
import { codecOf } from '../support/shop-messages.ts'
import { grpcPolicy, steered } from '../support/steered.ts'

const policy = grpcPolicy(sideEffectFree(shopDescriptors, ['GetOrder']), ['shop.v1.Orders'])
const ports = fakePorts()
const note = 'n'.repeat(3000)
const large = { id: '7', note }
const small = { id: '7' }
type Headers = Readonly<Record<string, string>>

function reply(output: string, messages: readonly object[], status: Partial<GrpcStatus> = {}, head: Headers = {}): GrpcReply {
  async function* all(): AsyncIterable<Uint8Array> {
    for (const message of messages) yield codecOf(output).write(message as { id: string })
  }
  const ended = { code: 0, message: '', details: undefined, trailers: new FieldList(), ...status }
  return { kind: 'grpc', metadata: new FieldList(Object.entries(head)), messages: all(), status: () => ended }
}

interface Answer extends Outbound {
  readonly bytes: Buffer
}

async function answer(method: string, path: string, headers: Headers, body: Uint8Array | undefined, from: GrpcReply): Promise<Answer> {
  // Without a stated length: over HTTP/2 there need not be one.
  const given = body === undefined ? {} : { body: { ...bodyOf(body), length: undefined } }
  const x = await buildTranslate(policy, ports)(steered(policy, arrival(method, path, headers, { httpVersion: '2', ...given })))
  const out = await buildRespond(policy, ports)(x, from)
  const parts: Uint8Array[] = []
  if (out.body instanceof Uint8Array) parts.push(out.body)
  else for await (const part of out.body ?? []) parts.push(part)
  return { ...out, bytes: Buffer.concat(parts) }
}

const coded = ({ headers, bytes }: Answer) => ({
  coding: headers.get('content-encoding'),
  vary: headers.get('vary'),
  fits: headers.get('content-length') === `${bytes.length}`,
})
const plain = ({ headers, bytes }: Answer) => (headers.get('content-encoding') === 'gzip' ? gunzipSync(bytes) : bytes)
const gzip = { 'accept-encoding': 'gzip' }

describe('JSON', () => {
  const get = (headers: Headers, from: GrpcReply) => answer('GET', '/v1/orders/7', headers, undefined, from)

  test('is compressed where the request takes that and it pays', async () => {
    const out = await get({ 'accept-encoding': 'br, gzip;q=0.5' }, reply('Order', [large]))
    expect(coded(out)).toEqual({ coding: 'gzip', vary: 'accept-encoding', fits: true })
    expect(out.bytes.length).toBeLessThan(300)
    expect(JSON.parse(plain(out).toString())).toEqual(large)
  })

  test('is not where the request does not, and says that it might have been', async () => {
    for (const headers of [{}, { 'accept-encoding': 'gzip;q=0' }, { 'accept-encoding': 'br' }]) {
      const out = await get(headers, reply('Order', [large]))
      expect(coded(out)).toEqual({ coding: undefined, vary: 'accept-encoding', fits: true })
      expect(JSON.parse(out.bytes.toString())).toEqual(large)
    }
  })

  test('is not when it is small, unless nothing else is taken', async () => {
    expect(coded(await get(gzip, reply('Order', [small])))).toEqual({ coding: undefined, vary: undefined, fits: true })
    const only = await get({ 'accept-encoding': 'gzip, *;q=0' }, reply('Order', [small]))
    expect(coded(only)).toEqual({ coding: 'gzip', vary: 'accept-encoding', fits: true })
    expect(JSON.parse(plain(only).toString())).toEqual(small)
  })

  test('is compressed when it is an error too', async () => {
    const out = await get(gzip, reply('Order', [], { code: 5, message: note }))
    expect([out.status, coded(out)]).toEqual([404, { coding: 'gzip', vary: 'accept-encoding', fits: true }])
    expect(JSON.parse(plain(out).toString())).toMatchObject({ code: 5, message: note })
  })

  test('stays identity in a stream', async () => {
    const out = await answer('GET', '/v1/orders:watch', gzip, undefined, reply('OrderEvent', [{ order: large }, { order: large }]))
    expect(out.headers.get('content-encoding')).toBeUndefined()
    expect(out.bytes.toString().split('\n')).toHaveLength(3)
  })
})

describe('a whole answer', () => {
  const text = Buffer.from(note)
  const packed = (headers: readonly (readonly [string, string])[], body: Uint8Array | undefined = text) =>
    packedAnswer({ headers: new FieldList([['accept-encoding', 'gzip']]) }, { status: 200, headers: new FieldList(headers), body }, ports.compression)

  test.each([
    ['has a strong validator, which stands for these bytes', 'etag', '"1"'],
    ['must not be transformed', 'cache-control', 'private, no-transform'],
    ['is coded already', 'content-encoding', 'br'],
  ])('stays as it is when it %s', async (_, name, value) => {
    const out = await packed([[name, value]])
    expect([out.body, out.headers.entries()]).toEqual([text, [[name, value]]])
  })

  test('keeps a weak validator, and what it varies by already', async () => {
    const { headers } = await packed([
      ['etag', 'W/"1"'],
      ['vary', 'origin'],
    ])
    expect([headers.get('etag'), headers.all('vary'), headers.get('content-encoding')]).toEqual(['W/"1"', ['origin', 'accept-encoding'], 'gzip'])
  })

  test('is not compressed where that makes it longer', async () => {
    const noise = Buffer.from(ports.random.hex(2000), 'hex')
    const { body, headers } = await packed([], noise)
    expect([body, headers.entries()]).toEqual([noise, [['vary', 'accept-encoding']]])
  })

  test('to HEAD does not state a length that GET would not have', async () => {
    const { headers } = await packedAnswer(
      { headers: new FieldList([['accept-encoding', 'gzip']]) },
      { status: 200, headers: new FieldList([['content-length', '3000']]), body: undefined },
      ports.compression,
    )
    expect(headers.entries()).toEqual([['vary', 'accept-encoding']])
  })
})

describe('messages', () => {
  const native = { 'content-type': 'application/grpc', te: 'trailers' }
  const rpc = (name: string) => `/shop.v1.Orders/${name}`
  const both = [{ order: large }, { sequence: '2' }, { order: large }]
  const read = (bytes: Buffer) =>
    envelopes(bytes).map(({ flags, payload }) => [flags, codecOf('OrderEvent').read((flags & 1) === 1 ? gunzipSync(payload) : payload)])
  const expected = [
    [1, both[0]],
    [0, both[1]],
    [1, both[2]],
  ]

  test('gRPC, Message-Accept-Encoding: the large ones are compressed', async () => {
    const headers = { ...native, 'grpc-accept-encoding': 'identity,deflate,gzip' }
    const out = await answer('POST', rpc('WatchOrders'), headers, envelope(''), reply('OrderEvent', both))
    expect([out.headers.get('grpc-encoding'), out.headers.get('grpc-accept-encoding')]).toEqual(['gzip', 'identity,gzip'])
    expect(read(out.bytes)).toEqual(expected)
  })

  test('gRPC: none is for a caller who does not say that it takes them', async () => {
    for (const more of [{}, { 'grpc-accept-encoding': 'identity,deflate' }]) {
      const out = await answer('POST', rpc('WatchOrders'), { ...native, ...more }, envelope(''), reply('OrderEvent', both))
      expect(out.headers.get('grpc-encoding')).toBeUndefined()
      expect(read(out.bytes).map(([flags]) => flags)).toEqual([0, 0, 0])
    }
  })

  test('gRPC: a caller who compresses itself takes it without saying so', async () => {
    const out = await answer('POST', rpc('WatchOrders'), { ...native, 'grpc-encoding': 'gzip' }, envelope(''), reply('OrderEvent', both))
    expect(read(out.bytes)).toEqual(expected)
  })

  test.each(['application/grpc-web', 'application/grpc-web-text'])('PROTOCOL-WEB: %s, message by message for those who ask as gRPC does', async (type) => {
    const headers = { 'content-type': type, 'grpc-accept-encoding': 'gzip', ...gzip }
    const empty = type.endsWith('text') ? Buffer.from(envelope('').toString('base64')) : envelope('')
    for (const [name, output, messages] of [['WatchOrders', 'OrderEvent', both] as const, ['GetOrder', 'Order', [large]] as const]) {
      const out = await answer('POST', rpc(name), headers, empty, reply(output, messages))
      const frames = envelopes(type.endsWith('text') ? unpadded(out.bytes.toString()) : out.bytes)
      expect([out.headers.get('grpc-encoding'), out.headers.get('content-encoding')]).toEqual(['gzip', undefined])
      expect(frames.at(-1)).toEqual({ flags: 0x80, payload: Buffer.from('grpc-status: 0\r\n') })
      expect(codecOf(output).read(gunzipSync(frames[0]?.payload ?? Buffer.of()))).toEqual(messages[0])
    }
  })

  test('PROTOCOL-WEB, Compression: a unary answer as a whole for those who ask as browsers do', async () => {
    const out = await answer('POST', rpc('GetOrder'), { 'content-type': 'application/grpc-web', ...gzip }, envelope(''), reply('Order', [large]))
    expect(coded(out)).toEqual({ coding: 'gzip', vary: 'accept-encoding', fits: true })
    const [message, trailers] = envelopes(plain(out))
    expect([message?.flags, codecOf('Order').read(message?.payload ?? Buffer.of()), trailers?.flags]).toEqual([0, large, 0x80])
  })

  test('PROTOCOL-WEB: a service that answers a unary call without end is stopped', async () => {
    const out = await answer('POST', rpc('GetOrder'), { 'content-type': 'application/grpc-web' }, envelope(''), reply('Order', [small, small]))
    expect(envelopes(out.bytes).map(({ flags }) => flags)).toEqual([0, 0x80])
    expect(out.bytes.toString()).toContain('grpc-status: 14')
  })

  test.each(['application/grpc', 'application/grpc-web'])('%s+json: messages in JSON, and so it says', async (type) => {
    const out = await answer('POST', rpc('GetOrder'), { te: 'trailers', 'content-type': `${type}+json` }, envelope('{}'), reply('Order', [small]))
    expect([out.headers.get('content-type'), envelopes(out.bytes)[0]?.payload.toString()]).toEqual([`${type}+json`, JSON.stringify(small)])
  })

  const connect = { 'connect-protocol-version': '1' }
  test.each(['proto', 'json'])('Connect, Accept-Encoding: unary %s', async (codec) => {
    const headers = { 'content-type': `application/${codec}`, ...connect, ...gzip }
    const out = await answer('POST', rpc('GetOrder'), headers, Buffer.from(codec === 'json' ? '{}' : ''), reply('Order', [large]))
    expect(coded(out)).toEqual({ coding: 'gzip', vary: 'accept-encoding', fits: true })
    expect(codec === 'json' ? JSON.parse(plain(out).toString()) : codecOf('Order').read(plain(out))).toEqual(large)
  })

  test('Connect, Accept-Encoding: GET, and what it asks for with its own compression', async () => {
    const path = `${rpc('GetOrder')}?connect=v1&encoding=json&message=%7B%7D`
    expect(coded(await answer('GET', path, gzip, undefined, reply('Order', [large])))).toMatchObject({ coding: 'gzip', vary: 'accept-encoding' })
    expect(coded(await answer('GET', path, {}, undefined, reply('Order', [large])))).toMatchObject({ coding: undefined, vary: 'accept-encoding' })
    const own = `${rpc('GetOrder')}?connect=v1&encoding=proto&compression=gzip&message=`
    expect(coded(await answer('GET', own, {}, undefined, reply('Order', [large])))).toMatchObject({ coding: 'gzip' })
    expect(coded(await answer('GET', own, { 'accept-encoding': 'identity' }, undefined, reply('Order', [large])))).toMatchObject({ coding: undefined })
  })

  test('Connect, Accept-Encoding: an error', async () => {
    const headers = { 'content-type': 'application/proto', ...connect, ...gzip }
    const out = await answer('POST', rpc('GetOrder'), headers, Buffer.of(), reply('Order', [], { code: 5, message: note }))
    expect([out.status, coded(out)]).toEqual([404, { coding: 'gzip', vary: 'accept-encoding', fits: true }])
    expect(JSON.parse(plain(out).toString())).toEqual({ code: 'not_found', message: note })
  })

  test('Connect, Streaming-Accept-Encoding: the large messages, also the last', async () => {
    const headers = { 'content-type': 'application/connect+proto', 'connect-accept-encoding': 'gzip' }
    const from = reply('OrderEvent', both, { code: 5, message: note })
    const out = await answer('POST', rpc('WatchOrders'), headers, envelope(''), from)
    expect(out.headers.get('connect-content-encoding')).toBe('gzip')
    const frames = envelopes(out.bytes)
    expect(frames.map(({ flags }) => flags)).toEqual([1, 0, 1, 3])
    expect(JSON.parse(gunzipSync(frames[3]?.payload ?? Buffer.of()).toString())).toEqual({ error: { code: 'not_found', message: note } })
    expect(codecOf('OrderEvent').read(gunzipSync(frames[0]?.payload ?? Buffer.of()))).toEqual(both[0])
  })

  test('Connect, Streaming-Accept-Encoding: none for a caller who does not name it', async () => {
    const out = await answer('POST', rpc('WatchOrders'), { 'content-type': 'application/connect+proto' }, envelope(''), reply('OrderEvent', both))
    expect(out.headers.get('connect-content-encoding')).toBeUndefined()
    expect(envelopes(out.bytes).map(({ flags }) => flags)).toEqual([0, 0, 0, 2])
  })
})
