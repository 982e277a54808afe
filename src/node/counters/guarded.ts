import type { Clock, Counters, Descriptor, Journal, Meter, Taken, TakenReading } from '../../core/ports.ts'
import type { Standing } from './algorithms/standing.ts'
import { StoreBreaker } from './breaker.ts'
import { Denials } from './denials.ts'
import { Fallback } from './fallback.ts'
import { type KeptCounters, lookIn } from './kept.ts'
import { defaultKeyCap } from './memory.ts'
import { Notices } from './notices.ts'
import { checkCosts } from './store-key.ts'

export interface GuardedCountersOptions {
  readonly clock: Pick<Clock, 'ticks' | 'now'>
  readonly meter: Meter
  readonly journal: Journal
  /** Processes that ask the same counters, for the shares of those that are without them. */
  readonly instances: number
  /** Why the counters rejected, for the metric. */
  readonly reasonOf: (why: unknown) => 'timeout' | 'connection' | 'reply'
}

/** Those of another process. */
export type AskedCounters = Counters & Pick<KeptCounters, 'forget'>

/**
 * Counters of another process, which may reject. Neither `take` nor `peek` of these does for that: each limit does what its `onStoreFailure` says, and
 * after 5 failures in a row the others are left alone but for one probe a second. Refusals are remembered, so that a flood asks nobody.
 */
export function createGuardedCounters(counters: AskedCounters, options: GuardedCountersOptions): KeptCounters {
  return new GuardedCounters(counters, options)
}

class GuardedCounters implements KeptCounters {
  readonly #counters: AskedCounters
  readonly #options: GuardedCountersOptions
  readonly #breaker: StoreBreaker
  readonly #denials: Denials
  readonly #fallback: Fallback
  readonly #notices: Notices
  #degraded = false

  constructor(counters: AskedCounters, options: GuardedCountersOptions) {
    const { clock, journal, meter, instances } = options
    this.#counters = counters
    this.#options = options
    this.#breaker = new StoreBreaker(clock, 5, 1000)
    this.#denials = new Denials(clock, defaultKeyCap)
    this.#fallback = new Fallback(clock, defaultKeyCap, () => instances)
    this.#notices = new Notices(journal)
    meter.gauge('sallyport_limit_store_degraded', 0, {})
  }

  take(descriptors: readonly Descriptor[]): Taken | Promise<Taken> {
    checkCosts(descriptors)
    const refused = this.#denials.refusal(descriptors)
    if (refused !== undefined) return refused
    return this.#admitted() ? this.#take(descriptors) : this.#fallback.take(descriptors)
  }

  charge(descriptors: readonly Descriptor[]): readonly TakenReading[] | Promise<readonly TakenReading[]> {
    checkCosts(descriptors)
    return this.#admitted() ? this.#charge(descriptors) : this.#fallback.charge(descriptors)
  }

  peek(descriptors: readonly Descriptor[]): Taken | Promise<Taken> {
    return this.#admitted() ? this.#peek(descriptors) : this.#fallback.peek(descriptors)
  }

  look(descriptor: Descriptor): Promise<Standing> {
    return lookIn(this.#counters, descriptor)
  }

  async forget(descriptor: Descriptor): Promise<boolean> {
    const found = await this.#counters.forget(descriptor)
    this.forgetHere(descriptor)
    return found
  }

  forgetHere(descriptor: Descriptor): void {
    this.#denials.forget(descriptor)
    this.#fallback.forget(descriptor)
  }

  #admitted(): boolean {
    const admitted = this.#breaker.admit()
    if (!admitted) this.#mark(true)
    return admitted
  }

  async #take(descriptors: readonly Descriptor[]): Promise<Taken> {
    const askedAt = this.#options.clock.ticks()
    const taken = await this.#answer(this.#counters.take(descriptors))
    if (taken === undefined) return this.#fallback.take(descriptors)
    if (!taken.allowed) this.#noteRefusals(descriptors, taken, askedAt)
    return taken
  }

  /** Places are free any moment: nothing is remembered of them. */
  #noteRefusals(descriptors: readonly Descriptor[], { readings }: Taken, askedAt: number): void {
    for (const descriptor of descriptors) {
      const { limit, cost } = descriptor
      const reading = readings.find((one) => one.limit === limit.name)
      if (reading !== undefined && reading.remaining < cost && limit.algorithm.kind !== 'concurrency') this.#denials.note(descriptor, reading, askedAt)
    }
  }

  /** What is not answered for counts here: there it may be counted late, which is never too little. */
  async #charge(descriptors: readonly Descriptor[]): Promise<readonly TakenReading[]> {
    return (await this.#answer(this.#counters.charge(descriptors))) ?? this.#fallback.charge(descriptors)
  }

  async #peek(descriptors: readonly Descriptor[]): Promise<Taken> {
    return (await this.#answer(this.#counters.peek(descriptors))) ?? this.#fallback.peek(descriptors)
  }

  /** Undefined when there is none. */
  async #answer<T>(asked: T | Promise<T>): Promise<T | undefined> {
    try {
      const answer = await asked
      this.#breaker.succeed()
      this.#mark(false)
      return answer
    } catch (error) {
      const reason = this.#options.reasonOf(error)
      this.#breaker.fail()
      this.#options.meter.count('sallyport_limit_store_failures_total', { reason })
      this.#mark(true, reason)
      return undefined
    }
  }

  #mark(degraded: boolean, reason: string = 'connection'): void {
    if (degraded === this.#degraded) return
    this.#degraded = degraded
    this.#options.meter.gauge('sallyport_limit_store_degraded', degraded ? 1 : 0, {})
    if (degraded) this.#notices.lost(reason)
    else this.#notices.back()
  }
}
