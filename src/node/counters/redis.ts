import type { Clock, Counters, Descriptor, Journal, Meter, Taken, TakenReading } from '../../core/ports.ts'
import { StoreBreaker } from './breaker.ts'
import { Denials } from './denials.ts'
import { Fallback } from './fallback.ts'
import { defaultKeyCap } from './memory.ts'
import { Presence } from './presence.ts'
import { connectRedis } from './redis-client.ts'
import { RedisLimiters, type StoreAnswer } from './redis-limiters.ts'
import { checkCosts } from './store-key.ts'

export interface RedisCountersOptions {
  /** `redis://`, `rediss://` or a socket path, as ioredis reads them. */
  readonly url: string
  readonly clock: Pick<Clock, 'ticks' | 'after'>
  readonly meter: Meter
  /** Told when the store is lost and when it is back. */
  readonly journal?: Journal | undefined
}

export interface RedisCounters extends Counters {
  /** True when the store is connected; false when it is not within that time. Limits are answered either way. */
  ready(withinMs: number): Promise<boolean>
  /** Whether the last answer was made without the store. */
  readonly degraded: boolean
  /** Says good-bye to the other instances and closes the connection. */
  close(): Promise<void>
}

/**
 * Counters that many instances share through Redis. With the store up no window ever holds more than points and burst.
 *
 * One limit: check and commit are one atomic step. Several: all are taken in one round trip, and when one refuses, the
 * others get back what they gave. So a refused request holds points of other limits for the time between two commands on
 * one connection; only if the store or this process dies right there do they stay taken, until their window ends.
 *
 * Neither `take` nor `peek` rejects for the store's sake. A store that is not connected, answers an error, or is silent
 * for 50 ms is done without, as each limit's `onStoreFailure` says; after 5 failures in a row it is left alone but for
 * one probe a second. What a silent store applies late counts against the limits, never for them.
 */
export function createRedisCounters(options: RedisCountersOptions): RedisCounters {
  return new SharedCounters(options)
}

class SharedCounters implements RedisCounters {
  readonly #clock: Pick<Clock, 'ticks' | 'after'>
  readonly #meter: Meter
  readonly #journal: Journal | undefined
  readonly #client: ReturnType<typeof connectRedis>
  readonly #limiters: RedisLimiters
  readonly #presence: Presence
  readonly #breaker: StoreBreaker
  readonly #denials: Denials
  readonly #fallback: Fallback
  #degraded = false

  constructor({ url, clock, meter, journal }: RedisCountersOptions) {
    this.#clock = clock
    this.#meter = meter
    this.#journal = journal
    this.#client = connectRedis(url)
    this.#limiters = new RedisLimiters(this.#client)
    this.#presence = new Presence(this.#client, clock)
    this.#breaker = new StoreBreaker(clock, 5, 1000)
    this.#denials = new Denials(clock, defaultKeyCap)
    this.#fallback = new Fallback(clock, defaultKeyCap, () => this.#presence.instances)
    meter.gauge('sallyport_limit_store_degraded', 0, {})
  }

  get degraded(): boolean {
    return this.#degraded
  }

  take(descriptors: readonly Descriptor[]): Taken | Promise<Taken> {
    checkCosts(descriptors)
    const remembered = this.#refusedBefore(descriptors)
    if (remembered !== undefined) return remembered
    return this.#admitted() ? this.#takeShared(descriptors) : this.#fallback.take(descriptors)
  }

  peek(descriptors: readonly Descriptor[]): Taken | Promise<Taken> {
    return this.#admitted() ? this.#peekShared(descriptors) : this.#fallback.peek(descriptors)
  }

  ready(withinMs: number): Promise<boolean> {
    if (this.#client.status === 'ready') return Promise.resolve(true)
    return new Promise((resolve) => {
      const connected = () => {
        timer.cancel()
        resolve(true)
      }
      const timer = this.#clock.after(withinMs, () => {
        this.#client.off('ready', connected)
        resolve(false)
      })
      this.#client.once('ready', connected)
    })
  }

  async close(): Promise<void> {
    await this.#presence.leave()
    this.#client.disconnect()
  }

  #refusedBefore(descriptors: readonly Descriptor[]): Taken | undefined {
    for (const descriptor of descriptors) {
      const reading = this.#denials.find(descriptor)
      if (reading !== undefined) return { allowed: false, refusedBy: reading.limit, readings: [reading] }
    }
    return undefined
  }

  /** A client that is not connected costs nothing to ask, so it needs no breaker; one that is may be frozen. */
  #admitted(): boolean {
    const admitted = this.#client.status === 'ready' && this.#breaker.admit()
    if (!admitted) this.#mark(true)
    return admitted
  }

  async #takeShared(descriptors: readonly Descriptor[]): Promise<Taken> {
    const answers = await Promise.all(descriptors.map((descriptor) => this.#limiters.take(descriptor)))
    if (this.#failure(answers)) {
      this.#giveBack(answers)
      return this.#fallback.take(descriptors)
    }
    const taken = takenOf(answers)
    if (taken.allowed) return taken
    this.#giveBack(answers)
    for (const answer of answers) if (answer.kind === 'refused') this.#denials.note(answer.descriptor, answer.reading)
    return { ...taken, readings: answers.map(afterGivingBack).filter((reading) => reading !== undefined) }
  }

  async #peekShared(descriptors: readonly Descriptor[]): Promise<Taken> {
    const answers = await Promise.all(descriptors.map((descriptor) => this.#limiters.peek(descriptor)))
    return this.#failure(answers) ? this.#fallback.peek(descriptors) : takenOf(answers)
  }

  /** Not waited for: on the one connection it comes before anything that is asked later. */
  #giveBack(answers: readonly StoreAnswer[]): void {
    for (const answer of answers) if (answer.kind === 'granted') void this.#limiters.giveBack(answer.descriptor)
  }

  /** Tells the breaker, once per request, how the store did. */
  #failure(answers: readonly StoreAnswer[]): boolean {
    const failed = answers.find((answer) => answer.kind === 'failed')
    if (failed === undefined) this.#breaker.succeed()
    else {
      this.#breaker.fail()
      this.#meter.count('sallyport_limit_store_failures_total', { reason: reasonOf(failed.why) })
    }
    this.#mark(failed !== undefined, failed === undefined ? undefined : reasonOf(failed.why))
    return failed !== undefined
  }

  #mark(degraded: boolean, reason: string = 'connection'): void {
    if (degraded === this.#degraded) return
    this.#degraded = degraded
    this.#meter.gauge('sallyport_limit_store_degraded', degraded ? 1 : 0, {})
    this.#journal?.write(degraded ? { event: 'limit_store_lost', reason } : { event: 'limit_store_back' })
  }
}

function takenOf(answers: readonly StoreAnswer[]): Taken {
  const known = answers.filter((answer) => answer.kind !== 'failed')
  const refusal = known.find((answer) => answer.kind === 'refused')
  return { allowed: refusal === undefined, refusedBy: refusal?.reading.limit, readings: known.map((answer) => answer.reading) }
}

function afterGivingBack(answer: StoreAnswer): TakenReading | undefined {
  if (answer.kind !== 'granted') return answer.kind === 'refused' ? answer.reading : undefined
  const { limit, remaining, resetMs, degraded } = answer.reading
  return { limit, remaining: remaining + answer.descriptor.cost, resetMs, degraded }
}

/** A closed list, for the metric. */
function reasonOf(why: unknown): 'timeout' | 'connection' | 'reply' {
  if (!(why instanceof Error)) return 'reply'
  if (why.message === 'Command timed out') return 'timeout'
  return why.name === 'ReplyError' ? 'reply' : 'connection'
}
