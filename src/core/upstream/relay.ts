import { Fault } from '../model/fault.ts'

/** What a relay reports. Exactly one of `ended`, `broken` and `dropped` comes, once. */
export interface RelayWatch {
  readonly item?: () => void
  readonly ended: () => void
  readonly broken: (fault: Fault) => void
  /** The reader lost interest. */
  readonly dropped: () => void
}

/** The same items at the pace of the reader, with a word about each and about the end. */
export function relay<T>(source: AsyncIterable<T>, watch: RelayWatch): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const inner = source[Symbol.asyncIterator]()
      let over = false
      return {
        async next() {
          try {
            const step = await inner.next()
            if (step.done !== true) watch.item?.()
            else if (!over) {
              over = true
              watch.ended()
            }
            return step
          } catch (error) {
            const fault = Fault.from(error)
            if (!over) watch.broken(fault)
            over = true
            throw fault
          }
        },
        async return() {
          const last = await inner.return?.()
          if (!over) watch.dropped()
          over = true
          return last ?? { done: true, value: undefined }
        },
      }
    },
  }
}

/** What was peeked at, then the rest. */
export function rejoin<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncIterable<T> {
  let peeked: IteratorResult<T> | undefined = first
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const step = peeked
        peeked = undefined
        return step ?? (await rest.next())
      },
      async return() {
        peeked = undefined
        return (await rest.return?.()) ?? { done: true, value: undefined }
      },
    }),
  }
}
