import type { HttpCall } from '../model/call.ts'
import type { EgressService, VendorQuota } from '../model/egress-service.ts'
import { Fault, type FaultCode } from '../model/fault.ts'
import { periodMs } from '../model/limit.ts'
import type { MetricName } from '../observe/metrics.ts'
import type { Channels, Descriptor, Ports, Taken } from '../ports.ts'
import type { Wait } from './discovery/wait.ts'
import { Ledger } from './quota/ledger.ts'
import { pauseOf } from './quota/pause.ts'
import { Unwell } from './quota/unwell.ts'

/** What keeps the calls to one vendor in one environment within what was agreed with it. */
export interface QuotaGate {
  /** Lets one try of a caller's call go, at once or after a wait. @throws Fault `vendor_paused`, `quota_exceeded`, `cost_exceeded`, `limiter_unavailable`, or why the request ended. */
  pass(caller: string, wait: Wait): Promise<Ticket>
  /** Says that this very call is the try that goes by the ticket. */
  bind(call: HttpCall, ticket: Ticket): void
  /** The same channels, which tell the gate when a try is sent and answered, and what the vendor says about its limits. */
  watch(channels: Channels): Channels
}

type QuotaPorts = Pick<Ports, 'clock' | 'random' | 'counters' | 'meter' | 'lasting'>

/** Leave for one try. */
export interface Ticket {
  /** It has gone: the next try needs another one. */
  used: boolean
  /** Gives its place back a window later. More often does no harm. */
  readonly answered: (now: number) => void
}

/** What outlives a snapshot, of one vendor in one environment. */
interface State {
  /** Monotonic milliseconds. */
  pausedUntil: number
  /** By the numbers of the quota: other numbers begin anew. */
  ledger: { readonly key: string; readonly ledger: Ledger } | undefined
  /** By what is sent. */
  readonly tickets: WeakMap<HttpCall, Ticket>
  readonly unwell: Unwell
}

type Outcome = 'passed' | 'waited' | 'paused' | 'exceeded' | 'capped' | 'unavailable'

const names = {
  tries: 'sallyport_egress_quota_total',
  pauses: 'sallyport_egress_pauses_total',
  cost: 'sallyport_egress_cost_total',
} as const satisfies Record<string, MetricName>

/** Opens the gate of a service in an environment; undefined where it has no quota. */
export function openGate(service: EgressService, environment: string, ports: QuotaPorts): QuotaGate | undefined {
  const { quota } = service
  if (quota === undefined) return undefined
  const states = ports.lasting('upstream.quotas', () => new Map<string, State>())
  const key = JSON.stringify([service.name, environment])
  const state = states.get(key) ?? { pausedUntil: 0, ledger: undefined, tickets: new WeakMap(), unwell: new Unwell() }
  states.set(key, state)
  return new Gate({ service: service.name, environment }, key, quota, state, ports)
}

/** Calls of several replicas travel at different speeds: the window that they share is longer by a twentieth, at least and at most so many milliseconds. */
const margin = { least: 50, most: 1_000 } as const

class Gate implements QuotaGate {
  readonly #labels: { readonly service: string; readonly environment: string }
  readonly #quota: VendorQuota
  readonly #state: State
  readonly #ledger: Ledger | undefined
  readonly #descriptors: readonly Descriptor[]
  readonly #ports: QuotaPorts

  constructor(labels: { readonly service: string; readonly environment: string }, key: string, quota: VendorQuota, state: State, ports: QuotaPorts) {
    this.#labels = labels
    this.#quota = quota
    this.#state = state
    this.#ports = ports
    this.#descriptors = descriptorsOf(key, quota)
    const { vendor } = quota
    if (vendor === undefined) return
    const numbers = JSON.stringify(vendor)
    if (state.ledger?.key !== numbers) state.ledger = { key: numbers, ledger: new Ledger(vendor.points, vendor.windowMs, vendor.shareBy === 'caller') }
    this.#ledger = state.ledger.ledger
  }

  async pass(caller: string, wait: Wait): Promise<Ticket> {
    const { clock } = this.#ports
    const until = Math.min(wait.deadline, clock.ticks() + this.#quota.maxRetryAfterMs)
    const account = this.#ledger?.account(caller)
    account?.asks.add(clock.ticks())
    let waited = false
    try {
      for (;;) {
        wait.lifeline.check()
        const refusal = this.#pause() ?? (await this.#take(caller, wait))
        if ('answered' in refusal) {
          this.#count(waited ? 'waited' : 'passed')
          return refusal
        }
        if (refusal.waitMs >= until - clock.ticks() || !refusal.passes) {
          this.#count(refusal.outcome)
          throw refusal.fault()
        }
        if (!waited && account !== undefined) account.waiting += 1
        waited = true
        await sleep(refusal.waitMs, wait, clock)
      }
    } finally {
      if (waited && account !== undefined) account.waiting -= 1
    }
  }

  bind(call: HttpCall, ticket: Ticket): void {
    this.#state.tickets.set(call, ticket)
  }

  watch(channels: Channels): Channels {
    const { clock, random } = this.#ports
    const { tickets, unwell } = this.#state
    return {
      ...channels,
      acquire: (endpoint) => {
        const channel = channels.acquire(endpoint)
        const http: typeof channel.http = async (call, options) => {
          const ticket = tickets.get(call)
          if (ticket !== undefined) ticket.used = true
          const sentAt = clock.ticks()
          try {
            const reply = await channel.http(call, options)
            const said = pauseOf(reply.status, reply.headers, clock.now())
            // A 503 that says until when is none of those that do not; any other answer ends their row, whatever it says of limits.
            const plain = said !== undefined && reply.status === 503 ? undefined : unwell.hear(reply.status, sentAt, clock.ticks(), random.unit())
            this.#hear(said ?? plain)
            return reply
          } finally {
            ticket?.answered(clock.ticks())
          }
        }
        return { http, grpc: (call, options) => channel.grpc(call, options), release: () => channel.release() }
      },
    }
  }

  #count(outcome: Outcome): void {
    this.#ports.meter.count(names.tries, { ...this.#labels, outcome })
  }

  /** Everybody waits: the vendor counts the service, not its callers. */
  #hear(ms: number | undefined): void {
    if (ms === undefined || ms === 0) return
    this.#state.pausedUntil = Math.max(this.#state.pausedUntil, this.#ports.clock.ticks() + ms)
    this.#ports.meter.count(names.pauses, this.#labels)
  }

  #pause(): Refusal | undefined {
    const leftMs = this.#state.pausedUntil - this.#ports.clock.ticks()
    if (leftMs <= 0) return undefined
    return refusal('vendor_paused', 'paused', leftMs, leftMs, `${this.#labels.service} asked not to be called`)
  }

  async #take(caller: string, { lifeline }: Wait): Promise<Refusal | Ticket> {
    const { clock, counters, meter } = this.#ports
    const over = this.#ledger?.over(caller, clock.ticks())
    const ledger = this.#ledger
    if (ledger !== undefined && over !== undefined) {
      const words =
        over === 'quota' ? `the quota at ${this.#labels.service} is used` : `the rest of the quota at ${this.#labels.service} belongs to other callers`
      return refusal('quota_exceeded', 'exceeded', ledger.nextMs(clock.ticks()), ledger.windowMs, words)
    }
    // Its place is taken before anybody else can ask: counting may take a while.
    const place = ledger?.open(caller)
    const taken = this.#descriptors.length === 0 ? undefined : await this.#counted(counters, () => place?.undo())
    if (taken !== undefined && !taken.allowed) {
      place?.undo()
      return this.#refused(taken)
    }
    const { cost } = this.#quota
    if (cost !== undefined) meter.count(names.cost, { ...this.#labels, currency: cost.currency }, cost.perCall)
    const ticket: Ticket = { used: false, answered: place?.answered ?? (() => {}) }
    // A call that never gets on its way does not give its place back at once: nobody knows.
    lifeline.onOver(() => ticket.answered(clock.ticks()))
    return ticket
  }

  async #counted(counters: Ports['counters'], undo: () => void): Promise<Taken> {
    try {
      return await counters.take(this.#descriptors)
    } catch (error) {
      undo()
      throw error
    }
  }

  #refused({ refusedBy, readings }: Taken): Refusal {
    const reading = readings.find(({ limit }) => limit === refusedBy)
    const resetMs = reading?.resetMs ?? 1_000
    if (reading?.degraded === true && this.#quota.onStoreFailure === 'deny')
      return refusal('limiter_unavailable', 'unavailable', 0, 1_000, 'the store that counts calls does not answer', false)
    if (refusedBy === costLimit)
      return refusal('cost_exceeded', 'capped', 0, resetMs, `the monthly cap of what ${this.#labels.service} may cost is reached`, false)
    return refusal('quota_exceeded', 'exceeded', Math.max(1, resetMs), resetMs, `the quota at ${this.#labels.service} is used`)
  }
}

interface Refusal {
  readonly outcome: Outcome
  /** When it is worth asking again. */
  readonly waitMs: number
  /** Whether a wait can help at all. */
  readonly passes: boolean
  readonly fault: () => Fault
}

function refusal(code: FaultCode, outcome: Outcome, waitMs: number, afterMs: number, words: string, passes = true): Refusal {
  return { outcome, waitMs, passes, fault: () => new Fault(code, words, { headers: [['retry-after', `${Math.max(1, Math.ceil(afterMs / 1_000))}`]] }) }
}

const quotaLimit = 'egress.quota'
const costLimit = 'egress.cost'

function descriptorsOf(key: string, { vendor, cost, onStoreFailure }: VendorQuota): readonly Descriptor[] {
  const found: Descriptor[] = []
  if (vendor !== undefined) {
    const { points, windowMs } = vendor
    const longer = windowMs + Math.min(margin.most, Math.max(margin.least, windowMs / 20))
    found.push({ limit: { name: quotaLimit, algorithm: { kind: 'sliding' }, points, windowMs: Math.ceil(longer), burst: 0, onStoreFailure }, key, cost: 1 })
  }
  if (cost?.calls !== undefined) {
    const limit = {
      name: costLimit,
      algorithm: { kind: 'calendar', per: 'month', zone: 'UTC' },
      points: cost.calls,
      windowMs: periodMs.month,
      burst: 0,
      onStoreFailure,
    } as const
    found.push({ limit, key, cost: 1 })
  }
  return found
}

function sleep(ms: number, { lifeline }: Wait, clock: Ports['clock']): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      forget()
      resolve()
    })
    const forget = lifeline.onEnd((why) => {
      timer.cancel()
      reject(why)
    })
  })
}
