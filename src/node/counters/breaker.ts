import type { Clock } from '../../core/ports.ts'

/** A store that is connected and refuses is not asked more often for all its connecting. */
const afterNewsMs = 250

/**
 * Keeps callers away from a store that does not answer. Closed until `failures` calls in a row have failed; then open for
 * `openMs`, after which one call in every `openMs` is let through as a probe. The first success closes it.
 */
export class StoreBreaker {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #failures: number
  readonly #openMs: number
  #failed = 0
  #probeAt = 0
  #probedAt = -Infinity

  constructor(clock: Pick<Clock, 'ticks'>, failures: number, openMs: number) {
    this.#clock = clock
    this.#failures = failures
    this.#openMs = openMs
  }

  /** There is news of the store: the next call may be a probe, unless one was just now. */
  hint(): void {
    this.#probeAt = Math.min(this.#probeAt, this.#probedAt + afterNewsMs)
  }

  /** Whether this call may go to the store. A yes while open is the probe: it must end in `succeed` or `fail`. */
  admit(): boolean {
    if (!this.open) return true
    const now = this.#clock.ticks()
    if (now < this.#probeAt) return false
    this.#probedAt = now
    this.#probeAt = now + this.#openMs
    return true
  }

  succeed(): void {
    this.#failed = 0
  }

  fail(): void {
    this.#failed++
    if (this.#failed === this.#failures) this.#probeAt = this.#clock.ticks() + this.#openMs
  }

  get open(): boolean {
    return this.#failed >= this.#failures
  }
}
