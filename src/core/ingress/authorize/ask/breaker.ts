import type { Clock } from '../../../ports.ts'

/** Failures in a row before a point is left alone. */
const most = 5
const firstPauseMs = 1_000
const longestPauseMs = 30_000

/**
 * Whether a point is worth asking. After five failures in a row it is left alone for 1 s, doubling to 30 s; then one question may try it,
 * and the first answer opens the way again.
 */
export class Breaker {
  readonly #clock: Pick<Clock, 'ticks'>
  #failures = 0
  #pauseMs = 0
  #until = 0
  #trying = false

  constructor(clock: Pick<Clock, 'ticks'>) {
    this.#clock = clock
  }

  /** Whether it is being left alone, or on trial. */
  get open(): boolean {
    return this.#pauseMs > 0
  }

  /** Takes leave to ask; whoever gets it reports `succeed` or `fail`. */
  admit(): boolean {
    if (!this.open) return true
    if (this.#trying || this.#clock.ticks() < this.#until) return false
    this.#trying = true
    return true
  }

  succeed(): void {
    this.#failures = 0
    this.#pauseMs = 0
    this.#trying = false
  }

  fail(): void {
    this.#failures += 1
    // What was asked before the others failed says nothing new.
    if (this.#failures < most || (this.open && !this.#trying)) return
    this.#trying = false
    this.#pauseMs = this.open ? Math.min(longestPauseMs, this.#pauseMs * 2) : firstPauseMs
    this.#until = this.#clock.ticks() + this.#pauseMs
  }
}
