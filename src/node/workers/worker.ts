import { type HealthBoard, healthBoard } from '../../core/health.ts'
import { introspectionsOf, keySetsOf } from '../../core/ingress/identify.ts'
import { guardStatus, rearmGuard } from '../../core/ingress/steer.ts'
import { Live } from '../../core/live.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { endpointsOf, shieldsOf, sourcesOf } from '../../core/upstream.ts'
import { certificatesOf } from '../certificate-status.ts'
import { createClock } from '../clock.ts'
import { createGuardedCounters, type KeptCounters } from '../counters.ts'
import { type ChangeParts, type PreparedChange, prepareChange } from '../gateway/change.ts'
import { ListenerSet } from '../gateway/listener-set.ts'
import { openWalkListener } from '../gateway/open-listener.ts'
import { measureProcess } from '../gateway/process-metrics.ts'
import { drain } from '../gateway/shutdown.ts'
import { step } from '../gateway/start.ts'
import { createGround, type Ground } from '../ground.ts'
import { createJournal } from '../journal.ts'
import type { Settings } from '../settings.ts'
import { createAskedArrivals, createAskedCounters, createAskedShared } from './asked-store.ts'
import { type Asking, UnansweredError } from './asking.ts'
import { adminPlans, walkPlans } from './free-ports.ts'
import type { Hands, Orders, Report, Served } from './orders.ts'

/** A worker process: it serves what the primary says, on listeners that it shares with the others. */
export class Worker {
  readonly #asking: Asking
  readonly #variables: Settings['variables']
  readonly #over = Promise.withResolvers<number>()
  #site: Site | undefined
  #stopping: Promise<void> | undefined

  /** `variables`: the process environment. */
  constructor(asking: Asking, variables: Settings['variables']) {
    this.#asking = asking
    this.#variables = variables
  }

  /** What the primary may tell it. */
  readonly hands: Hands = {
    begin: async ({ settings, workers, ...served }) => {
      this.#site = await openSite({ ...settings, variables: this.#variables }, workers, served, this.#asking)
      return this.#site.listeners.bound
    },
    prepare: async (served) => this.#serving.prepare(served),
    hold: async () => {
      this.#serving.hold()
      return undefined
    },
    commit: async () => this.#serving.commit(),
    abort: async () => {
      await this.#serving.abort()
      return undefined
    },
    report: async () => this.#serving.report(),
    forget: async () => {
      await this.#serving.forget()
      return undefined
    },
    rearm: async ({ route, destination }) => this.#serving.rearm(route, destination),
    lookAtLimit: async (descriptor) => this.#serving.limits.look(descriptor),
    forgetLimit: async ({ descriptor, here }) => {
      const { limits } = this.#serving
      if (!here) return limits.forget(descriptor)
      limits.forgetHere(descriptor)
      return false
    },
    stop: async ({ hurry }) => {
      if (hurry) this.#site?.hurry()
      void this.end(0)
      return undefined
    },
  }

  /** Settles with the exit status when everything is let go. */
  get over(): Promise<number> {
    return this.#over.promise
  }

  /** Drains, then is over. Always the same end. */
  end(status: number): Promise<void> {
    this.#stopping ??= this.#end(status)
    return this.#stopping
  }

  /** Counts and logs an error that nobody caught. */
  bug(kind: string, error: unknown): void {
    this.#site?.bug(kind, error)
  }

  /** One that ends for its own trouble has no balancer to wait for: the others take what comes. */
  async #end(status: number): Promise<void> {
    await this.#site?.close(status === 0)
    this.#over.resolve(status)
  }

  get #serving(): Site {
    if (this.#site === undefined) throw new Error('it has not begun')
    return this.#site
  }
}

/** Opens what serves in this process. @throws StartError */
async function openSite(settings: Settings, workers: number, served: Served, asking: Asking): Promise<Site> {
  // Its lines go through the primary, which alone writes to where they end.
  const journal = createJournal({ ...settings.log, to: 'stdout' }, createClock())
  const reasonOf = (why: unknown) => (why instanceof UnansweredError ? why.reason : 'reply')
  const ground = createGround(settings, createClock(), journal, (ports) => ({
    counters: createGuardedCounters(createAskedCounters(asking), { ...ports, instances: workers, reasonOf }),
    shared: createAskedShared(asking),
  }))
  const store = await step(() => ground.store.prepare(served.policy), 'store_unavailable', 'Set what store.redis names.')
  store.commit()
  const snapshot = await step(() => ground.build(served.policy), 'snapshot_failed', 'This is a bug in Sallyport.')
  const site = new Site(settings, ground, new Live(snapshot), asking)
  await step(() => site.open(served), 'listener_unavailable', 'Choose an address that is free.')
  return site
}

/** What serves: a snapshot, listeners and the ground below them. */
class Site {
  readonly listeners: ListenerSet
  readonly #settings: Settings
  readonly #ground: Ground
  readonly #live: Live
  readonly #health: HealthBoard
  readonly #hurry = new AbortController()
  readonly #startedAt: number
  #prepared: { readonly policy: Policy; readonly change: PreparedChange } | undefined
  #release: () => void = () => {}

  constructor(settings: Settings, ground: Ground, live: Live, asking: Asking) {
    const { ports, meter, journal } = ground
    this.#settings = settings
    this.#ground = ground
    this.#live = live
    this.#startedAt = ports.clock.now()
    this.#health = healthBoard(ports.lasting)
    const arrivals = createAskedArrivals(asking)
    this.listeners = new ListenerSet(
      async (plan) => ground.listeners.opened(await openWalkListener(plan, live, { ...ports, arrivals })),
      settings.shutdown.drainMs,
    )
    meter.beforeReading(() => measureProcess(meter, { startedAt: this.#startedAt, ...this.#state() }, journal))
  }

  /** Binds the listeners. @throws Error when an address cannot be bound. */
  async open({ policy, ports }: Served): Promise<void> {
    this.#knowPrimary({ policy, ports })
    await (await this.listeners.prepare(walkPlans(policy, ports))).commit()
    this.#health.setReady(true)
    this.#follow(policy)
  }

  async prepare({ policy, ports }: Served): Promise<Orders['prepare'][1]> {
    await this.abort()
    this.#knowPrimary({ policy, ports })
    const parts: ChangeParts = {
      build: this.#ground.build,
      plans: (fresh) => walkPlans(fresh, ports),
      live: this.#live,
      listeners: this.listeners,
      store: this.#ground.store,
      log: this.#ground.journal.log,
    }
    const change = await prepareChange(parts, policy)
    if ('obstacle' in change) return change.obstacle
    this.#prepared = { policy, change }
    return undefined
  }

  /** Until the end of what is prepared. */
  hold(): void {
    this.#release()
    this.#release = this.#live.hold()
  }

  async commit(): Promise<Orders['commit'][1]> {
    const prepared = this.#prepared
    if (prepared === undefined) throw new Error('nothing is prepared')
    this.#prepared = undefined
    const committed = prepared.change.commit()
    // In force from this turn on.
    this.#release()
    const lost = await committed
    this.#follow(prepared.policy)
    return { lost, listeners: this.listeners.bound }
  }

  async abort(): Promise<void> {
    const prepared = this.#prepared
    this.#prepared = undefined
    this.#release()
    await prepared?.change.abort()
  }

  report(): Report {
    return { ...this.#state(), figures: this.#ground.meter.figures() }
  }

  get limits(): KeptCounters {
    return this.#ground.store.counters
  }

  forget(): Promise<void> {
    return introspectionsOf(this.#ground.ports).clear()
  }

  rearm(route: string, destination: string): Promise<boolean> {
    return rearmGuard(this.#ground.ports.lasting, route, destination)
  }

  /** Skips what the end still waits for. */
  hurry(): void {
    this.#hurry.abort()
  }

  /** `lameDuck`: serves on for a time before it lets go of its listeners. */
  async close(lameDuck: boolean): Promise<void> {
    const { store, journal, spans, ports } = this.#ground
    const shutdown = { ...this.#settings.shutdown, ...(!lameDuck && { lameDuckMs: 0 }) }
    this.#health.setReady(false)
    // Who watches must not hold the end up.
    const leaving = ports.clock.after(shutdown.lameDuckMs, () => this.#health.end())
    await this.abort()
    await drain(this.listeners, this.#live, shutdown, ports.clock, this.#hurry.signal)
    leaving.cancel()
    await Promise.allSettled([store.close(), spans?.close()])
    await journal.close()
  }

  bug(kind: string, error: unknown): void {
    this.#ground.meter.count('sallyport_bugs_total', { kind })
    this.#ground.journal.log('error', 'bug', { kind, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }

  /** The admin listener is the primary's: nothing may be called there all the same. */
  #knowPrimary({ policy, ports }: Served): void {
    this.#ground.listeners.elsewhere(adminPlans(policy, ports).map(({ address }) => address))
  }

  #state(): Omit<Report, 'figures'> {
    const { ports } = this.#ground
    return {
      inFlight: this.#live.inFlight,
      keySets: keySetsOf(ports).status(),
      endpoints: endpointsOf(ports),
      shields: shieldsOf(ports),
      sources: sourcesOf(ports.lasting),
      certificates: certificatesOf(ports.secrets, this.#live.current.policy),
      guards: guardStatus(ports.lasting),
    }
  }

  #follow(policy: Policy): void {
    this.#health.follow(policy)
    void keySetsOf(this.#ground.ports).warm()
  }
}
