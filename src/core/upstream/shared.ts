/**
 * Things that several users hold by key: made for the first, dropped when the last lets go. A new snapshot takes before the old one
 * gives, so what both use is never dropped in between.
 */
export class Shared<T> {
  readonly #held = new Map<string, { readonly value: T; shares: number }>()

  /** The thing of that key, made now if nobody holds it. */
  take(key: string, make: () => T): T {
    const there = this.#held.get(key)
    if (there !== undefined) {
      there.shares += 1
      return there.value
    }
    const value = make()
    this.#held.set(key, { value, shares: 1 })
    return value
  }

  /** Everything that is held. */
  values(): readonly T[] {
    return Array.from(this.#held.values(), ({ value }) => value)
  }

  /** One whose key fits, if any is held. */
  find(fits: (key: string) => boolean): T | undefined {
    for (const [key, { value }] of this.#held) if (fits(key)) return value
    return undefined
  }

  /** Gives one share back; `drop` runs with the thing when it was the last. */
  give(key: string, drop: (value: T) => void = () => {}): void {
    const there = this.#held.get(key)
    if (there === undefined) return
    there.shares -= 1
    if (there.shares > 0) return
    this.#held.delete(key)
    drop(there.value)
  }
}
