import { addPiece, joinPieces } from '../core/model/pieces.ts'

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
  return joinPieces(parts, length)
}
