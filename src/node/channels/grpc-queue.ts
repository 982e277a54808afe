import type { Fault } from '../../core/model/fault.ts'
import type { Clock } from '../../core/ports.ts'
import { readerPatience } from '../patience.ts'

export interface QueueWatch {
  readonly clock: Clock
  /** Milliseconds without a message that is wanted until the stream is cut; while none is wanted, see `readerPatience`. */
  readonly idleMs: number
  /** Asks the transport for one more message. */
  readonly more: () => void
  readonly stalled: () => void
  /** The reader lost interest before the end. */
  readonly dropped: () => void
}

/** Messages between a transport that hands one over per request and a reader that pulls. One is read ahead, no more. */
export interface MessageQueue {
  readonly messages: AsyncIterable<Uint8Array>
  push(message: Uint8Array): void
  /** No more messages come; what is queued is still handed out. */
  end(): void
  fail(fault: Fault): void
}

export function messageQueue(watch: QueueWatch): MessageQueue {
  const queued: Uint8Array[] = []
  let ended = false
  let fault: Fault | undefined
  let asked = true // the transport is asked for the first message when the call starts
  // When the wait began: for a message while somebody asks, for somebody to ask otherwise.
  let since = watch.clock.ticks()
  let wake: (() => void) | undefined

  const notify = () => {
    const waiting = wake
    wake = undefined
    waiting?.()
  }
  const check = () => {
    const patience = wake === undefined ? readerPatience(watch.idleMs) : watch.idleMs
    const left = patience - (watch.clock.ticks() - since)
    if (left <= 0) watch.stalled()
    else timer = watch.clock.after(Math.min(left, watch.idleMs), check)
  }
  let timer = watch.clock.after(watch.idleMs, check)

  async function next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      if (fault !== undefined) throw fault
      const message = queued.shift()
      if (message !== undefined) {
        since = watch.clock.ticks()
        return { done: false, value: message }
      }
      if (ended) return { done: true, value: undefined }
      if (!asked) {
        asked = true
        watch.more()
      }
      since = watch.clock.ticks()
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }

  return {
    messages: {
      [Symbol.asyncIterator]: () => ({
        next,
        async return() {
          if (!ended && fault === undefined) watch.dropped()
          return { done: true, value: undefined }
        },
      }),
    },
    push(message) {
      asked = false
      queued.push(message)
      notify()
    },
    end() {
      ended = true
      timer.cancel()
      notify()
    },
    fail(why) {
      fault ??= why
      timer.cancel()
      notify()
    },
  }
}
