import type { Clock } from '../../core/ports.ts'
import type { Log } from '../journal.ts'
import type { Ending, Hand } from './hand.ts'

/** A worker that ends sooner after it began to serve may be in a loop. Milliseconds. */
const youngMs = 10_000
/** Young ends of one place in a row that are put up with. */
const mostYoungEnds = 5
const firstWaitMs = 200

export interface SupervisorParts {
  readonly count: number
  readonly clock: Pick<Clock, 'ticks' | 'after'>
  readonly log: Log
  readonly fork: () => Hand
  /** Makes it serve. Rejects when it cannot. */
  readonly begin: (hand: Hand) => Promise<void>
  /** A worker that served is gone. */
  readonly lost: (hand: Hand) => void
  /** A place cannot be kept filled: nobody tries any more. */
  readonly gaveUp: (why: string) => void
}

/**
 * Keeps so many worker processes serving. One that ends is replaced at once; one that ends young again and again after waits that double
 * (0.2 s to 1.6 s), and after the sixth time in a row it gives up: a loop must end where somebody sees it.
 */
export class Supervisor {
  readonly #parts: SupervisorParts
  readonly #serving = new Map<Hand, number>()
  readonly #alive = new Set<Hand>()
  #stopped = false

  constructor(parts: SupervisorParts) {
    this.#parts = parts
  }

  /** Those that serve, in the order in which they began. */
  get serving(): readonly Hand[] {
    return [...this.#serving.keys()]
  }

  /** Those whose process runs. */
  get alive(): readonly Hand[] {
    return [...this.#alive]
  }

  /** Settles when all serve. Rejects when one cannot: then none is left. */
  async start(): Promise<void> {
    const first = Array.from({ length: this.#parts.count }, (_, place) => ({ place, hand: this.#fork() }))
    try {
      await Promise.all(first.map(({ place, hand }) => this.#begin(hand, place)))
    } catch (error) {
      this.#stopped = true
      for (const hand of this.#alive) hand.kill()
      await Promise.all(first.map(({ hand }) => hand.ended))
      throw error
    }
    for (const { place, hand } of first) void this.#keep(place, hand)
  }

  /** Whoever ends from now on is not replaced. */
  stop(): void {
    this.#stopped = true
  }

  #fork(): Hand {
    const hand = this.#parts.fork()
    this.#alive.add(hand)
    void hand.ended.then(() => this.#alive.delete(hand))
    return hand
  }

  async #begin(hand: Hand, place: number): Promise<void> {
    await this.#parts.begin(hand)
    this.#serving.set(hand, this.#parts.clock.ticks())
    this.#parts.log('info', 'worker_started', { worker: place, pid: hand.pid })
  }

  /** Keeps one place filled from the first worker on. */
  async #keep(place: number, first: Hand): Promise<void> {
    let hand = first
    for (let youngEnds = 0; ; ) {
      const how = await hand.ended
      const since = this.#leave(hand)
      if (this.#stopped) return
      youngEnds = since === undefined || this.#parts.clock.ticks() - since < youngMs ? youngEnds + 1 : 0
      if (youngEnds > mostYoungEnds) return this.#giveUp(place, hand, how)
      const waitMs = youngEnds < 2 ? 0 : firstWaitMs * 2 ** (youngEnds - 2)
      this.#parts.log('error', 'worker_ended', { worker: place, pid: hand.pid, how, again_ms: waitMs })
      if (waitMs > 0) await new Promise<void>((resolve) => void this.#parts.clock.after(waitMs, resolve))
      if (this.#stopped) return
      hand = this.#fork()
      await this.#tryBegin(hand, place)
    }
  }

  /** One that cannot begin ends; that is an end like any other. */
  async #tryBegin(hand: Hand, place: number): Promise<void> {
    try {
      await this.#begin(hand, place)
    } catch (error) {
      this.#parts.log('error', 'worker_failed', { worker: place, pid: hand.pid, reason: error instanceof Error ? error.message : String(error) })
      hand.kill()
    }
  }

  /** Since when it served; undefined when it never did. */
  #leave(hand: Hand): number | undefined {
    const since = this.#serving.get(hand)
    this.#serving.delete(hand)
    if (since !== undefined) this.#parts.lost(hand)
    return since
  }

  #giveUp(place: number, hand: Hand, how: Ending): void {
    this.#stopped = true
    const why = `worker ${place} ended ${mostYoungEnds + 1} times in a row, each within ${youngMs / 1000} s of its start, the last time (process ${hand.pid}) by ${how}`
    this.#parts.gaveUp(why)
  }
}
