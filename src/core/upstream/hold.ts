import type { HttpReply } from '../model/call.ts'
import { joinPieces } from '../model/pieces.ts'
import type { Clock } from '../ports.ts'
import type { Deadline } from './deadline.ts'

/** An answer that takes longer flows as it comes: nobody waits for the sake of a failure that may not happen. Milliseconds. */
const longestMs = 1_000

/**
 * Holds back an answer until it is whole, so that one that breaks off can be asked for again instead of breaking off for the caller. That is for answers
 * whose announced length is at most `most` bytes; others flow, and so does one that is not whole after a second, or at a deadline for its beginning. One
 * that has to be whole by then is broken off by its deadline: nothing of it was written yet. Event streams are never held. @throws Fault what broke it off
 */
export async function holdBack(reply: HttpReply, most: number, deadline: Deadline, clock: Pick<Clock, 'ticks' | 'after'>): Promise<HttpReply> {
  const { body } = reply
  const announced = announcedLength(reply)
  if (body === undefined || body instanceof Uint8Array || announced === undefined || announced > most) return reply
  const rest = body[Symbol.asyncIterator]()
  const held: Uint8Array[] = []
  let bytes = 0
  const { rung, cancel } = alarm(deadline.until === 'whole' ? longestMs : Math.min(longestMs, deadline.at - clock.ticks()), clock)
  try {
    // What comes beyond the announced length is for those to refuse who frame the answer anew.
    while (bytes <= announced) {
      const next = rest.next()
      const step = await Promise.race([next, rung])
      if (step === undefined) return { ...reply, body: flowOn(held, rest, next) }
      // What announces a length and has no body by its nature (of HEAD, 304) speaks of another answer: its length stays as it is.
      if (step.done === true) return { ...reply, body: bytes === 0 ? undefined : joinPieces(held, bytes) }
      held.push(step.value)
      bytes += step.value.byteLength
    }
    return { ...reply, body: flowOn(held, rest) }
  } finally {
    cancel()
  }
}

function announcedLength({ headers }: HttpReply): number | undefined {
  if (/^text\/event-stream\b/i.test(headers.get('content-type') ?? '')) return undefined
  const text = headers.get('content-length') ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function alarm(ms: number, clock: Pick<Clock, 'after'>): { readonly rung: Promise<undefined>; readonly cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = clock.after(Math.max(0, ms), () => resolve(undefined))
  return { rung: promise, cancel: () => timer.cancel() }
}

/** What was held, then what was asked for already, then the rest. */
function flowOn(held: Uint8Array[], rest: AsyncIterator<Uint8Array>, asked?: Promise<IteratorResult<Uint8Array>>): AsyncIterable<Uint8Array> {
  // It may fail before anybody reads so far.
  asked?.catch(() => {})
  let pending = asked
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const part = held.shift()
        if (part !== undefined) return { done: false, value: part }
        const step = pending ?? rest.next()
        pending = undefined
        return await step
      },
      async return() {
        held.length = 0
        return (await rest.return?.()) ?? { done: true, value: undefined }
      },
    }),
  }
}
