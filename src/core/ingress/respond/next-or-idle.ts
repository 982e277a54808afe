import type { Clock } from '../../ports.ts'

/**
 * A `next` that gives `undefined` whenever nothing has come for `idleMs` milliseconds. Nothing is pulled ahead: one item is asked for, and
 * not asked for again until it has come. @throws what the source throws
 */
export function nextOrIdle<T>(source: AsyncIterator<T>, clock: Pick<Clock, 'after'>, idleMs: number): () => Promise<IteratorResult<T> | undefined> {
  let asked: Promise<IteratorResult<T>> | undefined
  let come = false
  let wake = () => {}

  const ask = (): Promise<IteratorResult<T>> => {
    const step = source.next()
    const note = () => {
      come = true
      wake()
    }
    come = false
    step.then(note, note)
    return step
  }
  return async () => {
    asked ??= ask()
    if (!come) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(idleMs, resolve)
        wake = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    if (!come) return undefined
    const step = asked
    asked = undefined
    return step
  }
}
