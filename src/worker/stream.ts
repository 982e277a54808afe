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
