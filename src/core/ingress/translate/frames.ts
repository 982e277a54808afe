import { Fault } from '../../model/fault.ts'
import { addPiece } from '../../model/pieces.ts'

const prefixLength = 5

/** How frames of one protocol differ from those of another. */
interface FrameRules {
  readonly protocol: string
  /** @throws Fault for flags that a request cannot have */
  readonly checkFlags: (flags: number) => void
}

/** gRPC over HTTP/2 and gRPC-Web: bit 0 is compression; bit 7 marks trailers, which requests do not have. */
export const grpcFrames: FrameRules = {
  protocol: 'gRPC',
  checkFlags(flags) {
    if (flags === 0) return
    if (flags !== 1) throw new Fault('body_invalid', 'the gRPC frame has unknown flags')
    const headers = [['grpc-accept-encoding', 'identity']] as const
    throw new Fault('not_implemented', 'compressed gRPC messages are not supported; send them with grpc-encoding identity', { headers })
  },
}

/** Connect: no compression was named, and requests have no end-of-stream message ("Streaming-Request"). */
export const connectFrames: FrameRules = {
  protocol: 'Connect',
  checkFlags(flags) {
    if (flags === 1) throw new Fault('body_invalid', 'a Connect message is marked as compressed, but no encoding is named; supported: identity')
    if (flags !== 0) throw new Fault('body_invalid', 'the Connect envelope has unknown flags')
  },
}

/**
 * Cuts a body into its messages (gRPC over HTTP/2, "Length-Prefixed-Message": one flag byte, four bytes of length,
 * the message). Pulled: nothing is read before it is asked for. Only uncompressed messages are taken.
 * @throws Fault `not_implemented` for a compressed message, `body_too_large` past `limit` bytes, `body_invalid` for a broken frame
 */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>, limit: number, rules: FrameRules = grpcFrames): AsyncIterable<Uint8Array> {
  const bytes = new ByteQueue()
  let length: number | undefined
  for await (const chunk of chunks) {
    bytes.push(chunk)
    for (;;) {
      if (length === undefined && bytes.size >= prefixLength) length = messageLength(bytes.take(prefixLength), limit, rules)
      if (length === undefined || bytes.size < length) break
      yield bytes.take(length)
      length = undefined
    }
  }
  if (length !== undefined || bytes.size > 0) throw new Fault('body_invalid', `the ${rules.protocol} body ends inside a message`)
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
export function onlyFrame(body: Uint8Array, limit: number): Uint8Array {
  if (body.length < prefixLength) throw new Fault('body_invalid', body.length === 0 ? 'the gRPC call has no message' : 'the gRPC body ends inside a message')
  const end = prefixLength + messageLength(body.subarray(0, prefixLength), limit, grpcFrames)
  if (body.length < end) throw new Fault('body_invalid', 'the gRPC body ends inside a message')
  if (body.length > end) throw new Fault('body_invalid', 'the gRPC call has more than one message')
  return body.subarray(prefixLength, end)
}

function messageLength(frame: Uint8Array, limit: number, rules: FrameRules): number {
  const view = new DataView(frame.buffer, frame.byteOffset, prefixLength)
  rules.checkFlags(view.getUint8(0))
  const length = view.getUint32(1)
  if (length > limit) throw new Fault('body_too_large', `the ${rules.protocol} message is longer than ${limit} bytes`)
  return length
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
