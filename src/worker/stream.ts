import { addPiece } from '../core/model/pieces.ts'

/** The chunks of a stream, pulled one by one; a reader that stops cancels the stream. */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader()
  let ended = false
  try {
    for (;;) {
      const step = await reader.read()
      if (step.done) {
        ended = true
        return
      }
      yield step.value
    }
  } catch (error) {
    ended = true
    throw error
  } finally {
    // A stream that broke has nothing left to cancel.
    if (!ended) await reader.cancel()
  }
}

/** The whole stream. @throws Error past `limit` bytes, and what the stream throws. */
export async function bytesOf(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  return joined(chunksOf(stream), limit, () => new Error(`the answer is longer than ${limit} bytes`))
}

/** All chunks in one piece. @throws what `tooLong` makes past `limit` bytes. */
export async function joined(chunks: AsyncIterable<Uint8Array>, limit: number, tooLong: () => Error): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.byteLength
    if (length > limit) throw tooLong()
    addPiece(parts, chunk)
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

/** A stream that is being filled. */
export interface Filling {
  readonly readable: ReadableStream<Uint8Array>
  /** Settles when nothing flows any more: with what the source threw, `'left'` when the reader went away, or `undefined` at a good end. Never rejects. */
  readonly over: Promise<{ readonly broken: unknown } | 'left' | undefined>
}

/**
 * Fills a stream from chunks at the pace of its reader: nothing is pulled before the last chunk was taken. A source that breaks breaks the
 * stream; a reader that goes away ends the source. With `length` the message is framed by it.
 */
export function fill(source: AsyncIterable<Uint8Array>, length: number | undefined): Filling {
  const { readable, writable } = length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length)
  return { readable, over: pump(source[Symbol.asyncIterator](), writable.getWriter()) }
}

async function pump(source: AsyncIterator<Uint8Array>, writer: WritableStreamDefaultWriter<Uint8Array>): Filling['over'] {
  for (;;) {
    let step: IteratorResult<Uint8Array>
    try {
      step = await source.next()
    } catch (error) {
      await writer.abort(error).catch(() => {})
      return { broken: error }
    }
    try {
      if (step.done === true) {
        await writer.close()
        return undefined
      }
      if (step.value.byteLength > 0) await writer.write(step.value)
    } catch {
      await source.return?.().catch(() => {})
      return 'left'
    }
  }
}
