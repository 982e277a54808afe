import type { GrpcReply, HttpReply, Reply } from '../../model/call.ts'
import { joinPieces } from '../../model/pieces.ts'
import type { Fields } from '../../model/wire.ts'

/** An answer as it was seen passing; `bytes` is undefined where there was too much of it. */
export interface Captured {
  readonly kind: 'http' | 'grpc'
  readonly status: number
  readonly headers: Fields
  readonly bytes: Uint8Array | undefined
}

/** Bytes of an answer that are kept to be compared. */
export const keptBytes = 64 * 1024

/** The same answer, of which a copy is told once it has ended well. Nobody is told of one that broke off or was not read to its end. */
export function capture(reply: Reply, told: (captured: Captured) => void): Reply {
  return reply.kind === 'http' ? captureHttp(reply, told) : captureGrpc(reply, told)
}

function captureHttp(reply: HttpReply, told: (captured: Captured) => void): Reply {
  const { status, headers, body } = reply
  const tell = (bytes: Uint8Array | undefined) => told({ kind: 'http', status, headers, bytes })
  if (body === undefined || body instanceof Uint8Array) {
    tell(body === undefined ? new Uint8Array() : body.length > keptBytes ? undefined : body)
    return reply
  }
  return { ...reply, body: kept(body, tell) }
}

function captureGrpc(reply: GrpcReply, told: (captured: Captured) => void): Reply {
  const tell = (bytes: Uint8Array | undefined) => told({ kind: 'grpc', status: reply.status().code, headers: reply.metadata, bytes })
  return { ...reply, messages: kept(reply.messages, tell) }
}

async function* kept(source: AsyncIterable<Uint8Array>, tell: (bytes: Uint8Array | undefined) => void): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size <= keptBytes) chunks.push(chunk)
    yield chunk
  }
  tell(size > keptBytes ? undefined : joinPieces(chunks, size))
}

/** Reads an answer that nobody waits for, to its end or as far as it is kept. @throws what the answer breaks off with */
export async function drain(reply: Reply): Promise<void> {
  const source = reply.kind === 'grpc' ? reply.messages : reply.body
  if (source === undefined || source instanceof Uint8Array) return
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    // A little more than is kept: who is done soon keeps the connection.
    if (size > 16 * keptBytes) return
  }
}
