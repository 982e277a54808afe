import type { Clock } from '../../../ports.ts'
import type { Answer } from './question.ts'

interface Held {
  readonly answer: Answer
  readonly freshUntil: number
  readonly staleUntil: number
}

/** Answers by key, bounded: what was used least recently goes first. Times are monotonic milliseconds. */
export class Answers {
  readonly #held = new Map<string, Held>()
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #limit: number

  constructor(clock: Pick<Clock, 'ticks'>, limit = 10_000) {
    this.#clock = clock
    this.#limit = limit
  }

  get size(): number {
    return this.#held.size
  }

  /** An answer that still holds. */
  fresh(key: string): Answer | undefined {
    const held = this.#touch(key)
    return held !== undefined && this.#clock.ticks() < held.freshUntil ? held.answer : undefined
  }

  /** An answer that is good enough while nobody answers. */
  stale(key: string): Answer | undefined {
    return this.#touch(key)?.answer
  }

  /** Puts an answer in place of the one before, also when it is not to be kept. */
  put(key: string, answer: Answer, freshMs: number, staleMs: number): void {
    this.#held.delete(key)
    if (freshMs + staleMs <= 0) return
    const now = this.#clock.ticks()
    this.#held.set(key, { answer, freshUntil: now + freshMs, staleUntil: now + freshMs + staleMs })
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#limit) break
      this.#held.delete(oldest)
    }
  }

  #touch(key: string): Held | undefined {
    const held = this.#held.get(key)
    if (held === undefined) return undefined
    this.#held.delete(key)
    if (this.#clock.ticks() >= held.staleUntil) return undefined
    this.#held.set(key, held)
    return held
  }
}
