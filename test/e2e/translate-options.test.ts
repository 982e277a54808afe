import { request as http1Request } from 'node:http'
import { connect } from 'node:http2'
import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js'
import { beforeAll, describe, expect, it } from 'vitest'
import { type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { type Answer, type Client, clients } from '../support/clients.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { house } from '../support/shop.ts'
import { shelfProto } from '../translate/shelf.ts'

const keep = untilTheEnd()
let gateway: Gateway
let book: DescriptorBook
/** The last request of each RPC, in ProtoJSON, and its metadata. */
const seen = new Map<string, { readonly message: JsonValue; readonly metadata: Metadata }>()

function bytesOf(type: string, json: JsonValue): Buffer {
  const desc = book.registry.getMessage(type)
  if (desc === undefined) throw new Error(`no ${type}`)
  return Buffer.from(toBinary(desc, fromJson(desc, json)))
}

function note(name: string, type: string, bytes: Buffer, metadata: Metadata): void {
  const desc = book.registry.getMessage(`shelf.v1.${type}`)
  if (desc === undefined) throw new Error(`no ${type}`)
  seen.set(name, { message: toJson(desc, fromBinary(desc, bytes)), metadata })
}

/** Books with the entity tag `v1`; a tag that is another one is refused. */
function openShelf(): Server {
  const server = new Server()
  const whole = (bytes: Buffer) => bytes
  const method = (name: string, responseStream = false) => ({
    path: `/shelf.v1.Shelf/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: whole,
    requestDeserialize: whole,
    responseSerialize: whole,
    responseDeserialize: whole,
  })
  type Unary = (call: ServerUnaryCall<Buffer, Buffer>, answer: (error: object | null, value?: Buffer, trailers?: Metadata) => void) => void
  const get: Unary = (call, answer) => {
    note('Get', 'GetRequest', call.request, call.metadata)
    const metadata = new Metadata()
    metadata.set('x-shop-total', '7')
    metadata.set('x-inner', 'yes')
    if (call.metadata.get('x-want').length > 0) metadata.set('x-http-code', String(call.metadata.get('x-want')[0]))
    call.sendMetadata(metadata)
    answer(null, bytesOf('shelf.v1.Book', { id: '1', title: 'x', etag: 'v1' }))
  }
  const update: Unary = (call, answer) => {
    note('Update', 'UpdateRequest', call.request, call.metadata)
    const { book: sent } = (seen.get('Update')?.message ?? {}) as { readonly book?: { readonly etag?: string } }
    if (sent?.etag === undefined || sent.etag === 'v1') return answer(null, bytesOf('shelf.v1.Book', { id: '1', etag: 'v2' }))
    answer({ code: status.FAILED_PRECONDITION, details: 'it has changed' })
  }
  const remove: Unary = (_, answer) => answer(null, Buffer.alloc(0))
  const watch = (call: ServerWritableStream<Buffer, Buffer>) => {
    for (const id of ['1', '2']) call.write(bytesOf('shelf.v1.Book', { id }))
    const trailers = new Metadata()
    trailers.set('x-shop-sum', '2')
    call.end(trailers)
  }
  server.addService(
    { Get: method('Get'), Update: method('Update'), Delete: method('Delete'), Watch: method('Watch', true) },
    { Get: get, Update: update, Delete: remove, Watch: watch },
  )
  return server
}

beforeAll(async () => {
  const descriptors = await descriptorsFrom({ 'shelf.proto': shelfProto })
  const read = readDescriptors(descriptors)
  if ('problem' in read) throw new Error(read.problem)
  book = read
  const server = openShelf()
  keep(() => server.forceShutdown())
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  gateway = await openGateway(keep, {
    'shelf.binpb': descriptors,
    'house.yaml': house,
    'routes.yaml': `sallyport: v1
clusters:
  shelf: { protocol: grpc, address: "127.0.0.1:${port}", descriptors: shelf.binpb }
routes:
  shelf:
    match: { grpc: shelf.v1.Shelf }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    to: shelf
    translate: { head: fromGet, etag: bare, emptyAnswer: 204, requestHeaders: [x-want], responseHeaders: [x-shop-*], statusFrom: x-http-code, unexpectedBody: reject }
`,
  })
}, 30_000)

/** A client that knows that the length of HEAD's answer is not that of a body. */
async function headOverHttp1(path: string): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${gateway.port('public')}${path}`, { method: 'HEAD' })
  return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() }
}

describe.each(Object.entries(clients))('over %s', (protocol, ask: Client) => {
  const send = (method: string, path: string, headers: readonly (readonly [string, string])[] = [], body?: string) =>
    ask(gateway.port('public'), { method, path, headers, body })

  it('HEAD is answered with the headers of GET', async () => {
    const head = protocol === 'HTTP/1.1' ? headOverHttp1 : (path: string) => send('HEAD', path)
    const [get, bare] = [await send('GET', '/v1/books/1'), await head('/v1/books/1')]
    expect([bare.status, bare.text, bare.headers['content-length']]).toEqual([200, '', String(get.text.length)])
    expect(bare.headers['etag']).toBe('"v1"')
    const stream = await head('/v1/watch/1')
    expect([stream.status, stream.text, stream.headers['content-type']]).toEqual([200, '', 'application/x-ndjson'])
  })

  it('headers become metadata and metadata headers, and the status is what the service chose', async () => {
    const answer = await send('GET', '/v1/books/1', [['x-want', '203']])
    expect(answer.status).toBe(203)
    expect(answer.headers).toMatchObject({ 'x-shop-total': '7', 'grpc-metadata-x-inner': 'yes' })
    expect(answer.headers['grpc-metadata-x-http-code']).toBeUndefined()
    const other = await send('GET', '/v1/books/1', [['x-want', '404']])
    expect(other.status).toBe(200)
    const record = await gateway.entry((entry) => entry['id'] === other.headers['x-request-id'])
    expect(record['remark']).toBe('x-http-code "404" is no status of a success or a redirect')
  })

  it('a tag that the caller knows is 304, one that has changed 412', async () => {
    const known = await send('GET', '/v1/books/1', [['if-none-match', '"v1"']])
    expect([known.status, known.text, known.headers['etag']]).toEqual([304, '', '"v1"'])
    const json = ['content-type', 'application/json'] as const
    const changed = await send('PATCH', '/v1/books/1', [json, ['if-match', '"v1"']], '{"title":"y"}')
    expect([changed.status, changed.headers['etag']]).toEqual([200, '"v2"'])
    expect(seen.get('Update')?.message).toEqual({ book: { id: '1', title: 'y', etag: 'v1' }, updateMask: 'title' })
    const late = await send('PATCH', '/v1/books/1', [json, ['if-match', '"v0"']], '{"title":"y"}')
    expect([late.status, JSON.parse(late.text)]).toEqual([412, { code: 9, message: 'it has changed', details: [] }])
  })

  it('Empty is 204, and takes no body', async () => {
    const gone = await send('DELETE', '/v1/books/1')
    expect([gone.status, gone.text]).toEqual([204, ''])
    expect((await send('DELETE', '/v1/books/1', [['content-type', 'application/json']], '{}')).status).toBe(400)
  })
})

describe('trailers of a stream', () => {
  it('come after the body over HTTP/1.1', async () => {
    const { body, trailers } = await new Promise<{ readonly body: string; readonly trailers: unknown }>((resolve, reject) => {
      const asked = http1Request({ port: gateway.port('public'), path: '/v1/watch/1', headers: { te: 'trailers', connection: 'close, te' } }, (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          body += chunk
        })
        answer.on('end', () => resolve({ body, trailers: answer.trailers }))
      })
      asked.on('error', reject)
      asked.end()
    })
    expect(body).toBe('{"id":"1"}\n{"id":"2"}\n')
    expect(trailers).toEqual({ 'x-shop-sum': '2' })
  })

  it.each([
    ['with TE', { te: 'trailers' }, '2'],
    ['without', {}, undefined],
  ])('come after the body over HTTP/2: %s', async (_, headers, sum) => {
    const session = connect(`http://127.0.0.1:${gateway.port('public')}`)
    keep(() => session.destroy())
    const stream = session.request({ ':path': '/v1/watch/1', ...headers })
    let trailers: Readonly<Record<string, unknown>> = {}
    stream.on('trailers', (fields) => {
      trailers = fields
    })
    stream.resume()
    await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
    expect(trailers['x-shop-sum']).toBe(sum)
  })
})
