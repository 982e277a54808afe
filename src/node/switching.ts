import { switchedPolicy, switchObstacle, switchOf } from '../core/egress/switched.ts'
import type { EgressSwitch } from '../core/policy/linked/switched.ts'
import type { Policy } from '../core/policy/policy.ts'
import type { Clock, Meter, Random, Shared } from '../core/ports.ts'
import type { Log } from './journal.ts'
import { Replicas } from './switching/replicas.ts'
import type { SwitchStage } from './switching/stage.ts'

export { type OwnShared, openOwnShared } from './switching/own-shared.ts'
export type { StagedChange, SwitchStage } from './switching/stage.ts'

/** What an operator asks for. */
export interface SwitchRequest {
  readonly service: string
  /** Undefined: back to what the policies say. */
  readonly environment: string | undefined
  /** Who, in their own words. */
  readonly by: string
  readonly reason: string
  /** Undefined: until it is switched again or the process ends. */
  readonly ttlMs: number | undefined
  readonly dryRun: boolean
  /** The revision that the operator saw. */
  readonly revision: string
  /** Where the request came from, for the audit. */
  readonly from: string | undefined
}

/** How a request to switch ended. `switched`: in force in every process and replica. */
export type SwitchOutcome =
  | {
      readonly kind: 'switched' | 'dry_run'
      readonly service: string
      readonly before: string
      readonly after: string
      readonly revision: string
      readonly inFlight: number
      readonly endsAt: number | undefined
      /** Replicas that have it in force, this one too. */
      readonly replicas: number
      /** Replicas that were told and have not said yet that they have it in force. */
      readonly waiting: readonly string[]
    }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly status: 404 | 409 | 412 | 503 }

/** What the admin listener may do. */
export interface SwitchDesk {
  switch(request: SwitchRequest): Promise<SwitchOutcome>
}

export interface SwitchingPorts {
  readonly clock: Clock
  /** What all replicas see alike; that of this process where there is one alone. */
  readonly shared: Shared
  readonly random: Pick<Random, 'hex'>
  readonly log: Log
  readonly meter: Pick<Meter, 'count'>
}

interface Kept {
  readonly one: EgressSwitch
  readonly timer: { cancel(): void } | undefined
}

/** A switch that ends while something else is going on tries again so soon. Milliseconds. */
const againMs = 250

/** What is said of calls that each caller's policies place. */
const asPolicies = 'as the policies say'

/**
 * The switches of this gateway: which services an operator has sent to another environment, until when. They lie over whatever policies are
 * loaded, and outlive a reload. A switch whose environment a reload has taken away stays, and its calls are refused: falling back would
 * send them where nobody wants them.
 */
export class Switching implements SwitchDesk {
  readonly #stage: SwitchStage
  readonly #ports: SwitchingPorts
  readonly #kept = new Map<string, Kept>()
  readonly #replicas: Replicas
  /** Ids of switches whose time is over, which the store may still name because it was away then. */
  readonly #over = new Set<string>()
  #closed = false

  constructor(stage: SwitchStage, ports: SwitchingPorts) {
    this.#stage = stage
    this.#ports = ports
    this.#replicas = new Replicas({
      ...ports,
      environment: stage.inForce().environment,
      alone: stage.alone,
      prepare: (switches) => stage.prepare(switchedPolicy(stage.loaded(), this.#alive(switches))),
      against: (switches) => this.#against(switches),
      keep: (switches, fresh) => this.#keepAll(this.#alive(switches), fresh),
    })
  }

  /** Puts in force what other replicas have switched. To be called before anything is served; waits for no store that is away. Never rejects. */
  begin(): Promise<void> {
    return this.#replicas.begin()
  }

  /** Policies as they come from the files, with what is switched. */
  over(loaded: Policy): Policy {
    return switchedPolicy(loaded, this.#all())
  }

  /** Puts a service's calls elsewhere, or says what stands against it. One at a time. Never rejects for what can be foreseen. */
  async switch(request: SwitchRequest): Promise<SwitchOutcome> {
    const outcome = await this.#stage.alone(() => this.#try(request))
    this.#audit(request, outcome)
    return outcome
  }

  /** Ends no switch, but no timer keeps the process. */
  close(): void {
    this.#closed = true
    this.#replicas.close()
    for (const { timer } of this.#kept.values()) timer?.cancel()
  }

  async #try(request: SwitchRequest): Promise<SwitchOutcome> {
    if ((await this.#replicas.isCurrent().catch(() => undefined)) === false) return refused('revision_changed', 'another replica has switched: look again', 412)
    const before = this.#stage.inForce()
    if (request.revision !== before.revision) {
      return refused('revision_changed', `the revision in force is ${before.revision}, not ${request.revision}: look again`, 412)
    }
    const obstacle = switchObstacle(before, request.service, request.environment)
    if (obstacle !== undefined) return refused(obstacle.code, obstacle.message, obstacle.code === 'service_unknown' ? 404 : 409)
    const one = this.#made(request)
    const list = this.#with(request.service, one)
    const next = switchedPolicy(this.#stage.loaded(), list)
    const done = {
      service: request.service,
      before: whereOf(before, request.service),
      after: request.environment ?? asPolicies,
      revision: next.revision,
      inFlight: this.#stage.inFlight(),
      endsAt: one?.endsAt,
    }
    if (request.dryRun) return { kind: 'dry_run', ...done, replicas: 0, waiting: [] }
    const staged = await this.#stage.prepare(next)
    if ('obstacle' in staged) return refused(staged.obstacle.code, staged.obstacle.message, 503)
    const decision = await this.#replicas.decide(list, staged)
    if (decision.kind === 'refused') return refused(decision.code, decision.message, decision.code === 'store_unavailable' ? 503 : 409)
    return { kind: 'switched', ...done, replicas: decision.replicas, waiting: decision.waiting }
  }

  #made({ service, environment, by, reason, ttlMs }: SwitchRequest): EgressSwitch | undefined {
    if (environment === undefined) return undefined
    const at = this.#ports.clock.now()
    return { id: this.#ports.random.hex(4), service, environment, by, reason, at, endsAt: ttlMs === undefined ? undefined : at + ttlMs }
  }

  #with(service: string, one: EgressSwitch | undefined): readonly EgressSwitch[] {
    const others = this.#all().filter((other) => other.service !== service)
    return one === undefined ? others : [...others, one]
  }

  /** Without those whose time is over; by the wall clock for whoever was not there when they began. */
  #alive(switches: readonly EgressSwitch[]): readonly EgressSwitch[] {
    const now = this.#ports.clock.now()
    return switches.filter(({ id, service, endsAt }) => !this.#over.has(id) && (endsAt === undefined || endsAt > now || this.#kept.get(service)?.one.id === id))
  }

  /** A replica whose policies say something else than the proposer's. One that does not have the service has no calls of it. */
  #against(switches: readonly EgressSwitch[]): string | undefined {
    const fresh = this.#alive(switches).filter(({ id, service }) => this.#kept.get(service)?.one.id !== id)
    const obstacles = fresh.map(({ service, environment }) => switchObstacle(this.#stage.loaded(), service, environment))
    return obstacles.find((one) => one !== undefined && one.code !== 'service_unknown')?.message
  }

  #keepAll(switches: readonly EgressSwitch[], fresh: boolean): void {
    for (const service of this.#kept.keys()) if (!switches.some((one) => one.service === service)) this.#keep(service, undefined, 0)
    for (const one of switches) {
      // One that is kept already goes on by its own clock.
      if (this.#kept.get(one.service)?.one.id === one.id) continue
      const { endsAt } = one
      this.#keep(one.service, one, endsAt === undefined ? undefined : Math.max(0, endsAt - (fresh ? one.at : this.#ports.clock.now())))
    }
  }

  #all(): readonly EgressSwitch[] {
    return Array.from(this.#kept.values(), ({ one }) => one)
  }

  #keep(service: string, one: EgressSwitch | undefined, ms: number | undefined): void {
    this.#kept.get(service)?.timer?.cancel()
    this.#kept.delete(service)
    if (one === undefined) return
    this.#kept.set(service, { one, timer: ms === undefined || this.#closed ? undefined : this.#ports.clock.after(ms, () => void this.#end(one)) })
  }

  /** Its time is over. Whatever stands against it for a moment, it ends. */
  async #end(one: EgressSwitch): Promise<void> {
    const { service } = one
    if (this.#closed || this.#kept.get(service)?.one !== one) return
    const request = { service, environment: undefined, by: 'ttl', reason: 'its time is over', ttlMs: undefined, dryRun: false, from: undefined }
    try {
      // Asked for inside, where nothing else changes the revision.
      const outcome = await this.#stage.alone(async () => {
        if (this.#kept.get(service)?.one !== one) return undefined
        return await this.#try({ ...request, revision: this.#stage.inForce().revision })
      })
      if (outcome === undefined) return
      if (outcome.kind === 'refused' && outcome.code === 'store_unavailable') return await this.#endHere(one)
      // Other replicas end it at the same moment: one of them does it for all.
      if (outcome.kind === 'refused' && ['switch_busy', 'revision_changed'].includes(outcome.code)) return this.#endSoon(one)
      this.#audit({ ...request, revision: '' }, outcome)
      if (outcome.kind !== 'refused') return
    } catch (error) {
      this.#ports.log('error', 'egress_switch_failed', { service, reason: error instanceof Error ? error.message : String(error) })
    }
    this.#endSoon(one)
  }

  #endSoon(one: EgressSwitch): void {
    if (!this.#closed) this.#ports.clock.after(againMs, () => void this.#end(one))
  }

  /** Without the store every replica ends it by its own clock. */
  async #endHere(one: EgressSwitch): Promise<void> {
    await this.#stage.alone(async () => {
      const list = this.#with(one.service, undefined)
      const staged = await this.#stage.prepare(switchedPolicy(this.#stage.loaded(), list))
      if ('obstacle' in staged) return this.#endSoon(one)
      await staged.hold()
      this.#over.add(one.id)
      this.#keepAll(list, true)
      await staged.commit()
      this.#ports.log('info', 'egress_switch', {
        outcome: 'switched',
        service: one.service,
        by: 'ttl',
        reason: 'its time is over',
        before: one.environment,
        after: asPolicies,
        revision: this.#stage.inForce().revision,
      })
      return undefined
    })
  }

  #audit(request: SwitchRequest, outcome: SwitchOutcome): void {
    const { service, by, reason, from, ttlMs } = request
    const result = outcome.kind === 'refused' ? outcome.code : outcome.kind
    const facts = outcome.kind === 'refused' ? { wanted: request.environment ?? asPolicies, message: outcome.message } : outcomeFacts(outcome)
    this.#ports.log(outcome.kind === 'refused' ? 'warn' : 'info', 'egress_switch', { outcome: result, service, by, reason, from, ttl_ms: ttlMs, ...facts })
    if (outcome.kind !== 'dry_run') this.#ports.meter.count('sallyport_egress_switches_total', { outcome: outcome.kind })
  }
}

function outcomeFacts({ before, after, revision, inFlight, replicas, waiting }: Exclude<SwitchOutcome, { kind: 'refused' }>) {
  return { before, after, revision, in_flight: inFlight, replicas, waiting }
}

function refused(code: string, message: string, status: 404 | 409 | 412 | 503): SwitchOutcome {
  return { kind: 'refused', code, message, status }
}

function whereOf(policy: Policy, service: string): string {
  return switchOf(policy, service)?.environment ?? asPolicies
}
