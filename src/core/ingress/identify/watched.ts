import type { Clock } from '../../ports.ts'

export interface WatchRules {
  /** Older than this, it is looked at again before it is used. Milliseconds. */
  readonly refreshMs: number
  /** How long it goes on, from when it was last seen, while it cannot be looked at. Milliseconds. */
  readonly staleForMs: number
}

/** After a look that failed, nobody looks again for this long. */
const pauseMs = 1000

/**
 * A value that stands elsewhere and may change there. Whoever reads it gets what was true at most `refreshMs` ago, or, while it cannot be
 * looked at, what was true at most `staleForMs` ago. One look at a time, and only when somebody asks: nothing runs on its own.
 */
export class Watched<Value> {
  readonly #look: () => Promise<Value>
  readonly #rules: WatchRules
  readonly #clock: Pick<Clock, 'ticks'>
  #seen: { readonly value: Value; readonly at: number } | undefined
  #failed: { readonly reason: unknown; readonly at: number } | undefined
  #looking: Promise<Value> | undefined

  constructor(look: () => Promise<Value>, rules: WatchRules, clock: Pick<Clock, 'ticks'>) {
    this.#look = look
    this.#rules = rules
    this.#clock = clock
  }

  /** Throws, or rejects with, the reason of the last look when there is nothing young enough. */
  read(): Value | Promise<Value> {
    const now = this.#clock.ticks()
    if (this.#seen !== undefined && now < this.#seen.at + this.#rules.refreshMs) return this.#seen.value
    if (this.#failed !== undefined && now < this.#failed.at + pauseMs) return this.#insteadOf(this.#failed.reason)
    this.#looking ??= this.#lookOnce(now).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookOnce(startedAt: number): Promise<Value> {
    try {
      const value = await this.#look()
      // A change during the look may have been missed: the age counts from its start.
      this.#seen = { value, at: startedAt }
      this.#failed = undefined
      return value
    } catch (reason) {
      this.#failed = { reason, at: this.#clock.ticks() }
      return this.#insteadOf(reason)
    }
  }

  #insteadOf(reason: unknown): Value {
    if (this.#seen !== undefined && this.#clock.ticks() < this.#seen.at + this.#rules.staleForMs) return this.#seen.value
    throw reason
  }
}
