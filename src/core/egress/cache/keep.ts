import { joinPieces } from '../../model/pieces.ts'
import type { Fields, Outbound } from '../../model/wire.ts'

/**
 * The answer as it is, with its whole body handed to `put` once it has gone by: a reader at its own pace is not held up, and what broke off or is longer than
 * `most` bytes or has trailers is not kept. Event streams are not even tried.
 */
export function keep(answer: Outbound, most: number, put: (body: Uint8Array | undefined) => void): Outbound {
  const { body, headers } = answer
  const stated = headers.get('content-length')
  if (stated !== undefined && Number(stated) > most) return answer
  if (headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') === true) return answer
  if (body === undefined || body instanceof Uint8Array) {
    if ((body?.length ?? 0) <= most) put(body)
    return answer
  }
  const trailers = once(answer.trailers)
  const whole = (bytes: Uint8Array) => {
    if (trailers === undefined || trailers().entries().length === 0) put(bytes)
  }
  return { ...answer, trailers, body: overheard(body, most, whole) }
}

/** They can be read once; here they are looked at before they go on. */
function once(trailers: Outbound['trailers']): Outbound['trailers'] {
  if (trailers === undefined) return undefined
  let read: Fields | undefined
  return () => (read ??= trailers())
}

async function* overheard(body: AsyncIterable<Uint8Array>, most: number, put: (body: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  let kept: Uint8Array[] | undefined = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > most) kept = undefined
    // A copy: whoever is next may write into the chunk.
    kept?.push(new Uint8Array(chunk))
    yield chunk
  }
  if (kept === undefined) return
  put(joinPieces(kept, length))
}
