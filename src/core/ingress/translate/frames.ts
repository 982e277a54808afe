import { codingOf, grpcCodings, httpCodings } from '../../model/coding.ts'
import { Fault } from '../../model/fault.ts'
import { addPiece } from '../../model/pieces.ts'
import type { Fields } from '../../model/wire.ts'
import type { Compression } from '../../ports.ts'

const prefixLength = 5

/** How frames of one call are read. */
export interface Framing {
  readonly protocol: string
  /** Whether the message is compressed. @throws Fault for flags that a request of this call cannot have */
  readonly isPacked: (flags: number) => boolean
  /** A compressed message inflated. @throws Fault, also past `limit` bytes */
  readonly unpack: (message: Uint8Array, limit: number) => Promise<Uint8Array>
}

/**
 * gRPC over HTTP/2 and gRPC-Web: bit 0 is compression, of the kind that `grpc-encoding` names; bit 7 marks trailers, which requests do not have.
 * What goes wrong with compression has its own codes (gRPC, "Status codes and their use in gRPC"). @throws Fault `not_implemented` for another kind
 */
export function grpcFraming(headers: Fields, compression: Compression): Framing {
  const coding = demandGzip(headers, 'grpc-encoding', 'grpc-accept-encoding', grpcCodings)
  return {
    protocol: 'gRPC',
    isPacked(flags) {
      if (flags > 1) throw new Fault('body_invalid', 'the gRPC frame has unknown flags')
      if (flags === 1 && coding === 'identity')
        throw new Fault('compression_invalid', 'a gRPC message is marked as compressed, but grpc-encoding names nothing')
      return flags === 1
    },
    async unpack(message, limit) {
      try {
        return await compression.gunzip(message, limit)
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'body_invalid') throw error
        throw new Fault('compression_invalid', 'a gRPC message is no gzip, or not all of one', { cause: error })
      }
    },
  }
}

/**
 * Connect: bit 0 is compression, of the kind that `connect-content-encoding` names; requests have no end-of-stream message ("Streaming-Request").
 * @throws Fault `not_implemented` for another kind
 */
export function connectFraming(headers: Fields, compression: Compression): Framing {
  const coding = demandGzip(headers, 'connect-content-encoding', 'connect-accept-encoding', httpCodings)
  return {
    protocol: 'Connect',
    isPacked(flags) {
      if (flags > 1) throw new Fault('body_invalid', 'the Connect envelope has unknown flags')
      if (flags === 1 && coding === 'identity') throw new Fault('body_invalid', 'a Connect message is marked as compressed, but no encoding is named')
      return flags === 1
    },
    unpack: (message, limit) => compression.gunzip(message, limit),
  }
}

/**
 * The coding that a field names, `identity` or `gzip`. @throws Fault `not_implemented` for any other; its answer says in `accepting` which are taken
 */
export function demandGzip(headers: Fields, name: string, accepting: string, taken: string): 'identity' | 'gzip' {
  return gzipOrNone(codingOf(headers.all(name)), accepting, taken)
}

/** The same for a coding that stands elsewhere. */
export function gzipOrNone(coding: string, accepting: string, taken: string): 'identity' | 'gzip' {
  if (coding === 'identity' || coding === 'gzip') return coding
  throw new Fault('not_implemented', `the compression "${coding}" is not supported; supported: ${taken}`, { headers: [[accepting, taken]] })
}

/**
 * Cuts a body into its messages (gRPC over HTTP/2, "Length-Prefixed-Message": one flag byte, four bytes of length,
 * the message). Pulled: nothing is read before it is asked for. `limit` holds for a message as it came and inflated.
 * @throws Fault `body_too_large` past `limit` bytes, `body_invalid` for a broken frame, and what the framing throws
 */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>, limit: number, framing: Framing): AsyncIterable<Uint8Array> {
  const bytes = new ByteQueue()
  let head: Head | undefined
  for await (const chunk of chunks) {
    bytes.push(chunk)
    for (;;) {
      if (head === undefined && bytes.size >= prefixLength) head = headOf(bytes.take(prefixLength), limit, framing)
      if (head === undefined || bytes.size < head.length) break
      const message = bytes.take(head.length)
      yield head.packed ? await framing.unpack(message, limit) : message
      head = undefined
    }
  }
  if (head !== undefined || bytes.size > 0) throw new Fault('body_invalid', `the ${framing.protocol} body ends inside a message`)
}

/** The only message of a call that has one. @throws Fault `body_invalid` when there is none or more than one */
export async function onlyMessage(messages: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let only: Uint8Array | undefined
  for await (const message of messages) {
    if (only !== undefined) throw new Fault('body_invalid', 'the call has more than one message')
    only = message
  }
  if (only === undefined) throw new Fault('body_invalid', 'the call has no message')
  return only
}

/** The only message of a unary call. @throws Fault as `readFrames`, and `body_invalid` when there is none or more than one */
export function onlyFrame(body: Uint8Array, limit: number, framing: Framing): Uint8Array | Promise<Uint8Array> {
  if (body.length < prefixLength) throw new Fault('body_invalid', body.length === 0 ? 'the gRPC call has no message' : 'the gRPC body ends inside a message')
  const { length, packed } = headOf(body.subarray(0, prefixLength), limit, framing)
  const end = prefixLength + length
  if (body.length < end) throw new Fault('body_invalid', 'the gRPC body ends inside a message')
  if (body.length > end) throw new Fault('body_invalid', 'the gRPC call has more than one message')
  const message = body.subarray(prefixLength, end)
  return packed ? framing.unpack(message, limit) : message
}

interface Head {
  readonly length: number
  readonly packed: boolean
}

function headOf(frame: Uint8Array, limit: number, { protocol, isPacked }: Framing): Head {
  const view = new DataView(frame.buffer, frame.byteOffset, prefixLength)
  const packed = isPacked(view.getUint8(0))
  const length = view.getUint32(1)
  if (length > limit) throw new Fault('body_too_large', `the ${protocol} message is longer than ${limit} bytes`)
  return { length, packed }
}

/** Bytes that have come in and not been taken. */
class ByteQueue {
  size = 0
  #chunks: Uint8Array[] = []

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    addPiece(this.#chunks, chunk)
    this.size += chunk.length
  }

  /** The first `count` bytes; there must be that many. */
  take(count: number): Uint8Array {
    this.size -= count
    const first = this.#chunks[0]
    if (first !== undefined && first.length > count) {
      this.#chunks[0] = first.subarray(count)
      return first.subarray(0, count)
    }
    return this.#gather(count)
  }

  #gather(count: number): Uint8Array {
    const taken = new Uint8Array(count)
    let used = 0
    let at = 0
    while (at < count) {
      const chunk = this.#chunks[used] as Uint8Array
      const part = chunk.subarray(0, count - at)
      taken.set(part, at)
      at += part.length
      if (part.length === chunk.length) used++
      else this.#chunks[used] = chunk.subarray(part.length)
    }
    this.#chunks.splice(0, used)
    return taken
  }
}
