import { Fault } from '../../core/model/fault.ts'
import type { Compression } from '../../core/ports.ts'
import { chunksOf, joined } from '../chunks.ts'

/**
 * The platform inflates all of a chunk before anybody can stop it. In pieces of this size one step makes a megabyte at most: deflate packs
 * 1032 bytes into one at best (RFC 1951). Bytes.
 */
const stepBytes = 1024

/** gzip by the platform's streams: one member, nothing behind it. */
export const compression: Compression = {
  gzip: (bytes) => joined(chunksOf(streamOf(once(bytes)).pipeThrough(new CompressionStream('gzip'))), Number.POSITIVE_INFINITY, tooLong(0)),
  gunzip: (bytes, limit) => joined(inflate(once(bytes)), limit, tooLong(limit)),
  inflate,
}

async function* inflate(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let taken = 0
  let broken: { readonly error: unknown } | undefined
  async function* steps(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of chunks) {
        taken += chunk.length
        for (let at = 0; at < chunk.length; at += stepBytes) yield chunk.subarray(at, at + stepBytes)
      }
    } catch (error) {
      broken = { error } // what the stream throws does not say whose fault it is
      throw error
    }
  }
  try {
    yield* chunksOf(streamOf(steps()).pipeThrough(new DecompressionStream('gzip')))
  } catch (error) {
    if (broken !== undefined) throw broken.error
    if (taken > 0) throw new Fault('body_invalid', 'what is compressed is no gzip, or not all of one', { cause: error })
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}

/** Pulled: nothing is taken before it is asked for. The platform's types want buffers that are not shared; none here is. */
function streamOf(source: AsyncGenerator<Uint8Array, void, undefined>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream(
    {
      async pull(controller) {
        const step = await source.next()
        if (step.done === true) controller.close()
        else controller.enqueue(step.value as Uint8Array<ArrayBuffer>)
      },
      async cancel() {
        await source.return()
      },
    },
    { highWaterMark: 0 },
  )
}

function tooLong(limit: number): () => Fault {
  return () => new Fault('body_too_large', `what is compressed is longer than ${limit} bytes`)
}
