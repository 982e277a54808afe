import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import type { DescriptorBook } from '../../../src/core/protobuf.ts'
import type { Keep } from '../../support/keep.ts'
import { envelope, envelopes } from '../../support/raw.ts'
import type { Reached, Recorder, Reply } from './recorder.ts'

/** An answer frame by frame, right or wrong. */
export interface WireReply {
  /** Beside `:status: 200` and `content-type: application/grpc`, which they may replace; undefined leaves a field out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
  /** DATA frames. */
  readonly pieces?: readonly Uint8Array[]
  /** Fields of the last HEADERS frame. Absent: there is none, and the last DATA frame, or the header, ends the stream. */
  readonly trailers?: Readonly<Record<string, string | readonly string[]>>
  /** Resets the stream in the end, with INTERNAL_ERROR. */
  readonly reset?: true
  /** Never ends. */
  readonly hangs?: boolean
  /** Is given at the first byte of the request, not at its end. */
  readonly early?: boolean
}

/**
 * A service that is nothing but an HTTP/2 server: what it is sent is seen as it stands on the wire, and it can answer what no library would.
 * Replies without `wire` are answered as a gRPC service should.
 */
export async function openWireService(keep: Keep, { registry }: DescriptorBook): Promise<Recorder> {
  let reply: Reply = {}
  const reached: { -readonly [K in keyof Reached]: Reached[K] }[] = []
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
  })
  server.on('stream', (stream, headers) => {
    const [, service = '', name = ''] = (headers[':path'] ?? '').split('/')
    const method = registry.getService(service)?.methods.find((one) => one.name === name)
    const parts: Buffer[] = []
    const messages: JsonValue[] = []
    const seen: (typeof reached)[number] = { rpc: `${service}/${name}`, messages, metadata: valuesOf(headers), remainingMs: Number.NaN, cancelled: false }
    reached.push(seen)
    const now = reply
    stream.on('error', () => {})
    stream.on('aborted', () => {
      seen.cancelled = true
    })
    stream.on('data', (part: Buffer) => {
      if (parts.length === 0 && now.wire?.early === true) speak(stream, now.wire)
      parts.push(part)
    })
    stream.on('end', () => {
      if (method === undefined || now.wire?.early === true) return
      for (const { payload } of envelopes(Buffer.concat(parts))) messages.push(toJson(method.input, fromBinary(method.input, payload), { registry }))
      answer(stream, now, method.output)
    })
  })

  function answer(stream: ServerHttp2Stream, { wire, messages = [{}], status = {} }: Reply, output: DescMessage): void {
    if (wire !== undefined) return speak(stream, wire)
    const bytes = messages.map((message) => envelope(message instanceof Uint8Array ? message : toBinary(output, fromJson(output, message, { registry }))))
    const trailers = { 'grpc-status': `${status.code ?? 0}`, ...(status.details === undefined ? {} : { 'grpc-message': encodeURIComponent(status.details) }) }
    speak(stream, { pieces: bytes, trailers })
  }

  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  const answerWith = (next: Reply) => {
    reply = next
    reached.length = 0
  }
  return { port: (server.address() as AddressInfo).port, reached, answerWith }
}

function speak(stream: ServerHttp2Stream, { headers = {}, pieces = [], trailers, reset, hangs = false }: WireReply): void {
  if (stream.destroyed) return
  const head = { ':status': '200', 'content-type': 'application/grpc', ...headers }
  const fields = Object.fromEntries(Object.entries(head).filter(([, value]) => value !== undefined)) as Record<string, string>
  if (pieces.length === 0 && trailers === undefined && reset === undefined && !hangs) return stream.respond(fields, { endStream: true })
  stream.respond(fields, { waitForTrailers: trailers !== undefined })
  stream.on('wantTrailers', () => stream.sendTrailers(trailers as Record<string, string>))
  for (const piece of pieces) stream.write(piece)
  if (reset !== undefined) setImmediate(() => stream.destroy(new Error('reset by the case')))
  else if (!hangs) stream.end()
}

function valuesOf(headers: IncomingHttpHeaders): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().map(String)]))
}
