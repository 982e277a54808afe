import type { Writable } from 'node:stream'
import type { Clock } from '../../core/ports.ts'
import { drained } from '../pull.ts'

export interface Pouring {
  readonly clock: Clock
  /** Milliseconds that a downstream may take nothing. */
  readonly idleMs: number
  /** Bytes that the headers announced. */
  readonly length: number | undefined
  /** Sends the headers alone, when the first chunk is not there at once. */
  readonly flush: () => void
}

/**
 * Writes an answer's body at the pace of the downstream: while it does not take, nothing is pulled. Ends the stream only after the body has
 * ended well. @throws what the body throws, or Error when it is not as long as was announced.
 */
export async function pour(stream: Writable, body: AsyncIterable<Uint8Array>, options: Pouring): Promise<void> {
  const source = body[Symbol.asyncIterator]()
  const flush = setImmediate(options.flush)
  let sent = 0
  try {
    for (;;) {
      const step = await source.next()
      clearImmediate(flush)
      if (step.done === true) break
      sent += step.value.byteLength
      if (options.length !== undefined && sent > options.length) throw new Error('the body is longer than announced')
      if (!stream.destroyed && !stream.write(step.value)) await drained(stream, options)
      if (stream.destroyed) {
        await source.return?.()
        return
      }
    }
  } finally {
    clearImmediate(flush)
  }
  if (options.length !== undefined && sent !== options.length) throw new Error('the body is shorter than announced')
}

/** Lets go of a body that nobody gets. */
export async function dropBody(body: Uint8Array | AsyncIterable<Uint8Array> | undefined): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) return
  await body[Symbol.asyncIterator]().return?.()
}
