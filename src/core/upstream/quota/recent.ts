/** Parts of a window that are counted together. */
const parts = 20

/** How often something happened within the last window, never less than it did: a part leaves when all of it is older than the window. */
export class Recent {
  readonly #partMs: number
  readonly #counts = new Map<number, number>()
  #total = 0

  constructor(windowMs: number) {
    this.#partMs = windowMs / parts
  }

  add(now: number): void {
    const part = Math.floor(now / this.#partMs)
    this.#counts.set(part, (this.#counts.get(part) ?? 0) + 1)
    this.#total += 1
  }

  /** `now`: monotonic milliseconds. */
  count(now: number): number {
    const oldest = Math.floor(now / this.#partMs) - parts
    // In the order of time: parts are added as time goes.
    for (const [part, count] of this.#counts) {
      if (part >= oldest) break
      this.#counts.delete(part)
      this.#total -= count
    }
    return this.#total
  }

  /** Milliseconds until the oldest part leaves; 0 when nothing is counted. */
  nextMs(now: number): number {
    this.count(now)
    const [first] = this.#counts.keys()
    return first === undefined ? 0 : (first + parts + 1) * this.#partMs - now
  }
}
