import type { Readable, Writable } from 'node:stream'
import { Fault } from '../core/model/fault.ts'
import type { Clock } from '../core/ports.ts'
import { readerPatience } from './patience.ts'

/** What a pulled stream means to its owner. */
export interface PullWatch {
  readonly clock: Clock
  /** Milliseconds that the sender may be silent while a chunk is wanted, until the stream is cut; while none is, see `readerPatience`. */
  readonly idleMs: number
  /** The fault a stall is. */
  readonly stalled: () => Fault
  /** The fault behind a stream that broke; `error` is undefined when it just closed. */
  readonly broken: (error: Error | undefined) => Fault
  /** Asked at the end: why what came is not all there should have been. */
  readonly short: () => Fault | undefined
  /** The stream is of no more use: it ended (`whole`), broke, stalled, or its reader lost interest. Runs once. */
  readonly over: (whole: boolean) => void
}

/** An idle limit for a stream over whose silence somebody else watches: the longest wait there is. Milliseconds. */
export const endless = 2 ** 31 - 1

/** A running pull: chunks, and a way to break it from outside. */
export interface Pull extends AsyncIterableIterator<Uint8Array> {
  /** The reader gets this fault instead of another chunk. */
  fail(fault: Fault): void
}

/**
 * Reads a Node stream chunk by chunk, only when asked: a reader that stops asking stops the sender through the stream's own flow control.
 * It ends with a fault, never cleanly, unless the stream really ended.
 */
export function pull(stream: Readable, watch: PullWatch): Pull {
  // Node says the end of an empty HTTP/2 body as soon as it comes, asked or not: nobody may have listened yet.
  let ended = stream.readableEnded
  let fault: Fault | undefined
  let finished = false
  // When the wait began: for a chunk while somebody asks, for somebody to ask otherwise.
  let since = watch.clock.ticks()
  let wake: (() => void) | undefined

  const notify = () => {
    const waiting = wake
    wake = undefined
    waiting?.()
  }
  const finish = (whole: boolean) => {
    if (finished) return
    finished = true
    timer.cancel()
    // With a listener for it the stream would never flow again, and its owner may want to let the rest run off.
    stream.off('readable', notify)
    watch.over(whole)
  }
  const fail = (why: Fault) => {
    if (finished) return
    fault ??= why
    finish(false)
    notify()
  }
  const check = () => {
    const patience = wake === undefined ? readerPatience(watch.idleMs) : watch.idleMs
    const left = patience - (watch.clock.ticks() - since)
    if (left <= 0) fail(watch.stalled())
    else timer = watch.clock.after(Math.min(left, watch.idleMs), check)
  }
  let timer = watch.clock.after(watch.idleMs, check)

  stream.on('readable', notify)
  stream.on('end', () => {
    ended = true
    notify()
  })
  stream.on('error', (error) => fail(watch.broken(error)))
  stream.on('close', () => {
    if (!ended) fail(watch.broken(undefined))
    notify()
  })
  // So may its `close`.
  if (stream.closed && !ended) fail(watch.broken(stream.errored ?? undefined))

  async function next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      if (fault !== undefined) throw fault
      if (finished) return { done: true, value: undefined }
      const chunk = stream.read() as Uint8Array | null // no encoding is ever set
      if (chunk !== null) {
        since = watch.clock.ticks()
        return { done: false, value: chunk }
      }
      if (ended) {
        fault = watch.short()
        finish(fault === undefined)
        continue
      }
      since = watch.clock.ticks()
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }

  return {
    next,
    async return() {
      finish(false)
      notify()
      return { done: true, value: undefined }
    },
    fail,
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** Settles when the stream takes more, or is closed. A reader that takes nothing beyond the patience for `idleMs` gets the stream destroyed. */
export function drained(stream: Writable, limit?: { readonly clock: Clock; readonly idleMs: number }): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.closed) return resolve()
    const timer = limit?.clock.after(readerPatience(limit.idleMs), () => stream.destroy(new Error('the peer takes nothing')))
    const done = () => {
      timer?.cancel()
      stream.off('drain', done)
      stream.off('close', done)
      resolve()
    }
    stream.on('drain', done)
    stream.on('close', done)
  })
}
