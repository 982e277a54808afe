import { create, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type CallOptions, ConnectError, createClient, decodeBinaryHeader, encodeBinaryHeader, type Transport } from '@connectrpc/connect'
import * as node from '@connectrpc/connect-node'
import * as web from '@connectrpc/connect-web'
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js'
import { builtinRegistry } from '../../src/core/protobuf.ts'
import type { Keep } from './keep.ts'
import type { Answer, Ask, MatrixService } from './matrix-service.ts'

/** The RPCs of the matrix, by the names that clients give them. */
export type Kind = 'unary' | 'download' | 'upload' | 'talk'

export interface How {
  /** Values of `-bin` names are bytes. */
  readonly metadata?: Readonly<Record<string, string | Uint8Array>>
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What a call brought, however it ended. */
export interface Called {
  readonly messages: readonly Answer[]
  readonly head: (name: string) => string | Uint8Array | undefined
  readonly tail: (name: string) => string | Uint8Array | undefined
  /** gRPC's number; 0 when all went well. */
  readonly code: number
  readonly message: string
  /** Reason and domain of each google.rpc.ErrorInfo. */
  readonly details: readonly { readonly reason: string; readonly domain: string }[]
}

/** One official client under one protocol and codec. */
export interface OfficialClient {
  readonly title: string
  readonly kinds: readonly Kind[]
  /** It can compress what it sends. */
  readonly sendsGzip: boolean
  /** Streams reach it compressed too. */
  readonly takesGzipInStreams: boolean
  readonly get: boolean
  open(keep: Keep, port: number, service: MatrixService, options?: OpenOptions): Caller
}

export interface OpenOptions {
  /** Compress what is sent. */
  readonly gzip?: boolean
}

/** Calls with these messages; in a talk each one waits for the answer to the one before. */
export type Caller = (kind: Kind, asks: readonly Ask[], how?: How) => Promise<Called>

const half: readonly Kind[] = ['unary', 'download', 'upload']
const browser: readonly Kind[] = ['unary', 'download']
const all: readonly Kind[] = [...half, 'talk']
type Codec = 'binary' | 'JSON'

/** Every official client in every protocol that it speaks. */
export const officialClients: readonly OfficialClient[] = [
  ...(['binary', 'JSON'] as const).flatMap((codec) => [
    inBrowser('Connect', codec, false),
    inBrowser('Connect', codec, true),
    inBrowser('gRPC-Web', codec, false),
    inNode('Connect', '1.1', codec, false),
    inNode('Connect', '1.1', codec, true),
    inNode('Connect', '2', codec, false),
    inNode('gRPC-Web', '1.1', codec, false),
    inNode('gRPC-Web', '2', codec, false),
    inNode('gRPC', '2', codec, false),
  ]),
  grpcJs(),
]

function inBrowser(protocol: 'Connect' | 'gRPC-Web', codec: Codec, get: boolean): OfficialClient {
  const make = protocol === 'Connect' ? web.createConnectTransport : web.createGrpcWebTransport
  return {
    title: `connect-web, ${protocol}, ${codec}${get ? ', GET' : ''}`,
    kinds: get ? ['unary'] : browser,
    sendsGzip: false,
    takesGzipInStreams: false,
    get,
    open: (_keep, port, service) => connectCaller(make({ baseUrl: `http://127.0.0.1:${port}`, useBinaryFormat: codec === 'binary', useHttpGet: get }), service),
  }
}

function inNode(protocol: 'Connect' | 'gRPC-Web' | 'gRPC', httpVersion: '1.1' | '2', codec: Codec, get: boolean): OfficialClient {
  return {
    title: `connect-node, ${protocol} over HTTP/${httpVersion}, ${codec}${get ? ', GET' : ''}`,
    kinds: get ? ['unary'] : httpVersion === '2' ? all : half,
    sendsGzip: true,
    takesGzipInStreams: true,
    get,
    open(keep, port, service, { gzip = false } = {}) {
      const sessions = new node.Http2SessionManager(`http://127.0.0.1:${port}`)
      keep(() => sessions.abort())
      const common = {
        baseUrl: `http://127.0.0.1:${port}`,
        useBinaryFormat: codec === 'binary',
        acceptCompression: gzip ? [node.compressionGzip] : [],
        ...(gzip ? { sendCompression: node.compressionGzip } : {}),
      }
      const http = httpVersion === '2' ? { httpVersion, sessionManager: sessions } : { httpVersion }
      if (protocol === 'gRPC') return connectCaller(node.createGrpcTransport({ ...common, sessionManager: sessions }), service)
      if (protocol === 'gRPC-Web') return connectCaller(node.createGrpcWebTransport({ ...common, ...http }), service)
      return connectCaller(node.createConnectTransport({ ...common, ...http, useHttpGet: get }), service)
    },
  }
}

type Dynamic = Readonly<Record<string, (asks: unknown, options: CallOptions) => Promise<Answer> | AsyncIterable<Answer>>>

function connectCaller(transport: Transport, service: MatrixService): Caller {
  const client = createClient(service.desc, transport) as unknown as Dynamic // of a dynamic descriptor TypeScript knows no methods
  return async (kind, asks, { metadata = {}, timeoutMs, signal } = {}) => {
    let head = new Headers()
    let tail = new Headers()
    const options: CallOptions = {
      headers: Object.entries(metadata).map(([name, value]) => [name, typeof value === 'string' ? value : encodeBinaryHeader(value)]),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
      onHeader: (headers) => void (head = headers),
      onTrailer: (trailers) => void (tail = trailers),
    }
    const messages: Answer[] = []
    const turns = turnstile()
    const given = kind === 'unary' || kind === 'download' ? asks[0] : kind === 'upload' ? iterate(asks) : inTurn(asks, turns.next)
    const said = { messages, head: (name: string) => valueOf(head, name), tail: (name: string) => valueOf(tail, name) }
    try {
      const answer = client[kind]?.(given, options)
      if (answer instanceof Promise) messages.push(await answer)
      else
        for await (const message of answer ?? []) {
          messages.push(message)
          turns.pass()
        }
      return { ...said, code: 0, message: '', details: [] }
    } catch (error) {
      const failed = ConnectError.from(error)
      const { code, rawMessage, metadata: both } = failed
      const details = failed.findDetails(errorInfo) as unknown as Called['details'] // as with the answers
      const either = (name: string) => valueOf(both, name) ?? said.head(name) ?? said.tail(name)
      return { messages, head: either, tail: either, code, message: rawMessage, details }
    }
  }
}

function valueOf(headers: Headers, name: string): string | Uint8Array | undefined {
  const value = headers.get(name) ?? undefined
  return value !== undefined && name.endsWith('-bin') ? decodeBinaryHeader(value) : value
}

async function* iterate(asks: readonly Ask[]): AsyncIterable<Ask> {
  yield* asks
}

async function* inTurn(asks: readonly Ask[], next: () => Promise<void>): AsyncIterable<Ask> {
  for (const [i, ask] of asks.entries()) {
    if (i > 0) await next()
    yield ask
  }
  await next()
}

/** One `next` resolves for each `pass`. */
function turnstile(): { readonly next: () => Promise<void>; readonly pass: () => void } {
  let passed = 0
  let waiting: (() => void) | undefined
  return {
    async next() {
      if (passed === 0) await new Promise<void>((resolve) => void (waiting = resolve))
      passed -= 1
    },
    pass() {
      passed += 1
      waiting?.()
      waiting = undefined
    },
  }
}

const same = (bytes: Buffer) => bytes

function grpcJs(): OfficialClient {
  return {
    title: 'grpc-js',
    kinds: all,
    sendsGzip: true,
    takesGzipInStreams: true,
    get: false,
    open(keep, port, service, { gzip = false } = {}) {
      const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), gzip ? { 'grpc.default_compression_algorithm': 2 } : {})
      keep(() => client.close())
      return (kind, asks, how = {}) => grpcCall(client, service, kind, asks, how)
    },
  }
}

function grpcCall(client: Client, service: MatrixService, kind: Kind, asks: readonly Ask[], { metadata = {}, timeoutMs, signal }: How): Promise<Called> {
  const sent = new Metadata()
  for (const [name, value] of Object.entries(metadata)) sent.set(name, typeof value === 'string' ? value : Buffer.from(value))
  const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }
  const path = `/${service.desc.typeName}/${kind.charAt(0).toUpperCase()}${kind.slice(1)}`
  // A unary call is a stream of one either way, and the same on the wire.
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(path, same, same, sent, options)
  signal?.addEventListener('abort', () => call.cancel())
  return new Promise((resolve) => {
    const messages: Answer[] = []
    const turns = turnstile()
    let head = new Metadata()
    call.on('metadata', (given: Metadata) => void (head = given))
    call.on('data', (bytes: Buffer) => {
      messages.push(fromBinary(service.answer, new Uint8Array(bytes)) as unknown as Answer) // of a dynamic descriptor TypeScript knows no fields
      turns.pass()
    })
    call.on('error', () => {}) // the status says it
    call.on('status', ({ code, details, metadata: tail }: StatusObject) => {
      const value = (from: Metadata) => (name: string) => from.get(name)[0]
      resolve({ messages, head: value(head), tail: value(tail), code, message: details, details: detailsOf(tail) })
    })
    void write(call, service.ask, kind === 'talk' ? inTurn(asks, turns.next) : iterate(asks))
  })
}

async function write(call: ClientDuplexStream<Buffer, Buffer>, type: DescMessage, asks: AsyncIterable<Ask>): Promise<void> {
  for await (const ask of asks) call.write(Buffer.from(toBinary(type, create(type, { ...ask }))))
  call.end()
}

function detailsOf(tail: Metadata): Called['details'] {
  const [rich] = tail.get('grpc-status-details-bin')
  if (!(rich instanceof Buffer)) return []
  const read = fromBinary(statusType, rich) as unknown as { readonly details: readonly { readonly value: Uint8Array }[] }
  return read.details.map(({ value }) => fromBinary(errorInfo, value) as unknown as Called['details'][number])
}

function builtin(name: string): DescMessage {
  const found = builtinRegistry.getMessage(name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}

const errorInfo = builtin('google.rpc.ErrorInfo')
const statusType = builtin('google.rpc.Status')
