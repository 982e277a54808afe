import { Fault } from '../../core/model/fault.ts'
import type { CallOptions, Clock } from '../../core/ports.ts'

/** A pool of connections towards one endpoint, which shares its cap with others. */
export interface Holder {
  /** Connections, those that are being opened or are promised among them. */
  readonly count: number
  /** Closes one that carries nothing; false when there is none. */
  dropIdle(): boolean
}

/** How long a call waits for a connection. */
export interface Patience {
  readonly options: Pick<CallOptions, 'lifeline' | 'deadline'>
  readonly clock: Clock
  readonly ms: number
}

interface Waiter {
  readonly ready: () => boolean
  readonly go: () => void
}

/**
 * Bounds the connections of several pools together. Where all are in use, calls wait for one, first come first served; where one lies idle in another
 * pool, it is closed to make room.
 */
export class ConnectionCap {
  readonly #name: string
  readonly #most: number
  readonly #holders = new Set<Holder>()
  readonly #waiters: Waiter[] = []

  constructor(name: string, most: number) {
    this.#name = name
    this.#most = most
  }

  /** Whether nobody holds anything of it any more. */
  get isUnused(): boolean {
    return this.#holders.size === 0
  }

  join(holder: Holder): void {
    this.#holders.add(holder)
  }

  leave(holder: Holder): void {
    this.#holders.delete(holder)
    this.changed()
  }

  /** Whether one more may be opened now; an idle one of another pool is closed for it. */
  makeRoom(): boolean {
    if (this.#count() < this.#most) return true
    for (const holder of this.#holders) if (holder.dropIdle()) return this.#count() < this.#most
    return false
  }

  /**
   * Resolves when `grab` has said yes, which it may at once. It is asked again when something has changed, and takes what it finds in the same turn.
   * @throws Fault `overloaded` when nothing became free in time, `deadline_exceeded`, or why the request ended
   */
  async wait(grab: () => boolean, patience: Patience): Promise<void> {
    if (this.#waiters.length === 0 && grab()) return
    await this.#turn(grab, patience)
    // What made room for this one may have made it for the next one too.
    this.changed()
  }

  /** A connection was closed, or carries nothing any more, or less. */
  changed(): void {
    const first = this.#waiters[0]
    if (first?.ready() === true) first.go()
  }

  #count(): number {
    let all = 0
    for (const { count } of this.#holders) all += count
    return all
  }

  #turn(grab: () => boolean, { options, clock, ms }: Patience): Promise<void> {
    const { lifeline, deadline } = options
    return new Promise((resolve, reject) => {
      const out = () => {
        const at = this.#waiters.indexOf(waiter)
        if (at >= 0) this.#waiters.splice(at, 1)
        timer.cancel()
        forget()
      }
      const giveUp = (why: Fault) => {
        out()
        reject(why)
        this.changed()
      }
      const waiter: Waiter = {
        ready: grab,
        go() {
          out()
          resolve()
        },
      }
      this.#waiters.push(waiter)
      const leftMs = deadline - clock.ticks()
      const late = () => giveUp(leftMs <= ms ? new Fault('deadline_exceeded', 'the deadline has passed', { internal: this.#full() }) : this.#overloaded())
      const timer = clock.after(Math.max(0, Math.min(ms, leftMs)), late)
      const forget = lifeline.onEnd(giveUp)
    })
  }

  #full(): string {
    return `all ${this.#most} connections of ${this.#name} are in use`
  }

  #overloaded(): Fault {
    return new Fault('overloaded', 'too many connections are in use', { headers: [['retry-after', '1']], internal: this.#full() })
  }
}
