/** Takes what has to be closed at the end. */
export type Keep = (close: () => unknown) => void

/** Runs something, and then closes all that it has handed to `keep`, the latest first, whatever happens. */
export async function keeping<T>(run: (keep: Keep) => Promise<T>): Promise<T> {
  const kept: (() => unknown)[] = []
  try {
    return await run((close) => void kept.push(close))
  } finally {
    for (const close of kept.toReversed()) await close()
  }
}
