import type { Fault } from '../../core/model/fault.ts'
import type { Clock } from '../../core/ports.ts'

export interface QueueWatch {
  readonly clock: Clock
  /** Milliseconds without a message being taken until the stream is cut. */
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
  let takenAt = watch.clock.ticks()
  let wake: (() => void) | undefined

  const notify = () => {
    const waiting = wake
    wake = undefined
    waiting?.()
  }
  const check = () => {
    const left = watch.idleMs - (watch.clock.ticks() - takenAt)
    if (left <= 0) watch.stalled()
    else timer = watch.clock.after(left, check)
  }
  let timer = watch.clock.after(watch.idleMs, check)

  async function next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      if (fault !== undefined) throw fault
      const message = queued.shift()
      if (message !== undefined) {
        takenAt = watch.clock.ticks()
        return { done: false, value: message }
      }
      if (ended) return { done: true, value: undefined }
      if (!asked) {
        asked = true
        watch.more()
      }
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
