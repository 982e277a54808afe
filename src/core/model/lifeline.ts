import type { Fault } from './fault.ts'

/**
 * The life of one request. It ends once: by `end` with the reason (downstream gone, deadline passed), or by `settle`
 * when the answer is complete. Whoever holds something for the request lets go of it in `onEnd`.
 */
export class Lifeline {
  #listeners: ((why: Fault) => void)[] = []
  #why: Fault | undefined
  #settled = false
  #over: (() => void)[] = []

  /** Why the request was cut short, if it was. */
  get ended(): Fault | undefined {
    return this.#why
  }

  /** Runs `run` when the request is cut short: at once if it already was, never if it settled. Returns a way to forget it. */
  onEnd(run: (why: Fault) => void): () => void {
    if (this.#why !== undefined) {
      run(this.#why)
      return () => {}
    }
    if (this.#settled) return () => {}
    this.#listeners.push(run)
    return () => {
      const at = this.#listeners.indexOf(run)
      if (at >= 0) this.#listeners.splice(at, 1)
    }
  }

  /** Cuts the request short. Only the first call counts, and none after `settle`. */
  end(why: Fault): void {
    if (this.#why !== undefined || this.#settled) return
    this.#why = why
    const listeners = this.#listeners
    this.#listeners = []
    for (const run of listeners) run(why)
    this.#finish()
  }

  /** The answer is complete; nothing is left to cut short. */
  settle(): void {
    if (this.#why !== undefined || this.#settled) return
    this.#settled = true
    this.#listeners = []
    this.#finish()
  }

  /** Runs `run` once the request is over, cut short or complete: at once if it already is. */
  onOver(run: () => void): void {
    if (this.#why !== undefined || this.#settled) run()
    else this.#over.push(run)
  }

  #finish(): void {
    const over = this.#over
    this.#over = []
    for (const run of over) run()
  }

  /** @throws Fault the reason, when the request was cut short. */
  check(): void {
    if (this.#why !== undefined) throw this.#why
  }
}

/** A request that was cut short stops waiting; what it asked for still arrives for others. */
export function unlessEnded<T>(lifeline: Lifeline, waiting: Promise<T>): Promise<T> {
  return new Promise((done, fail) => {
    const forget = lifeline.onEnd(fail)
    const arrived = (value: T) => {
      forget()
      done(value)
    }
    waiting.then(arrived, (error: unknown) => {
      forget()
      fail(error)
    })
  })
}
