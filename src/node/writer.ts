import { Buffer } from 'node:buffer'
import { close, write, writeSync } from 'node:fs'

/** Lines on their way to a file descriptor. */
export interface LineWriter {
  /** Takes a line without its newline. Returns false when it was dropped because the reader is too slow. */
  line(text: string): boolean
  /** Settles when everything taken so far is written or lost. */
  flush(): Promise<void>
  /** Writes what is left at once: for the end of the process. */
  flushNow(): void
  close(): Promise<void>
}

const pendingLimit = 16 * 1024 * 1024
const batch = 64 * 1024

/**
 * Buffers lines and writes them off the event loop, one write at a time: a slow reader of standard output never holds a
 * request up. Beyond 16 MiB of unwritten text lines are dropped.
 */
export function openWriter(descriptor: number, options: { readonly delayMs: number; readonly owned: boolean }): LineWriter {
  let pending = ''
  let inFlight: Buffer | undefined
  let timer: NodeJS.Timeout | undefined
  let waiting: (() => void)[] = []

  const settle = () => {
    const done = waiting
    waiting = []
    for (const resolve of done) resolve()
  }
  const start = () => {
    timer = undefined
    if (inFlight !== undefined) return
    if (pending === '') return settle()
    const bytes = Buffer.from(pending)
    pending = ''
    push(bytes)
  }
  const push = (bytes: Buffer) => {
    inFlight = bytes
    write(descriptor, bytes, (error, written) => {
      // Already written by flushNow, which took it over.
      if (inFlight !== bytes) return
      inFlight = undefined
      if (error !== null && error.code !== 'EAGAIN') return start()
      const rest = error === null ? bytes.subarray(written) : bytes
      if (rest.length === 0) return start()
      inFlight = rest
      // A full pipe in non-blocking mode: ask again soon.
      timer = setTimeout(() => push(rest), error === null ? 0 : 10)
    })
  }
  const flushNow = () => {
    clearTimeout(timer)
    timer = undefined
    const rest = Buffer.concat([inFlight ?? Buffer.alloc(0), Buffer.from(pending)])
    inFlight = undefined
    pending = ''
    writeAll(descriptor, rest)
    settle()
  }
  const flush = () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve)
      if (inFlight === undefined) start()
    })
  return {
    line(text) {
      if (pending.length + text.length > pendingLimit) return false
      pending += `${text}\n`
      if (inFlight === undefined && pending.length >= batch) {
        clearTimeout(timer)
        start()
      } else if (timer === undefined && inFlight === undefined) {
        timer = setTimeout(start, options.delayMs)
        timer.unref()
      }
      return true
    },
    flush,
    flushNow,
    async close() {
      await flush()
      if (options.owned) await new Promise<void>((resolve) => close(descriptor, () => resolve()))
    },
  }
}

/** Gives up after a bounded number of refusals: the end of the process must not wait for a reader that is gone. */
function writeAll(descriptor: number, bytes: Buffer): void {
  let rest = bytes
  for (let refusals = 0; rest.length > 0 && refusals < 100; ) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      refusals += 1
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}
