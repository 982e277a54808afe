import { Fault } from '../../model/fault.ts'

const prefixLength = 5

/**
 * Cuts a native gRPC body into its messages (gRPC over HTTP/2, "Length-Prefixed-Message": one flag byte, four bytes of length,
 * the message). Pulled: nothing is read before it is asked for. Only uncompressed messages are taken.
 * @throws Fault `not_implemented` for a compressed message, `body_too_large` past `limit` bytes, `body_invalid` for a broken frame
 */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<Uint8Array> {
  const bytes = new ByteQueue()
  let length: number | undefined
  for await (const chunk of chunks) {
    bytes.push(chunk)
    for (;;) {
      if (length === undefined && bytes.size >= prefixLength) length = messageLength(bytes.take(prefixLength), limit)
      if (length === undefined || bytes.size < length) break
      yield bytes.take(length)
      length = undefined
    }
  }
  if (length !== undefined || bytes.size > 0) throw new Fault('body_invalid', 'the gRPC body ends inside a message')
}

/** The only message of a unary call. @throws Fault as `readFrames`, and `body_invalid` when there is none or more than one */
export function onlyFrame(body: Uint8Array, limit: number): Uint8Array {
  if (body.length < prefixLength) throw new Fault('body_invalid', body.length === 0 ? 'the gRPC call has no message' : 'the gRPC body ends inside a message')
  const end = prefixLength + messageLength(body.subarray(0, prefixLength), limit)
  if (body.length < end) throw new Fault('body_invalid', 'the gRPC body ends inside a message')
  if (body.length > end) throw new Fault('body_invalid', 'the gRPC call has more than one message')
  return body.subarray(prefixLength, end)
}

function messageLength(frame: Uint8Array, limit: number): number {
  const view = new DataView(frame.buffer, frame.byteOffset, prefixLength)
  const flag = view.getUint8(0)
  if (flag === 1) {
    const headers = [['grpc-accept-encoding', 'identity']] as const
    throw new Fault('not_implemented', 'compressed gRPC messages are not supported; send them with grpc-encoding identity', { headers })
  }
  if (flag !== 0) throw new Fault('body_invalid', 'the gRPC frame has unknown flags')
  const length = view.getUint32(1)
  if (length > limit) throw new Fault('body_too_large', `the gRPC message is longer than ${limit} bytes`)
  return length
}

/** Bytes that have come in and not been taken; copied once, and only where a take spans chunks. */
class ByteQueue {
  size = 0
  #chunks: Uint8Array[] = []

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
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
