import { type Health, type HealthBoard, healthBoard } from '../../core/health.ts'
import type { GuardStatus } from '../../core/ingress/steer.ts'
import { publishedKeysOf } from '../../core/key-ring.ts'
import { metrics } from '../../core/observe/metrics.ts'
import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Address } from '../../core/policy/linked/listeners.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { EndpointStatus, ShieldStatus, SourceStatus } from '../../core/upstream.ts'
import { buildAdminApp, startAdmin } from '../admin.ts'
import type { CertificateStatus } from '../certificate-status.ts'
import { DriftWatch } from '../drift/drift-watch.ts'
import { obstacle } from '../gateway/diagnose.ts'
import { limitRoutes } from '../gateway/limit-routes.ts'
import { ListenerSet, type PreparedListeners } from '../gateway/listener-set.ts'
import { measureProcess } from '../gateway/process-metrics.ts'
import { type Published, Reloader } from '../gateway/reloader.ts'
import { step } from '../gateway/start.ts'
import type { BoundListener, GatewayView, KeySetStatus, LastLoad, Phase } from '../gateway-view.ts'
import type { Ground } from '../ground.ts'
import { type Figures, figuresText } from '../meter.ts'
import { nodeWarning } from '../node-version.ts'
import type { PolicySource } from '../policy-source.ts'
import type { Settings } from '../settings.ts'
import { type OwnShared, openOwnShared, type StagedChange, Switching } from '../switching.ts'
import { openFleetBook } from './fleet-book.ts'
import { adminPlans, choosePorts } from './free-ports.ts'
import type { Hand } from './hand.ts'
import { joinCertificates, joinEndpoints, joinGuards, joinKeySets, joinShields, joinSources } from './joined.ts'
import type { Report, Served } from './orders.ts'
import { Supervisor } from './supervisor.ts'
import { lasting, together } from './together.ts'

/** How long a worker may take, milliseconds. */
const patience = { begin: 30_000, prepare: 30_000, hold: 2_000, commit: 10_000, report: 1_000 } as const
/** Beyond the drain: for connections to stores, spans and the log. */
const endsMs = 25_000

const noDiagnostics: readonly Diagnostic[] = []

export interface FleetParts {
  readonly settings: Settings
  readonly ground: Ground
  readonly source: PolicySource
  readonly fork: () => Hand
  readonly first: Policy
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * The primary process of several that serve as one gateway. It takes no traffic: it keeps the workers running, puts policies in force in all of them
 * or in none, answers the admin listener for all, and ends them.
 */
export class Fleet implements GatewayView {
  readonly startedAt: number
  readonly warnings: readonly string[]
  readonly #parts: FleetParts
  readonly #supervisor: Supervisor
  readonly #reloader: Reloader
  readonly #drift: DriftWatch
  readonly #health: HealthBoard
  readonly #admin: ListenerSet
  readonly #failed = Promise.withResolvers<string>()
  /** The last each worker said of itself. */
  readonly #reports = new Map<Hand, Report>()
  /** What workers that are gone have counted. */
  #gone: Figures = new Map()
  #served: Served
  readonly #switching: Switching
  readonly #shared: OwnShared
  /** The policies as they came from the files. */
  #loaded: Policy
  #bound: readonly BoundListener[] = []
  #phase: Phase = 'starting'
  #closing: Promise<void> | undefined

  constructor(parts: FleetParts) {
    const { settings, ground, fork, first, diagnostics, source } = parts
    const { ports, meter, journal } = ground
    const { clock } = ports
    this.#parts = parts
    this.startedAt = clock.now()
    const warning = nodeWarning(process.version, this.startedAt)
    this.warnings = warning === undefined ? [] : [warning]
    this.#served = { policy: first, ports: {} }
    this.#loaded = first
    this.#shared = openOwnShared(settings.redisUrl, ports)
    this.#switching = new Switching(
      {
        inForce: () => this.#served.policy,
        loaded: () => this.#loaded,
        inFlight: () => this.inFlight,
        alone: (run) => this.#reloader.alone(run),
        prepare: (policy) => this.#stage(policy),
      },
      { clock, shared: this.#shared.shared, random: ports.random, log: journal.log, meter },
    )
    this.#health = healthBoard(ports.lasting)
    this.#drift = new DriftWatch({ ...ports, meter, log: journal.log })
    this.#admin = new ListenerSet((plan) => this.#openAdmin(plan.address), settings.shutdown.drainMs)
    this.#supervisor = new Supervisor({
      count: settings.workers,
      clock,
      log: journal.log,
      fork,
      begin: (hand) => this.#begin(hand),
      lost: (hand) => this.#leave(hand),
      gaveUp: (why) => this.#fail(why),
    })
    const inForce = () => this.snapshot
    const load = () => source.load()
    this.#reloader = new Reloader({ load, publish: (policy) => this.#publish(policy), inForce, now: () => clock.now(), log: journal.log, meter }, diagnostics)
    meter.beforeReading(() => measureProcess(meter, { startedAt: this.startedAt, inFlight: 0, keySets: [], sources: [], certificates: [] }, journal))
  }

  /** Starts the workers and the admin listener; ready from then on. @throws StartError or Error when a worker cannot serve or an address cannot be bound. */
  async open(): Promise<void> {
    const { policy } = this.#served
    this.#served = { policy, ports: await choosePorts(policy, {}) }
    await this.#shared.follow(policy)
    await this.#switching.begin()
    await this.#supervisor.start()
    await step(
      async () => (await this.#admin.prepare(adminPlans(policy, this.#served.ports))).commit(),
      'listener_unavailable',
      'Choose an address that is free.',
    )
    this.#phase = 'serving'
    this.#health.setReady(true)
    const { log } = this.#parts.ground.journal
    for (const warning of this.warnings) log('warn', 'node_version', { message: warning })
    for (const { name, host, port } of this.listeners) log('info', 'listening', { listener: name, host, port })
    const { revision, environment, environmentClass, routes } = policy
    log('info', 'started', { revision, environment, class: environmentClass, routes: routes.length, workers: this.workers.wanted })
    this.#follow(policy)
  }

  /** Settles, with the reason, when the workers cannot be kept running. */
  get failed(): Promise<string> {
    return this.#failed.promise
  }

  get phase(): Phase {
    return this.#phase
  }

  get now(): number {
    return this.#parts.ground.ports.clock.now()
  }

  get snapshot(): GatewayView['snapshot'] {
    const { policy } = this.#served
    return { revision: policy.revision, policy }
  }

  get publishedAt(): number {
    return this.#reloader.publishedAt
  }

  get inFlight(): number {
    return this.#reported.reduce((sum, report) => sum + report.inFlight, 0)
  }

  get inForce(): readonly Diagnostic[] {
    return this.#reloader.inForce
  }

  get lastLoad(): LastLoad {
    return this.#reloader.last
  }

  get listeners(): readonly BoundListener[] {
    return [...this.#bound, ...this.#admin.bound]
  }

  get workers(): NonNullable<GatewayView['workers']> {
    return { wanted: this.#parts.settings.workers, serving: this.#supervisor.serving.length }
  }

  healthOf(service: string): Health {
    return this.#health.of(service)
  }

  get keySets(): readonly KeySetStatus[] {
    return joinKeySets(this.#reported)
  }

  get endpoints(): readonly EndpointStatus[] {
    return joinEndpoints(this.#reported)
  }

  get shields(): readonly ShieldStatus[] {
    return joinShields(this.#reported)
  }

  get sources(): readonly SourceStatus[] {
    return joinSources(this.#reported)
  }

  get certificates(): readonly CertificateStatus[] {
    return joinCertificates(this.#reported)
  }

  get guards(): readonly GuardStatus[] {
    return joinGuards(this.#reported)
  }

  /** What those that serve have said of themselves. */
  get #reported(): readonly Report[] {
    return this.#supervisor.serving.flatMap((hand) => this.#reports.get(hand) ?? [])
  }

  signingKeys(): ReturnType<GatewayView['signingKeys']> {
    return publishedKeysOf(Object.values(this.#served.policy.tokens), this.#parts.ground.ports)()
  }

  /** Looks at the policies folder now, unless the end has begun. */
  async reload(): Promise<LastLoad> {
    if (this.#closing !== undefined) return this.lastLoad
    const last = await this.#reloader.reload()
    if (this.#closing === undefined) this.#follow(this.#served.policy)
    return last
  }

  /** Counts and logs an error that nobody caught. */
  bug(kind: string, error: unknown): void {
    const { meter, journal } = this.#parts.ground
    meter.count('sallyport_bugs_total', { kind })
    journal.log('error', 'bug', { kind, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }

  /** Ends all of them without losing a request. Always the same end; `hurry` skips what it still waits for. */
  close(options: { readonly hurry?: boolean } = {}): Promise<void> {
    const again = this.#closing !== undefined
    this.#closing ??= this.#end(options.hurry === true)
    if (again && options.hurry === true) this.#tellToStop(true)
    return this.#closing
  }

  async #end(hurry: boolean): Promise<void> {
    const { ground, settings, source } = this.#parts
    const { journal, ports, spans, store } = ground
    this.#phase = 'draining'
    this.#health.setReady(false)
    source.close()
    this.#switching.close()
    this.#supervisor.stop()
    const watching = this.#drift.close()
    await this.#look()
    journal.log('info', 'stopping', { in_flight: this.inFlight })
    this.#tellToStop(hurry)
    const late = ports.clock.after(settings.shutdown.lameDuckMs + settings.shutdown.drainMs + endsMs, () => {
      for (const hand of this.#supervisor.alive) hand.kill()
    })
    await Promise.all(this.#supervisor.alive.map((hand) => hand.ended))
    late.cancel()
    await this.#admin.close({ lameDuckMs: 0, drainMs: 0 })
    await Promise.allSettled([store.close(), this.#shared.close(), spans?.close(), watching])
    journal.log('info', 'stopped')
    await journal.close()
  }

  #tellToStop(hurry: boolean): void {
    for (const hand of this.#supervisor.alive) void hand.order('stop', { hurry }, patience.commit).catch(() => undefined)
  }

  async #begin(hand: Hand): Promise<void> {
    const { policy, ports } = this.#served
    const { settings } = this.#parts
    const { variables: _, ...rest } = settings
    const bound = await hand.order('begin', { policy, ports, settings: rest, workers: settings.workers }, patience.begin)
    if (policy !== this.#served.policy) throw new Error('the policies have changed since it was started')
    this.#bound = bound
  }

  #leave(hand: Hand): void {
    const report = this.#reports.get(hand)
    this.#reports.delete(hand)
    // What it had counted when it was last asked: so no sum that somebody has seen ever falls.
    if (report !== undefined) this.#gone = together(metrics, [this.#gone, lasting(metrics, report.figures)])
  }

  #fail(why: string): void {
    this.#parts.ground.journal.log('error', 'workers_failed', { reason: why })
    this.#failed.resolve(why)
  }

  async #publish(loaded: Policy): Promise<Published> {
    const change = await this.#prepare(this.#switching.over(loaded))
    if ('obstacle' in change) return change
    this.#loaded = loaded
    await this.#shared.follow(loaded)
    return { lost: await change.commit() }
  }

  async #stage(policy: Policy): Promise<StagedChange | { readonly obstacle: Diagnostic }> {
    const change = await this.#prepare(policy)
    if ('obstacle' in change) return change
    return {
      ...change,
      async commit() {
        await change.commit()
      },
    }
  }

  /** All of them get ready before one of them changes: what stands against it in one keeps the old policies in all. */
  async #prepare(policy: Policy): Promise<FleetChange | { readonly obstacle: Diagnostic }> {
    const served = { policy, ports: await choosePorts(policy, this.#served.ports) }
    const admin = await this.#admin
      .prepare(adminPlans(policy, served.ports))
      .catch((error: unknown) => obstacle('listener_unavailable', error, 'Choose an address that is free.'))
    if ('code' in admin) return { obstacle: admin }
    const hands = this.#supervisor.serving
    const abort = async () => {
      await Promise.all([admin.abort(), ...hands.map((hand) => hand.order('abort', undefined, patience.commit).catch(() => hand.kill()))])
    }
    const ready = await Promise.all(hands.map((hand) => prepared(hand, served)))
    const against = ready.find((one) => one !== 'ready' && one !== 'gone')
    if (typeof against === 'object' || (hands.length > 0 && ready.every((one) => one === 'gone'))) {
      await abort()
      return {
        obstacle:
          typeof against === 'object' ? against : obstacle('workers_lost', new Error('no worker was ready for them'), 'Look at the log of the same time.'),
      }
    }
    return {
      // One that does not answer can be nowhere but behind: it is replaced.
      hold: async () => void (await Promise.all(hands.map((hand) => hand.order('hold', undefined, patience.hold).catch(() => hand.kill())))),
      commit: () => this.#commitAll(served, hands, admin),
      abort,
    }
  }

  async #commitAll(served: Served, hands: readonly Hand[], admin: PreparedListeners): Promise<readonly Diagnostic[]> {
    // Whoever begins from here on begins with these; one that has begun with the old ones meanwhile begins again.
    this.#served = served
    for (const hand of this.#supervisor.serving) if (!hands.includes(hand)) hand.kill()
    const lost = await Promise.all(hands.map((hand) => this.#commit(hand)))
    const here = (await admin.commit()).map((problem) => obstacle('listener_lost', new Error(problem), 'Free the address, then reload.'))
    // Every worker says the same of an address that all of them have lost.
    return [...new Map([...lost.flat(), ...here].map((one) => [one.message, one])).values()]
  }

  /** A worker that cannot change is replaced by one that begins with the new policies. */
  async #commit(hand: Hand): Promise<readonly Diagnostic[]> {
    try {
      const { lost, listeners } = await hand.order('commit', undefined, patience.commit)
      this.#bound = listeners
      return lost
    } catch {
      hand.kill()
      return noDiagnostics
    }
  }

  /** Asks all workers how they are. One that does not answer in time is as it was. */
  async #look(): Promise<this> {
    const ask = async (hand: Hand) => {
      const report = await hand.order('report', undefined, patience.report).catch(() => undefined)
      if (report !== undefined && this.#supervisor.serving.includes(hand)) this.#reports.set(hand, report)
    }
    await Promise.all(this.#supervisor.serving.map(ask))
    return this
  }

  async #metrics(): Promise<string> {
    await this.#look()
    return figuresText(
      metrics,
      together(metrics, [this.#parts.ground.meter.figures(), this.#gone, ...[...this.#reports.values()].map(({ figures }) => figures)]),
    )
  }

  #openAdmin(address: Address): ReturnType<typeof startAdmin> {
    const { referenceScript } = this.#parts.settings
    const forgetIntrospections = async () => {
      await Promise.all(this.#supervisor.serving.map((hand) => hand.order('forget', undefined, patience.report)))
    }
    const rearmGuard = async (route: string, destination: string) => {
      const found = await Promise.all(this.#supervisor.serving.map((hand) => hand.order('rearm', { route, destination }, patience.report)))
      return found.includes(true)
    }
    const book = openFleetBook(() => this.#supervisor.serving)
    return startAdmin(address, (options) =>
      buildAdminApp(
        () => this.#look(),
        () => this.#metrics(),
        { ...options, referenceScript, forgetIntrospections, switches: this.#switching, rearmGuard, limits: limitRoutes(this.#parts.ground, book) },
      ),
    )
  }

  #follow(policy: Policy): void {
    this.#health.follow(policy)
    this.#drift.follow(policy)
  }
}

/** A change that is ready in every worker. */
interface FleetChange extends Omit<StagedChange, 'commit'> {
  /** Returns which addresses were lost on the way. */
  commit(): Promise<readonly Diagnostic[]>
}

/** What stands against policies in one worker; one that ended, or that is silent, cannot say. */
async function prepared(hand: Hand, served: Served): Promise<Diagnostic | 'ready' | 'gone'> {
  try {
    return (await hand.order('prepare', served, patience.prepare)) ?? 'ready'
  } catch {
    return 'gone'
  }
}
