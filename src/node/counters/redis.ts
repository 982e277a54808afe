import type { Clock, Descriptor, Journal, Meter, Taken, TakenReading } from '../../core/ports.ts'
import { StoreBreaker } from './breaker.ts'
import { Budget, OverBudget } from './budget.ts'
import { Denials } from './denials.ts'
import { Fallback } from './fallback.ts'
import { HotKeys } from './hot-keys.ts'
import type { KeptCounters } from './kept.ts'
import { Leases } from './leases.ts'
import { redisKey, type StoreAnswer, type StoreMode, type StoreStanding } from './limit-call.ts'
import { defaultKeyCap } from './memory.ts'
import { Notices } from './notices.ts'
import { createPeriods } from './periods.ts'
import { Presence } from './presence.ts'
import { connectRedis } from './redis-client.ts'
import { RedisLimits } from './redis-limits.ts'
import { checkCosts } from './store-key.ts'

export interface RedisCountersOptions {
  /** `redis://`, `rediss://` or a socket path, as ioredis reads them; `redis+sentinel://` or `redis+cluster://` (`redis-url.ts`). */
  readonly url: string
  readonly clock: Pick<Clock, 'ticks' | 'now' | 'after'>
  readonly meter: Meter
  /** Told when the store is lost and when it is back, though not more than a few times a minute. */
  readonly journal?: Journal | undefined
  /** Another script than the store's usual one: its clock may be a test's. */
  readonly script?: string | undefined
  /** What a request spends at most on waiting for the store: 20 unless said otherwise. Tests of what the store counts do not depend on how busy the machine is. */
  readonly patienceMs?: number | undefined
  /** Counts together with those that say the same: the environment. */
  readonly space?: string | undefined
}

export interface RedisCounters extends KeptCounters {
  /** True when the store is connected; false when it is not within that time. Limits are answered either way. */
  ready(withinMs: number): Promise<boolean>
  /** Whether the last answer was made without the store. */
  readonly degraded: boolean
  /** Says good-bye to the other instances and closes the connection. */
  close(): Promise<void>
}

/**
 * Counters that many instances share through Redis, by its clock. With the store up they are as exact as those in memory, and let no more through
 * for keys that are asked so often that points are taken in advance (`hot-keys.ts`); those may be refused a little early.
 *
 * All limits of a request are checked and taken in one script, so a refused request consumes nothing. In a Cluster that is so for the limits
 * with the same key, which share a slot; of several slots each runs the script, all at once, and when one refuses the others get back what they
 * gave. So there a refused request holds points of other limits for the time of two round trips, and longer only if the store or this process
 * dies right then.
 *
 * Neither `take` nor `peek` rejects for the store's sake. A store that is not connected, answers an error, or is silent
 * for 20 ms is done without, as each limit's `onStoreFailure` says; after 5 failures in a row it is left alone but for
 * one probe a second, for which no request waits. What a silent store applies late counts against the limits, never for them.
 */
export function createRedisCounters(options: RedisCountersOptions): RedisCounters {
  return new SharedCounters(options)
}

/** So much a request may lose in the moment in which the store is lost. */
const usualPatienceMs = 20

/** Keys whose heat is known: hot ones are few. */
const hotKeyCap = 10_000

/** For the points that others ask for. */
const mostWaits = 3

class SharedCounters implements RedisCounters {
  readonly #clock: Pick<Clock, 'ticks' | 'now' | 'after'>
  readonly #meter: Meter
  readonly #notices: Notices | undefined
  readonly #client: ReturnType<typeof connectRedis>
  readonly #limits: RedisLimits
  readonly #space: string | undefined
  readonly #budget: Budget
  readonly #leases: Leases
  readonly #presence: Presence
  readonly #breaker: StoreBreaker
  readonly #denials: Denials
  readonly #hot: HotKeys
  readonly #fallback: Fallback
  #degraded = false

  constructor({ url, clock, meter, journal, script, patienceMs = usualPatienceMs, space }: RedisCountersOptions) {
    this.#space = space
    this.#clock = clock
    this.#meter = meter
    this.#notices = journal === undefined ? undefined : new Notices(journal)
    // The client forgets commands that a lost connection owes: they must end by themselves.
    this.#client = connectRedis(url, { commandTimeout: 2 * patienceMs })
    this.#budget = new Budget(patienceMs)
    this.#limits = new RedisLimits(this.#client, createPeriods(), script, space)
    this.#leases = new Leases(clock, (mode, descriptors, lease) => this.#send(mode, descriptors, lease))
    this.#presence = new Presence(this.#client, clock, (sign) => void this.#hear(sign), space)
    this.#breaker = new StoreBreaker(clock, 5, 1000)
    this.#denials = new Denials(clock, defaultKeyCap)
    this.#hot = new HotKeys(clock, hotKeyCap)
    this.#fallback = new Fallback(clock, defaultKeyCap, () => this.#presence.instances)
    this.#client.on('ready', () => this.#breaker.hint())
    meter.gauge('sallyport_limit_store_degraded', 0, {})
  }

  get degraded(): boolean {
    return this.#degraded
  }

  take(descriptors: readonly Descriptor[]): Taken | Promise<Taken> {
    checkCosts(descriptors)
    const remembered = this.#denials.refusal(descriptors)
    if (remembered !== undefined) return remembered
    const inHand = this.#hot.ask(descriptors)
    if (inHand !== undefined) return inHand
    const asking = this.#hot.asking(descriptors)
    if (asking !== undefined) return asking.then((answered) => this.#takeAfter(answered, descriptors, 1))
    return this.#admitted(descriptors) ? this.#takeAhead(descriptors) : this.#fallback.take(descriptors)
  }

  charge(descriptors: readonly Descriptor[]): readonly TakenReading[] | Promise<readonly TakenReading[]> {
    checkCosts(descriptors)
    const paid: TakenReading[] = []
    const due = descriptors.flatMap((descriptor) => {
      const payment = this.#hot.pay(descriptor)
      if (payment.due === 0) paid.push(payment.reading)
      return payment.due === 0 ? [] : [{ ...descriptor, cost: payment.due }]
    })
    if (due.length === 0) return paid
    if (!this.#admitted(due)) return [...paid, ...this.#fallback.charge(due)]
    return this.#chargeShared(due).then((readings) => [...paid, ...readings])
  }

  peek(descriptors: readonly Descriptor[]): Taken | Promise<Taken> {
    // What is remembered answers for all it was asked with, or a limit would have no reading.
    const remembered = descriptors.length === 1 ? this.#denials.refusal(descriptors) : undefined
    if (remembered !== undefined) return remembered
    return this.#admitted(descriptors) ? this.#peekShared(descriptors) : this.#fallback.peek(descriptors)
  }

  async look(descriptor: Descriptor): Promise<StoreStanding> {
    const { standings } = await patiently(() => this.#limits.run('peek', [descriptor], '', this.#clock.now()))
    const [standing] = standings
    if (standing === undefined) throw new Error('the store did not say how the limit stands')
    return standing
  }

  async forget(descriptor: Descriptor): Promise<boolean> {
    const count = await patiently(() => this.#client.del(redisKey(descriptor, this.#space)))
    this.forgetHere(descriptor)
    return count > 0
  }

  forgetHere(descriptor: Descriptor): void {
    this.#denials.forget(descriptor)
    this.#hot.forget(descriptor)
    this.#fallback.forget(descriptor)
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
    this.#leases.close()
    // A store that is silent is not waited for.
    await this.#budget.within(this.#presence.leave()).catch(() => undefined)
    this.#client.disconnect()
  }

  /** A client that is not connected costs nothing to ask, so it needs no breaker; one that is may be frozen. No request waits for what the probe says. */
  #admitted(descriptors: readonly Descriptor[]): boolean {
    const connected = this.#client.status === 'ready'
    if (connected && !this.#breaker.open) return true
    if (connected && this.#breaker.admit()) void this.#probe(descriptors)
    this.#mark(true)
    return false
  }

  async #probe(descriptors: readonly Descriptor[]): Promise<void> {
    // A replica answers who only looks. In a Cluster it does not, and each node has keys of its own.
    const sign = () =>
      this.#budget.within(this.#presence.sign()).then(
        () => [],
        (why: unknown): readonly Outcome[] => [{ why }],
      )
    this.#failure(await (this.#client.isCluster ? this.#run('peek', descriptors, '') : sign()))
  }

  /** A sign that the store took in time is news as good as a request's: whoever comes first after an outage must not pay for it. In a Cluster it tells of one node alone. */
  async #hear(sign: Promise<void>): Promise<void> {
    if (!this.#degraded || this.#client.isCluster) return
    try {
      await this.#budget.within(sign)
    } catch {
      return
    }
    this.#breaker.succeed()
    this.#mark(false)
  }

  /** Somebody has asked for more of the same. Who finds nothing left of it waits for the next, or asks; a few times, so that a crowd needs few round trips. */
  #takeAfter(answered: boolean, descriptors: readonly Descriptor[], waits: number): Taken | Promise<Taken> {
    if (!answered) return this.#fallback.take(descriptors)
    const known = this.#hot.askAgain(descriptors) ?? this.#denials.refusal(descriptors)
    if (known !== undefined) return known
    const asking = waits < mostWaits ? this.#hot.asking(descriptors) : undefined
    if (asking !== undefined) return asking.then((again) => this.#takeAfter(again, descriptors, waits + 1))
    return this.#admitted(descriptors) ? this.#takeAhead(descriptors) : this.#fallback.take(descriptors)
  }

  /** In a Cluster points of several slots are given back when one refuses: then none are taken in advance. */
  #takeAhead(descriptors: readonly Descriptor[]): Promise<Taken> {
    const together = !this.#client.isCluster || descriptors.every(({ key }) => key === descriptors[0]?.key)
    const wanted = together ? this.#hot.wanted(descriptors) : []
    const taken = this.#takeShared(descriptors, wanted)
    if (wanted.some((points) => points > 0)) {
      const answered = taken.then(
        ({ readings }) => readings.every(({ degraded }) => !degraded),
        () => false,
      )
      this.#hot.wait(descriptors, answered)
    }
    return taken
  }

  async #takeShared(descriptors: readonly Descriptor[], wanted: readonly number[]): Promise<Taken> {
    const held = descriptors.filter(isHeld)
    const lease = held.length === 0 ? '' : this.#leases.next()
    const askedAt = this.#clock.ticks()
    const outcomes = await this.#run('take', descriptors, lease, wanted)
    const answers = outcomes.filter((outcome) => 'standings' in outcome)
    const granted = answers.filter((answer) => answer.refusedBy === undefined).flatMap((answer) => answer.descriptors)
    if (this.#failure(outcomes)) {
      // Places are taken back even where nobody knows whether they were given: the store would hold them for 30 s.
      this.#send('give', [...granted.filter((descriptor) => !isHeld(descriptor)), ...held], lease)
      return this.#fallback.take(descriptors)
    }
    const taken = takenOf(descriptors, answers)
    if (taken.allowed) for (const answer of answers) this.#hot.stock(answer.descriptors, wanted, answer.standings, askedAt)
    if (taken.allowed) return held.length === 0 ? taken : { ...taken, release: this.#leases.hold(lease, held) }
    this.#send('give', granted, lease)
    this.#noteRefusals(answers, askedAt)
    return { ...taken, readings: taken.readings.map((reading) => afterGivingBack(reading, granted)) }
  }

  /** What the store did not answer for counts here: there it may be counted late, which is never too little. */
  async #chargeShared(descriptors: readonly Descriptor[]): Promise<readonly TakenReading[]> {
    const outcomes = await this.#run('charge', descriptors, '')
    this.#failure(outcomes)
    const answers = outcomes.filter((outcome) => 'standings' in outcome)
    const answered = new Set(answers.flatMap((answer) => answer.descriptors))
    const lost = descriptors.filter((descriptor) => !answered.has(descriptor))
    return [...takenOf(descriptors, answers).readings, ...this.#fallback.charge(lost)]
  }

  async #peekShared(descriptors: readonly Descriptor[]): Promise<Taken> {
    const askedAt = this.#clock.ticks()
    const outcomes = await this.#run('peek', descriptors, '')
    if (this.#failure(outcomes)) return this.#fallback.peek(descriptors)
    const answers = outcomes.filter((outcome) => 'standings' in outcome)
    this.#noteRefusals(answers, askedAt)
    return takenOf(descriptors, answers)
  }

  /** All at once, or in a Cluster all of one key at once. */
  #run(mode: StoreMode, descriptors: readonly Descriptor[], lease: string, wanted: readonly number[] = []): Promise<readonly Outcome[]> {
    const wallMs = this.#clock.now()
    const runOne = (group: readonly Descriptor[]) =>
      this.#budget.within(this.#limits.run(mode, group, lease, wallMs, wanted)).catch((why: unknown): Outcome => ({ why }))
    if (!this.#client.isCluster) return runOne(descriptors).then((outcome) => [outcome])
    return Promise.all(Array.from(Map.groupBy(descriptors, (descriptor) => descriptor.key).values(), runOne))
  }

  /** Not waited for: on the one connection it comes before anything that is asked later. */
  #send(mode: 'give' | 'renew', descriptors: readonly Descriptor[], lease: string): void {
    if (descriptors.length > 0) void this.#run(mode, descriptors, lease)
  }

  /** Places are free any moment: nothing is remembered of them. */
  #noteRefusals(answers: readonly StoreAnswer[], askedAt: number): void {
    for (const { descriptors, standings } of answers) {
      for (const [i, descriptor] of descriptors.entries()) {
        const standing = standings[i]
        if (standing === undefined || standing.fits || isHeld(descriptor)) continue
        this.#denials.note(descriptor, readingOf(descriptor, standing), askedAt)
      }
    }
  }

  /** Tells the breaker, once per request, how the store did. */
  #failure(outcomes: readonly Outcome[]): boolean {
    const failed = outcomes.find((outcome) => 'why' in outcome)
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
    if (degraded) this.#notices?.lost(reason)
    else this.#notices?.back()
  }
}

/** A person waits longer than a request does: what ends late is asked again, a few times. Rejects with the last error. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (why) {
      if (tries === 5 || reasonOf(why) !== 'timeout') throw why
    }
  }
}

/** What became of one script. `why`: the error as it came. */
type Outcome = StoreAnswer | { readonly why: unknown }

function isHeld({ limit }: Descriptor): boolean {
  return limit.algorithm.kind === 'concurrency'
}

/** Joins the answers of all slots, in the order of the descriptors. */
function takenOf(descriptors: readonly Descriptor[], answers: readonly StoreAnswer[]): Taken {
  const [first] = answers
  if (first !== undefined && first.descriptors === descriptors) {
    const { refusedBy, standings: all } = first
    const readings = descriptors.flatMap((descriptor, i) => readingsOf(descriptor, all[i]))
    return { allowed: refusedBy === undefined, refusedBy, readings }
  }
  const standings = new Map(answers.flatMap((answer) => answer.descriptors.map((descriptor, i) => [descriptor, answer.standings[i]])))
  const readings = descriptors.flatMap((descriptor) => readingsOf(descriptor, standings.get(descriptor)))
  const refusedBy = descriptors.find((descriptor) => standings.get(descriptor)?.fits === false)?.limit.name
  return { allowed: refusedBy === undefined, refusedBy, readings }
}

function readingsOf(descriptor: Descriptor, standing: StoreStanding | undefined): readonly TakenReading[] {
  return standing === undefined ? [] : [readingOf(descriptor, standing)]
}

function readingOf({ limit }: Descriptor, { remaining, resetMs }: StoreStanding): TakenReading {
  return { limit: limit.name, remaining, resetMs, degraded: false }
}

/** Only in a Cluster is something given back: one script takes from all or from none. */
function afterGivingBack(reading: TakenReading, granted: readonly Descriptor[]): TakenReading {
  const given = granted.find(({ limit }) => limit.name === reading.limit)
  return given === undefined ? reading : { ...reading, remaining: reading.remaining + given.cost }
}

/** A closed list, for the metric. */
function reasonOf(why: unknown): 'timeout' | 'connection' | 'reply' {
  if (!(why instanceof Error)) return 'reply'
  if (why instanceof OverBudget || why.message === 'Command timed out') return 'timeout'
  return why.name === 'ReplyError' ? 'reply' : 'connection'
}
