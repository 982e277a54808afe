/** Nobody answered in time. */
export class OverBudget extends Error {
  override readonly name = 'OverBudget'
}

interface Wait {
  readonly until: number
  readonly giveUp: () => void
}

/**
 * Waits for answers, each for the same time at most; one timer serves all. An answer that has arrived is never late: when the time is over, what the
 * sockets hold is read before anybody gives up, so a process that was busy itself does not blame the one it asked.
 */
export class Budget {
  readonly #ms: number
  /** Oldest first. */
  readonly #waits = new Set<Wait>()
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number) {
    this.#ms = ms
  }

  /** What was asked for, or a rejection with `OverBudget`. What comes after that is dropped. */
  within<T>(asked: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait: Wait = { until: performance.now() + this.#ms, giveUp: () => reject(new OverBudget(`no answer within ${this.#ms} ms`)) }
      this.#waits.add(wait)
      if (this.#timer === undefined) this.#lookIn(this.#ms)
      asked.then(resolve, reject).finally(() => this.#waits.delete(wait))
    })
  }

  #lookIn(ms: number): void {
    // The sockets are read between timers and immediates.
    this.#timer = setTimeout(() => setImmediate(() => this.#giveUp()), ms)
  }

  #giveUp(): void {
    const now = performance.now()
    this.#timer = undefined
    for (const wait of this.#waits) {
      if (wait.until > now) {
        this.#lookIn(wait.until - now)
        return
      }
      this.#waits.delete(wait)
      wait.giveUp()
    }
  }
}
