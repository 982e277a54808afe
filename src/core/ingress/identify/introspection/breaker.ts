import type { Clock } from '../../../ports.ts'

const failureLimit = 5
const openMs = 1000
const inFlightLimit = 100

/** Why a call may not be made now. */
export interface Held {
  readonly reason: string
  readonly retryAfterMs: number
}

/**
 * Spares an endpoint that fails, and ourselves the wait: after five failures in a row nobody asks for a second, then one call tries. Whatever
 * its state, only so many calls are under way at once: tokens that nobody knows must not become connections without end.
 */
export class Breaker {
  readonly #clock: Pick<Clock, 'ticks'>
  #failures = 0
  #openUntil = Number.NEGATIVE_INFINITY
  #inFlight = 0

  constructor(clock: Pick<Clock, 'ticks'>) {
    this.#clock = clock
  }

  /** Why there may be no call now; undefined when one may start, which must then end with `leave`. */
  enter(): Held | undefined {
    const wait = this.#openUntil - this.#clock.ticks()
    if (wait > 0) return { reason: `${this.#failures} failures in a row`, retryAfterMs: wait }
    const probing = this.#failures >= failureLimit
    if (this.#inFlight >= (probing ? 1 : inFlightLimit))
      return { reason: probing ? 'one call tries whether it is back' : 'too many calls under way', retryAfterMs: openMs }
    this.#inFlight++
    return undefined
  }

  leave(good: boolean): void {
    this.#inFlight--
    this.#failures = good ? 0 : this.#failures + 1
    if (this.#failures >= failureLimit) this.#openUntil = this.#clock.ticks() + openMs
  }
}
