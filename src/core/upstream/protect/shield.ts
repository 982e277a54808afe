import type { BreakerRule } from '../../model/breaker.ts'
import { Fault } from '../../model/fault.ts'
import type { MetricName } from '../../observe/metrics.ts'
import type { Meter } from '../../ports.ts'
import { verdictOf } from '../health/outlier.ts'
import type { Note } from '../tried.ts'
import { Breaker, type BreakerState } from './breaker.ts'
import { Gradient } from './gradient.ts'
import { Lately } from './lately.ts'
import { Spread } from './spread.ts'

/** What the newest policies want of a place. */
export interface ShieldRule {
  readonly breaker: BreakerRule | undefined
  readonly adaptive: boolean
  /** What an adaptive limit never exceeds. */
  readonly most: number
}

/** One try under way, for the breaker. `leave` comes last. */
export interface Pass {
  readonly note: Note
  readonly leave: () => void
}

/** How one place stands, for people. */
export interface ShieldStatus {
  /** The cluster, `cluster/subset`, or the egress service and its environment. */
  readonly place: string
  readonly breaker: BreakerState | undefined
  /** Milliseconds until an open breaker lets a request through. */
  readonly backInMs: number | undefined
  /** Requests at a time that its answer times allow; undefined without adaptive concurrency. */
  readonly limit: number | undefined
  readonly active: number | undefined
}

const names = {
  open: 'sallyport_upstream_breaker_open',
  openings: 'sallyport_upstream_breaker_openings_total',
  limit: 'sallyport_upstream_concurrency_limit',
} as const satisfies Record<string, MetricName>

/** Of all answers so many are faster: who has less time than that is not waited for. */
const fastest = 0.01

/** Somebody is let through all the same, so often: the place may have become faster. Milliseconds. */
const doubtEveryMs = 1_000

/** A hedge can be saved up for so many at most. */
const mostHedges = 10

/** What protects one place (a cluster, a subset, an egress target), over all its endpoints and snapshots. */
export class Shield {
  readonly place: string
  readonly spread = new Spread()
  readonly #lately = new Lately()
  #rule: ShieldRule = { breaker: undefined, adaptive: false, most: 1 }
  #breaker: Breaker | undefined
  #gradient: Gradient | undefined
  #limit = 0
  #doubtedAt = Number.NEGATIVE_INFINITY
  #hedges = 0
  readonly #meter: Meter

  constructor(place: string, meter: Meter) {
    this.place = place
    this.#meter = meter
  }

  /** Takes over what newer policies say, and keeps what is known. */
  set rule(rule: ShieldRule) {
    this.#rule = rule
    const { breaker } = rule
    if (breaker === undefined) {
      if (this.#breaker !== undefined) this.#meter.gauge(names.open, 0, { place: this.place })
      this.#breaker = undefined
    } else if (this.#breaker !== undefined) this.#breaker.rule = breaker
    else {
      this.#breaker = new Breaker(breaker, (state) => this.#turned(state))
      this.#meter.gauge(names.open, 0, { place: this.place })
    }
    this.#gradient = rule.adaptive ? (this.#gradient ?? new Gradient(() => this.#rule.most)) : undefined
    this.#tellLimit()
  }

  /** Whether one more request may begin. */
  get hasRoom(): boolean {
    return this.#gradient === undefined || this.#gradient.hasRoom
  }

  /** Counts a request in; the function counts it out, and is told when. */
  join(): ((now: number) => void) | undefined {
    const gradient = this.#gradient
    if (gradient === undefined) return undefined
    gradient.enter()
    return (now) => gradient.leave(now)
  }

  /**
   * Whether an answer within so many milliseconds would be faster than almost any, and the last seconds say nothing else. Now and then it says no to
   * somebody, to find out.
   */
  isHopeless(leftMs: number, now: number): boolean {
    const quickest = this.spread.quantile(fastest)
    if (quickest === undefined || leftMs >= quickest.fromMs || !this.#lately.isSlow(now)) return false
    if (now - this.#doubtedAt < doubtEveryMs) return true
    this.#doubtedAt = now
    return false
  }

  /** Whether no try may begin now. */
  isOpen(now: number): boolean {
    return (this.#breaker?.backInMs(now) ?? 0) > 0
  }

  /** Leave for one try. @throws Fault `circuit_open` with the time until it may be tried again. Undefined: there is no breaker to tell. */
  enter(now: number): Pass | undefined {
    const breaker = this.#breaker
    if (breaker === undefined) return undefined
    const leave = breaker.enter(now)
    if (leave === undefined) throw openFault(this.place, breaker.backInMs(now))
    const note: Note = (member, tried) => {
      if (tried.kind === 'lasting') return leave.lasting()
      const verdict = verdictOf(member, tried)
      if (verdict === 'good') leave.good(tried.now)
      else if (verdict !== undefined) leave.bad(tried.now)
    }
    return { note, leave: leave.leave }
  }

  /** Takes note of how long answers take. */
  readonly note: Note = (_member, tried) => {
    const gradient = this.#gradient
    if (tried.kind === 'answer' && isUsual(tried.status)) {
      this.#lately.add(tried.tookMs < (this.spread.quantile(fastest)?.fromMs ?? 0) ? 'quick' : 'slow', tried.now)
      this.spread.add(tried.tookMs)
      gradient?.sample(tried.tookMs, tried.now)
    } else if (tried.kind === 'fault' && tried.code === 'deadline_exceeded' && !tried.begun) {
      this.#lately.add('slow', tried.now)
      // Nobody waited any longer: that speaks only where it is longer than usual.
      if (tried.tookMs > (this.spread.quantile(0.5)?.toMs ?? 0)) this.spread.add(tried.tookMs)
      if (gradient !== undefined && tried.tookMs > gradient.usualMs) gradient.sample(tried.tookMs, tried.now)
    } else return
    if (gradient !== undefined) this.#tellLimit()
  }

  /** One more request that might be hedged: `share` of one may be. */
  saveForHedge(share: number): void {
    this.#hedges = Math.min(mostHedges, this.#hedges + share)
  }

  get hasHedge(): boolean {
    return this.#hedges >= 1
  }

  /** Whether a hedge was saved up; it is spent then. */
  spendHedge(): boolean {
    if (this.#hedges < 1) return false
    this.#hedges -= 1
    return true
  }

  status(now: number): ShieldStatus | undefined {
    const breaker = this.#breaker
    const gradient = this.#gradient
    if (breaker === undefined && gradient === undefined) return undefined
    const backInMs = breaker?.state === 'open' ? Math.ceil(breaker.backInMs(now)) : undefined
    return { place: this.place, breaker: breaker?.state, backInMs, limit: gradient?.limit, active: gradient?.inFlight }
  }

  #tellLimit(): void {
    const limit = this.#gradient?.limit ?? 0
    if (limit === this.#limit) return
    this.#limit = limit
    this.#meter.gauge(names.limit, limit, { place: this.place })
  }

  #turned(state: BreakerState): void {
    if (this.#breaker === undefined) return
    this.#meter.gauge(names.open, state === 'closed' ? 0 : 1, { place: this.place })
    if (state === 'open') this.#meter.count(names.openings, { place: this.place })
  }
}

function isUsual(status: number | undefined): boolean {
  return status === undefined || status < 500
}

function openFault(place: string, backInMs: number): Fault {
  const seconds = Math.max(1, Math.ceil(backInMs / 1_000))
  return new Fault('circuit_open', 'the upstream is left alone for a while', {
    headers: [['retry-after', `${seconds}`]],
    internal: `the breaker of ${place} is open`,
  })
}
