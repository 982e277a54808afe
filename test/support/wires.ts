import type { Wire } from '../../src/node/workers/wire.ts'

/** Two ends of one wire, in this process. What is sent arrives when the test says so. */
export interface WirePair {
  readonly worker: Wire
  readonly primary: Wire
  /** Lines on their way to the primary, and to the worker; a test may take some away. */
  readonly up: string[]
  readonly down: string[]
  /** Delivers what is on its way, and what comes of it, until nothing moves. */
  deliver(): Promise<void>
  /** The worker reads what is on its way to it. */
  hear(): void
  /** The worker's process ends, or the primary's: both hear it. */
  cut(): void
}

interface Reader {
  readonly line: (text: string) => void
  readonly gone: () => void
}

export function wirePair(): WirePair {
  const up: string[] = []
  const down: string[] = []
  const nobody: Reader = { line: () => {}, gone: () => {} }
  const readers = { worker: nobody, primary: nobody }
  const end = (side: keyof typeof readers, out: string[]): Wire => ({
    send: (line) => void out.push(line),
    read(line, gone) {
      readers[side] = { line, gone }
    },
  })
  const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))
  return {
    worker: end('worker', up),
    primary: end('primary', down),
    up,
    down,
    async deliver() {
      for (await turn(); up.length > 0 || down.length > 0; await turn()) {
        for (const line of up.splice(0)) readers.primary.line(line)
        for (const line of down.splice(0)) readers.worker.line(line)
      }
    },
    hear() {
      for (const line of down.splice(0)) readers.worker.line(line)
    },
    cut() {
      readers.worker.gone()
      readers.primary.gone()
    },
  }
}
