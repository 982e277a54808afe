import { switchedPolicy, switchObstacle, switchOf } from '../core/egress/switched.ts'
import type { EgressSwitch, Policy } from '../core/policy/policy.ts'
import type { Clock, Meter, Random } from '../core/ports.ts'
import type { Log } from './journal.ts'
import type { StagedChange, SwitchStage } from './switching/stage.ts'

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
  #closed = false

  constructor(stage: SwitchStage, ports: SwitchingPorts) {
    this.#stage = stage
    this.#ports = ports
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
    for (const { timer } of this.#kept.values()) timer?.cancel()
  }

  async #try(request: SwitchRequest): Promise<SwitchOutcome> {
    const before = this.#stage.inForce()
    if (request.revision !== before.revision) {
      return refused('revision_changed', `the revision in force is ${before.revision}, not ${request.revision}: look again`, 412)
    }
    const obstacle = switchObstacle(before, request.service, request.environment)
    if (obstacle !== undefined) return refused(obstacle.code, obstacle.message, obstacle.code === 'service_unknown' ? 404 : 409)
    const one = this.#made(request)
    const next = this.#with(request.service, one)
    const done = {
      service: request.service,
      before: whereOf(before, request.service),
      after: request.environment ?? asPolicies,
      revision: next.revision,
      inFlight: this.#stage.inFlight(),
      endsAt: one?.endsAt,
      replicas: 1,
      waiting: [],
    }
    if (request.dryRun) return { kind: 'dry_run', ...done }
    const staged = await this.#stage.prepare(next)
    if ('obstacle' in staged) return refused(staged.obstacle.code, staged.obstacle.message, 503)
    await this.#commit(staged, request.service, one)
    return { kind: 'switched', ...done }
  }

  async #commit(staged: StagedChange, service: string, one: EgressSwitch | undefined): Promise<void> {
    await staged.hold().catch(async (error: unknown) => {
      await staged.abort()
      throw error
    })
    this.#keep(service, one)
    await staged.commit()
  }

  #made({ service, environment, by, reason, ttlMs }: SwitchRequest): EgressSwitch | undefined {
    if (environment === undefined) return undefined
    const at = this.#ports.clock.now()
    return { id: this.#ports.random.hex(4), service, environment, by, reason, at, endsAt: ttlMs === undefined ? undefined : at + ttlMs }
  }

  #with(service: string, one: EgressSwitch | undefined): Policy {
    const others = this.#all().filter((other) => other.service !== service)
    return switchedPolicy(this.#stage.loaded(), one === undefined ? others : [...others, one])
  }

  #all(): readonly EgressSwitch[] {
    return Array.from(this.#kept.values(), ({ one }) => one)
  }

  #keep(service: string, one: EgressSwitch | undefined): void {
    this.#kept.get(service)?.timer?.cancel()
    this.#kept.delete(service)
    if (one === undefined) return
    const ms = one.endsAt === undefined ? undefined : Math.max(0, one.endsAt - this.#ports.clock.now())
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
      this.#audit({ ...request, revision: '' }, outcome)
      if (outcome.kind !== 'refused') return
    } catch (error) {
      this.#ports.log('error', 'egress_switch_failed', { service, reason: error instanceof Error ? error.message : String(error) })
    }
    if (!this.#closed) this.#ports.clock.after(againMs, () => void this.#end(one))
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
