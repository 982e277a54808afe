import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Keep } from './keep.ts'

/** One call as a gRPC service got it, in bytes. */
export interface RecordedCall {
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly trailers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** What stands in its answers beside. */
export interface AnsweredFields {
  readonly head?: Readonly<Record<string, string>>
  readonly tail?: Readonly<Record<string, string>>
}

/** A gRPC service that keeps everything it gets and answers every call with one empty message. */
export interface GrpcRecorder {
  readonly port: number
  readonly calls: readonly RecordedCall[]
}

export async function openGrpcRecorder(keep: Keep, { head, tail }: AnsweredFields = {}): Promise<GrpcRecorder> {
  const calls: RecordedCall[] = []
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream, _headers, _flags, raw: readonly string[]) => {
    const parts: Buffer[] = []
    let trailers: RecordedCall['trailers'] = []
    stream.on('error', () => {})
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('trailers', (_fields, _bits, flat: readonly string[]) => {
      trailers = pairs(flat)
    })
    stream.on('end', () => {
      calls.push({ fields: pairs(raw), trailers, body: Buffer.concat(parts) })
      stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto', ...head }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...tail }))
      stream.end(Buffer.alloc(5))
    })
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => {
    server.close()
    for (const session of sessions) session.destroy()
  })
  return { port: (server.address() as AddressInfo).port, calls }
}

function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []))
}
