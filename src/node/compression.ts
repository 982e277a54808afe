import { pipeline, Readable } from 'node:stream'
import { promisify } from 'node:util'
import { createGunzip, gunzip, gzip } from 'node:zlib'
import { Fault } from '../core/model/fault.ts'
import type { Compression } from '../core/ports.ts'

const pack = promisify(gzip)
const unpack = promisify(gunzip)

/** Answers are packed while somebody waits, and a higher level would gain a few percent for several times the work. */
const level = 4
const pieceBytes = 64 * 1024

/** gzip by zlib, off the main thread. Several members one after another are one (RFC 1952 section 2.2), and zeros may follow. */
export function createCompression(): Compression {
  return {
    gzip: (bytes) => pack(bytes, { level }),
    async gunzip(bytes, limit) {
      if (bytes.length === 0) return bytes
      try {
        return await unpack(bytes, { maxOutputLength: Math.max(limit, 1) })
      } catch (error) {
        if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') throw new Fault('body_too_large', `the body inflates to more than ${limit} bytes`)
        throw faultOf(error)
      }
    },
    inflate,
  }
}

async function* inflate(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let taken = 0
  async function* counted(): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      taken += chunk.length
      yield chunk
    }
  }
  const engine = createGunzip({ chunkSize: pieceBytes })
  // What goes wrong in either comes out of the engine; a reader that leaves destroys it, and the pipeline then ends the source.
  pipeline(Readable.from(counted()), engine, () => {})
  try {
    yield* engine as AsyncIterable<Uint8Array> // a zlib stream without an encoding gives buffers
  } catch (error) {
    if (taken === 0 && codeOf(error) === 'Z_BUF_ERROR') return
    throw faultOf(error)
  }
}

/** zlib's own errors are about the bytes; any other is the source's. */
function faultOf(error: unknown): unknown {
  if (!codeOf(error)?.startsWith('Z_')) return error
  return new Fault('body_invalid', 'the body is no whole gzip', { cause: error })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
