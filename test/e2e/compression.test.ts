import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { envelope, envelopes, rawClients } from '../support/raw.ts'
import { house, openHttp, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { codecOf } from '../support/shop-messages.ts'

const keep = untilTheEnd()
const mebibyte = 1024 * 1024
const note = 'n'.repeat(5000)
// Made once, long before memory is looked at.
const bomb = gzipSync(Buffer.alloc(64 * mebibyte, ' '))
let gateway: Gateway
let orders: WatchedOrders
/** What the service behind `packing.example` answers: one frame. */
let frame: Buffer

beforeAll(async () => {
  orders = await openOrders(keep)
  const packing = await openPacking()
  const plain = await openHttp(keep, (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => response.setHeader('x-coding', request.headers['content-encoding'] ?? 'none').end(Buffer.concat(parts)))
  })
  const access = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
  const grpc = 'sidecar: none, protocol: grpc, descriptors: shop.binpb'
  const policy = `sallyport: v1
clusters:
  orders: { ${grpc}, address: "127.0.0.1:${orders.port}" }
  packing: { ${grpc}, address: "127.0.0.1:${packing}" }
  plain: { sidecar: none, protocol: http, address: "127.0.0.1:${plain}" }
routes:
  orders: { match: { grpc: shop.v1.Orders }, ${access}, to: orders }
  packing: { match: { grpc: shop.v1.Orders, hosts: [packing.example] }, ${access}, to: packing }
  plain: { match: { path: /plain }, ${access}, to: plain }
`
  gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': policy, 'shop.binpb': shopDescriptors })
})

/** A gRPC service that answers in gzip, which grpc-js servers do not. */
async function openPacking(): Promise<number> {
  const server = createServer()
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-encoding': 'gzip' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(frame)
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => void server.close())
  return (server.address() as AddressInfo).port
}

describe.each(Object.entries(rawClients))('compression over %s', (protocol, client) => {
  const ask = (path: string, headers: Readonly<Record<string, string>>, body?: Uint8Array, host?: string) =>
    client(gateway.port('public'), {
      path,
      headers,
      ...(body === undefined ? { method: 'GET' } : { body }),
      ...(host === undefined ? {} : { host }),
    })
  const json = { 'content-type': 'application/json' }
  const gzip = { 'content-encoding': 'gzip' }

  it('takes JSON in gzip, and answers in it', async () => {
    const order = Buffer.from(JSON.stringify({ order: { note, items: [{ sku: 'b-1', quantity: 1, unitPrice: '5' }] } }))
    const { status, headers, body } = await ask('/v1/orders', { ...json, ...gzip, 'accept-encoding': 'gzip' }, gzipSync(order))
    expect([status, headers['content-encoding'], headers['vary'], headers['content-length']]).toEqual([200, 'gzip', 'accept-encoding', `${body.length}`])
    expect(JSON.parse(gunzipSync(body).toString())).toMatchObject({ note })
  })

  it('takes lines of JSON in gzip, while they come', async () => {
    const line = JSON.stringify({ tenant: 'red', items: [{ sku: 'b-1', quantity: 1, unitPrice: '5' }] })
    const lines = gzipSync(`${line}\n`.repeat(300))
    const { status, body } = await ask('/shop.v1.Orders/ImportOrders', { 'content-type': 'application/x-ndjson', ...gzip }, lines)
    expect([status, JSON.parse(body.toString())]).toEqual([200, { imported: 300 }])
  })

  it.each([
    ['JSON', '/v1/orders', json, 413],
    ['a Connect message', '/shop.v1.Orders/CreateOrder', { 'content-type': 'application/proto' }, 413],
  ])('stops a bomb of %s at the limit, before the service hears of it', async (_, path, type, expected) => {
    const before = orders.calls.length
    const memory = process.memoryUsage().arrayBuffers
    expect((await ask(path, { ...type, ...gzip }, bomb)).status).toBe(expected)
    expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(32 * mebibyte)
    expect(orders.calls.length).toBe(before)
  })

  it('stops a bomb in a frame too', async () => {
    const headers = { 'content-type': 'application/grpc-web', 'grpc-encoding': 'gzip' }
    expect((await ask('/shop.v1.Orders/CreateOrder', headers, envelope(bomb, 1))).headers['grpc-status']).toBe('8')
  })

  it('refuses what is no gzip, and other codings', async () => {
    const broken = await ask('/v1/orders', { ...json, ...gzip }, Buffer.from('{}'))
    expect([broken.status, JSON.parse(broken.body.toString())]).toEqual([400, expect.objectContaining({ code: 'body_invalid' })])
    const other = await ask('/v1/orders', { ...json, 'content-encoding': 'br' }, Buffer.from('{}'))
    expect([other.status, other.headers['accept-encoding']]).toEqual([415, 'gzip, identity'])
  })

  it('leaves what passes as HTTP as it is', async () => {
    const packed = gzipSync(note)
    const { headers, body } = await ask('/plain', gzip, packed)
    expect([headers['x-coding'], body]).toEqual(['gzip', packed])
  })

  it('reads a service that answers in gzip', async () => {
    frame = envelope(gzipSync(codecOf('Order').write({ id: '7', note })), 1)
    const { status, body } = await ask('/v1/orders/7', {}, undefined, 'packing.example')
    expect([status, JSON.parse(body.toString())]).toEqual([200, { id: '7', note }])
  })

  it('gives up a service that answers with a bomb: 502, RESOURCE_EXHAUSTED', async () => {
    frame = envelope(bomb, 1)
    const { status, body } = await ask('/v1/orders/7', {}, undefined, 'packing.example')
    expect([status, JSON.parse(body.toString())]).toEqual([502, expect.objectContaining({ code: 'upstream_message_too_large' })])
    const web = await ask('/shop.v1.Orders/GetOrder', { 'content-type': 'application/grpc-web' }, envelope(''), 'packing.example')
    const trailers = envelopes(web.body).at(-1)?.payload.toString() ?? `grpc-status: ${web.headers['grpc-status']}`
    expect(trailers, protocol).toContain('grpc-status: 8')
  })
})
