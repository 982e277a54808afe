import { Fault } from '../../model/fault.ts'
import type { Lifeline } from '../../model/lifeline.ts'
import type { Clock } from '../../ports.ts'

interface Waiter {
  readonly fits: () => boolean
  readonly go: () => void
}

/** Requests that wait for a place, first come first served. */
export class Waiting {
  readonly #waiters: Waiter[] = []

  get length(): number {
    return this.#waiters.length
  }

  /**
   * Waits until `fits` says yes and then runs `enter` at once, before anybody else can. @throws Fault `deadline_exceeded`, or why the request ended
   */
  join(wait: { readonly fits: () => boolean; readonly enter: () => void; readonly lifeline: Lifeline; readonly until: number }, clock: Clock): Promise<void> {
    return new Promise((resolve, reject) => {
      const out = () => {
        const at = this.#waiters.indexOf(waiter)
        if (at >= 0) this.#waiters.splice(at, 1)
        timer?.cancel()
        forget()
      }
      const waiter: Waiter = {
        fits: wait.fits,
        go: () => {
          out()
          wait.enter()
          resolve()
        },
      }
      const giveUp = (why: Fault) => {
        out()
        reject(why)
      }
      this.#waiters.push(waiter)
      const passed = () => giveUp(new Fault('deadline_exceeded', 'the deadline has passed', { internal: 'no place became free in time' }))
      const timer = Number.isFinite(wait.until) ? clock.after(Math.max(0, wait.until - clock.ticks()), passed) : undefined
      const forget = wait.lifeline.onEnd(giveUp)
    })
  }

  /** A place has become free: whoever has room now goes on, the first first. */
  next(): void {
    for (let first = this.#fitting(); first !== undefined; first = this.#fitting()) first.go()
  }

  #fitting(): Waiter | undefined {
    return this.#waiters.find((waiter) => waiter.fits())
  }
}
