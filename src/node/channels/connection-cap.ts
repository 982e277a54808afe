import { Fault } from '../../core/model/fault.ts'
import type { CallOptions, Clock } from '../../core/ports.ts'

/** A pool of connections towards one endpoint, which shares its cap with others. */
export interface Holder {
  /** Connections, those that are being opened or are promised among them. */
  readonly count: number
  /** Those of them that carry nothing, and that nobody is about to use. */
  readonly idle: number
  /** Closes one of the idle ones. */
  dropIdle(): void
}

/** How long a call waits for a connection. */
export interface Patience {
  readonly options: Pick<CallOptions, 'lifeline' | 'deadline' | 'held'>
  readonly clock: Clock
  readonly ms: number
}

interface Waiter {
  readonly holder: Holder
  readonly ready: () => boolean
  readonly go: () => void
}

/**
 * Bounds the connections of several pools together. Where all are in use, calls wait for one, first come first served of those for whom there is
 * something; where one lies idle in another pool, it is closed to make room.
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

  /** Whether one more may be opened now; idle ones of other pools are closed for it, but none for nothing. */
  makeRoom(): boolean {
    let tooMany = this.#sum('count') - this.#most + 1
    if (tooMany <= 0) return true
    if (this.#sum('idle') < tooMany) return false
    for (const holder of this.#holders) for (; tooMany > 0 && holder.idle > 0; tooMany -= 1) holder.dropIdle()
    return true
  }

  /**
   * Resolves when `grab` has said yes, which it may at once. It is asked again when something has changed, and takes what it finds in the same turn.
   * While it waits, the call is `held`: what becomes of it meanwhile is not the endpoint's doing.
   * @throws Fault `overloaded` when nothing became free in time, `deadline_exceeded`, or why the request ended
   */
  async wait(holder: Holder, grab: () => boolean, patience: Patience): Promise<void> {
    if (this.#waiters.length === 0 && grab()) return
    const { held } = patience.options
    held?.(true)
    await this.#turn(holder, grab, patience)
    held?.(false)
    // What made room for this one may have made it for the next one too.
    this.changed()
  }

  /** A connection was closed, or carries nothing any more, or less. */
  changed(): void {
    // Those who wait for the same pool wait for the same: what the first of them does not find is not there for the others.
    const inVain = new Set<Holder>()
    for (const { holder, ready, go } of this.#waiters) {
      if (inVain.has(holder)) continue
      if (ready()) return go()
      inVain.add(holder)
    }
  }

  #sum(of: 'count' | 'idle'): number {
    let all = 0
    for (const holder of this.#holders) all += holder[of]
    return all
  }

  #turn(holder: Holder, grab: () => boolean, { options, clock, ms }: Patience): Promise<void> {
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
        holder,
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
