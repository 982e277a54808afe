import type { FakeClock } from './clock.ts'

/** A service that works on so many requests at a time; the rest waits in line, as in most servers, however long. */
export interface QueueServer {
  /** Milliseconds that one request takes when it is its turn. */
  takesMs: number
  /** `done` when it was worked on; work is not noticed to be in vain. */
  serve(done: () => void): void
}

export function queueServer(clock: FakeClock, workers: number, takesMs: number): QueueServer {
  const line: (() => void)[] = []
  let busy = 0
  const server: QueueServer = {
    takesMs,
    serve(done) {
      line.push(done)
      work()
    },
  }
  function work(): void {
    if (busy >= workers) return
    const done = line.shift()
    if (done === undefined) return
    busy += 1
    clock.after(server.takesMs, () => {
      busy -= 1
      done()
      work()
    })
  }
  return server
}
