import { Fault } from '../../core/model/fault.ts'
import type { Compression } from '../../core/ports.ts'
import { bytesOf, chunksOf, joined } from '../chunks.ts'

/**
 * The platform inflates all of a chunk before anybody can stop it. In pieces of this size one step makes a megabyte at most: deflate packs
 * 1032 bytes into one at best (RFC 1951). Bytes.
 */
const stepBytes = 1024

/** gzip by the platform's streams: one member, nothing behind it. */
export const compression: Compression = {
  gzip: (bytes) => bytesOf(through([bytes], new CompressionStream('gzip')), Number.POSITIVE_INFINITY),
  gunzip: (bytes, limit) => joined(inflate([bytes]), limit, () => new Fault('body_too_large', `the body inflates to more than ${limit} bytes`)),
  inflate,
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

async function* inflate(chunks: Chunks): AsyncIterable<Uint8Array> {
  let taken = 0
  let broken: Error | undefined
  async function* steps(): AsyncIterable<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        taken += chunk.length
        for (let at = 0; at < chunk.length; at += stepBytes) yield chunk.subarray(at, at + stepBytes)
      }
    } catch (error) {
      broken = error as Error // sources throw errors; what the stream throws does not say whose it is
      throw error
    }
  }
  try {
    yield* chunksOf(through(steps(), new DecompressionStream('gzip')))
  } catch (error) {
    if (broken !== undefined) throw broken
    if (taken > 0) throw new Fault('body_invalid', 'the body is no whole gzip', { cause: error })
  }
}

/** Pulled: nothing is taken from the source before it is asked for, and a reader that stops ends it. */
function through(source: Chunks, engine: CompressionStream | DecompressionStream): ReadableStream<Uint8Array> {
  return streams.from(source).pipeThrough(engine)
}

// The platform's types do not know it (WHATWG Streams, section 4.2.4), and want buffers that are not shared; none here is.
const streams = ReadableStream as unknown as { readonly from: (source: Chunks) => ReadableStream<Uint8Array<ArrayBuffer>> }
