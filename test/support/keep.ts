import { afterAll } from 'vitest'

/** Takes what has to be closed when a test, or the last test of a file, is over. `onTestFinished` is one. */
export type Keep = (close: () => void | Promise<void>) => void

/** Keeps things until the last test of the file, then closes them, the newest first. Called at the top of a file. */
export function untilTheEnd(): Keep {
  const kept: (() => void | Promise<void>)[] = []
  afterAll(async () => {
    for (const close of kept.toReversed()) await close()
  })
  return (close) => void kept.push(close)
}
