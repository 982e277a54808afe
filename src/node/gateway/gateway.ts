import { type Health, type HealthBoard, healthBoard } from '../../core/health.ts'
import { introspectionsOf, keySetsOf } from '../../core/ingress/identify.ts'
import { type GuardStatus, guardStatus, rearmGuard } from '../../core/ingress/steer.ts'
import { publishedKeysOf } from '../../core/key-ring.ts'
import { Live } from '../../core/live.ts'
import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Snapshot } from '../../core/snapshot.ts'
import { type EndpointStatus, endpointsOf, type ShieldStatus, type SourceStatus, shieldsOf, sourcesOf } from '../../core/upstream.ts'
import { buildAdminApp, startAdmin } from '../admin.ts'
import { type CertificateStatus, certificatesOf } from '../certificate-status.ts'
import { DriftWatch } from '../drift/drift-watch.ts'
import type { GatewayView, KeySetStatus, LastLoad, Phase } from '../gateway-view.ts'
import type { Ground } from '../ground.ts'
import { nodeWarning } from '../node-version.ts'
import type { PolicySource } from '../policy-source.ts'
import type { Settings } from '../settings.ts'
import { type StagedChange, Switching } from '../switching.ts'
import { prepareChange } from './change.ts'
import { limitRoutes } from './limit-routes.ts'
import { type BoundListener, type ListenerPlan, ListenerSet, plansOf, type RunningListener } from './listener-set.ts'
import { openWalkListener } from './open-listener.ts'
import { measureProcess } from './process-metrics.ts'
import { type Published, Reloader } from './reloader.ts'
import { drain } from './shutdown.ts'

/** One running gateway: what is in force, what is bound, and how it ends. */
export class Gateway implements GatewayView {
  readonly live: Live
  readonly startedAt: number
  readonly warnings: readonly string[]
  readonly #settings: Settings
  readonly #ground: Ground
  readonly #source: PolicySource
  readonly #listeners: ListenerSet
  readonly #reloader: Reloader
  readonly #drift: DriftWatch
  readonly #health: HealthBoard
  readonly #switching: Switching
  /** The policies as they came from the files. */
  #loaded: Policy
  readonly #hurry = new AbortController()
  #phase: Phase = 'starting'
  #closing: Promise<void> | undefined

  constructor(settings: Settings, ground: Ground, source: PolicySource, first: Snapshot, diagnostics: readonly Diagnostic[]) {
    const { ports, journal, meter } = ground
    const { clock } = ports
    this.#settings = settings
    this.#ground = ground
    this.#source = source
    this.startedAt = clock.now()
    this.live = new Live(first)
    this.#loaded = first.policy
    const warning = nodeWarning(process.version, this.startedAt)
    this.warnings = warning === undefined ? [] : [warning]
    this.#listeners = new ListenerSet(async (plan) => ground.listeners.opened(await this.#open(plan)), settings.shutdown.drainMs)
    this.#reloader = new Reloader(
      {
        load: () => source.load(),
        publish: (policy) => this.#publish(policy),
        inForce: () => this.live.current,
        now: () => clock.now(),
        log: journal.log,
        meter,
      },
      diagnostics,
    )
    this.#switching = new Switching(
      {
        inForce: () => this.live.current.policy,
        loaded: () => this.#loaded,
        inFlight: () => this.inFlight,
        alone: (run) => this.#reloader.alone(run),
        prepare: (policy) => this.#stage(policy),
      },
      { clock, shared: ports.shared, random: ports.random, log: journal.log, meter },
    )
    this.#health = healthBoard(ports.lasting)
    this.#drift = new DriftWatch({ ...ports, meter, log: journal.log })
    meter.beforeReading(() => measureProcess(meter, this, journal))
  }

  /** Binds the listeners of the policy in force; ready from then on. @throws Error when an address cannot be bound. */
  async open(): Promise<void> {
    await this.#switching.begin()
    await (await this.#listeners.prepare(plansOf(this.live.current.policy))).commit()
    this.#phase = 'serving'
    this.#health.follow(this.live.current.policy)
    this.#health.setReady(true)
    const { log } = this.#ground.journal
    for (const warning of this.warnings) log('warn', 'node_version', { message: warning })
    for (const { name, host, port } of this.listeners) log('info', 'listening', { listener: name, host, port })
    const { revision, policy } = this.live.current
    log('info', 'started', { revision, environment: policy.environment, class: policy.environmentClass, routes: policy.routes.length })
    this.#warm()
    this.#drift.follow(policy)
  }

  get phase(): Phase {
    return this.#phase
  }

  get now(): number {
    return this.#ground.ports.clock.now()
  }

  get snapshot(): Snapshot {
    return this.live.current
  }

  get publishedAt(): number {
    return this.#reloader.publishedAt
  }

  get inFlight(): number {
    return this.live.inFlight
  }

  get inForce(): readonly Diagnostic[] {
    return this.#reloader.inForce
  }

  get lastLoad(): LastLoad {
    return this.#reloader.last
  }

  get listeners(): readonly BoundListener[] {
    return this.#listeners.bound
  }

  healthOf(service: string): Health {
    return this.#health.of(service)
  }

  get keySets(): readonly KeySetStatus[] {
    return keySetsOf(this.#ground.ports).status()
  }

  get guards(): readonly GuardStatus[] {
    return guardStatus(this.#ground.ports.lasting)
  }

  get endpoints(): readonly EndpointStatus[] {
    return endpointsOf(this.#ground.ports)
  }

  get shields(): readonly ShieldStatus[] {
    return shieldsOf(this.#ground.ports)
  }

  get sources(): readonly SourceStatus[] {
    return sourcesOf(this.#ground.ports.lasting)
  }

  get certificates(): readonly CertificateStatus[] {
    return certificatesOf(this.#ground.ports.secrets, this.live.current.policy)
  }

  signingKeys(): ReturnType<GatewayView['signingKeys']> {
    return publishedKeysOf(Object.values(this.live.current.policy.tokens), this.#ground.ports)()
  }

  /** Looks at the policies folder now, unless the end has begun. */
  async reload(): Promise<LastLoad> {
    if (this.#closing !== undefined) return this.lastLoad
    const last = await this.#reloader.reload()
    this.#warm()
    this.#health.follow(this.live.current.policy)
    if (this.#closing === undefined) this.#drift.follow(this.live.current.policy)
    return last
  }

  /** Counts and logs an error that nobody caught. */
  bug(kind: string, error: unknown): void {
    this.#ground.meter.count('sallyport_bugs_total', { kind })
    this.#ground.journal.log('error', 'bug', { kind, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }

  /** Ends without losing a request, then lets everything go. Always the same end; `hurry` skips what it still waits for. */
  close(options: { readonly hurry?: boolean } = {}): Promise<void> {
    if (options.hurry === true) this.#hurry.abort()
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const { store, journal, spans, ports } = this.#ground
    this.#phase = 'draining'
    this.#health.setReady(false)
    // Who watches must not hold the end up.
    const leaving = ports.clock.after(this.#settings.shutdown.lameDuckMs, () => this.#health.end())
    this.#source.close()
    this.#switching.close()
    const watching = this.#drift.close()
    journal.log('info', 'stopping', { in_flight: this.inFlight })
    await drain(this.#listeners, this.live, this.#settings.shutdown, ports.clock, this.#hurry.signal)
    leaving.cancel()
    await this.#listeners.close({ lameDuckMs: 0, drainMs: 0 })
    await Promise.allSettled([store.close(), spans?.close(), watching])
    journal.log('info', 'stopped')
    await journal.close()
  }

  async #publish(loaded: Policy): Promise<Published> {
    const change = await this.#prepare(this.#switching.over(loaded))
    if ('obstacle' in change) return change
    this.#loaded = loaded
    return { lost: await change.commit() }
  }

  async #stage(policy: Policy): Promise<StagedChange | { readonly obstacle: Diagnostic }> {
    const change = await this.#prepare(policy)
    if ('obstacle' in change) return change
    let release = () => {}
    return {
      hold: async () => {
        release = this.live.hold()
      },
      async commit() {
        const committed = change.commit()
        // In force from this turn on.
        release()
        await committed
      },
      async abort() {
        release()
        await change.abort()
      },
    }
  }

  #prepare(policy: Policy): ReturnType<typeof prepareChange> {
    const { build, store, journal } = this.#ground
    const parts = {
      build,
      plans: plansOf,
      live: this.live,
      listeners: this.#listeners,
      store,
      log: journal.log,
    }
    return prepareChange(parts, policy)
  }

  #open(plan: ListenerPlan): Promise<RunningListener> {
    if (plan.name !== 'admin')
      return openWalkListener(plan, this.live, { ...this.#ground.ports, ...this.#ground.network, certificates: this.#ground.certificates })
    return startAdmin(plan.address, (options) =>
      buildAdminApp(
        () => this,
        () => this.#ground.meter.text(),
        {
          ...options,
          referenceScript: this.#settings.referenceScript,
          forgetIntrospections: () => introspectionsOf(this.#ground.ports).clear(),
          switches: this.#switching,
          rearmGuard: (route, destination) => rearmGuard(this.#ground.ports.lasting, route, destination),
          limits: limitRoutes(this.#ground, this.#ground.store.counters),
        },
      ),
    )
  }

  /** Key sets are fetched ahead of the first token; an issuer that is down holds nothing up. */
  #warm(): void {
    void keySetsOf(this.#ground.ports).warm()
  }
}
