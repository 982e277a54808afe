import { Fault } from '../../model/fault.ts'
import { Lifeline } from '../../model/lifeline.ts'
import { pause } from '../../model/pause.ts'
import type { MetricName } from '../../observe/metrics.ts'
import type { ShrinkRule } from '../../policy/linked/endpoints.ts'
import type { Discovery, DiscoveryTell, Found, Labels, Ports } from '../../ports.ts'
import { hasLabels, inOrder, sameFound } from './found.ts'
import { judgeShrinking } from './shrinking.ts'
import { backOffMs, type Wait } from './wait.ts'

/** A subset whose labels no endpoint has any more, and which goes on with those that had them last. */
export interface LeftBehind {
  readonly cluster: string
  readonly subset: string
  /** How many of its endpoints still serve, though the source names them no more or says other labels of them. */
  readonly endpoints: number
  /** Since the source last named one, milliseconds. */
  readonly ageMs: number
}

/** How a source stands, for people. */
export interface SourceStatus {
  /** Kind and name. */
  readonly source: string
  readonly clusters: readonly string[]
  /** In force. */
  readonly endpoints: number
  /** How many of them the source no longer names, but which are kept until that is certain. */
  readonly kept: number
  /** Since the source last said what is in force, milliseconds; undefined when it never did. */
  readonly ageMs: number | undefined
  /** Why the last answer was not taken, or not all of it. */
  readonly problem: string | undefined
  readonly leftBehind: readonly LeftBehind[]
}

/** Who uses a source: a cluster, or a part of one. */
interface User {
  readonly cluster: string
  readonly subset?: string | undefined
  readonly labels?: Labels | undefined
}

/** The last endpoints that had certain labels. `lostAt`: when the source stopped naming any; undefined while it names some. Monotonic milliseconds. */
interface Part {
  readonly found: readonly Found[]
  readonly lostAt: number | undefined
}

/** What it takes to follow sources. */
export type SourcePorts = Pick<Ports, 'clock' | 'random' | 'meter' | 'discover'>

const failures = 'sallyport_discovery_failures_total' satisfies MetricName

/**
 * One source of endpoints, followed from when it is opened until it is closed, for all who use it. What it said last stays in force
 * whatever happens to it; a set that lacks too much of it counts only when it was said for long enough.
 */
export class Source {
  readonly #name: string
  readonly #rule: ShrinkRule
  readonly #ports: SourcePorts
  readonly #lifeline = new Lifeline()
  readonly #watchers = new Set<() => void>()
  readonly #waiting = new Set<() => void>()
  readonly #users = new Map<string, { readonly user: User; shares: number }>()
  /** By what subsets ask for: the last endpoints that had it. They outlive the snapshot whose subset found them. */
  readonly #parts: Map<string, Part>
  /** What the source said and what was believed. */
  #good: readonly Found[] | undefined
  /** What it says and what is not believed yet. `since`: Infinity while it cannot be asked. */
  #held: { readonly found: readonly Found[]; since: number } | undefined
  #inForce: readonly Found[] | undefined
  #confirming: { cancel(): void } | undefined
  #saidAt: number | undefined
  #answered = false
  /** The last answer was not taken. */
  #refused = false
  #failures = 0
  #problem: string | undefined

  /** `before`: another follower of the same source, whose endpoints are good until this one has its own answer. */
  constructor(name: string, rule: ShrinkRule, discovery: Discovery, ports: SourcePorts, before?: Source) {
    this.#name = name
    this.#rule = rule
    this.#ports = ports
    this.#parts = before === undefined ? new Map() : new Map(before.#parts)
    if (before?.found !== undefined) {
      this.#good = before.#good
      this.#inForce = before.#inForce
      this.#saidAt = before.#saidAt
      this.#answered = true
    }
    void this.#run(discovery)
  }

  /** The endpoints in force; undefined while the source has not named any. */
  get found(): readonly Found[] | undefined {
    return this.#inForce
  }

  /** The endpoints in force that have these labels; where none has them any more, those that had them last. */
  part(labels: Labels | undefined): readonly Found[] {
    const all = this.#inForce ?? []
    if (labels === undefined) return all
    const key = labelsKey(labels)
    const fitting = all.filter((one) => hasLabels(one.labels, labels))
    // Of an empty set nothing is kept: it was not believed before that was certain.
    if (fitting.length === 0 && all.length > 0) {
      const { found, lostAt } = this.#parts.get(key) ?? { found: [], lostAt: undefined }
      this.#parts.set(key, { found, lostAt: lostAt ?? this.#ports.clock.ticks() })
      return found
    }
    this.#parts.set(key, { found: fitting, lostAt: undefined })
    return fitting
  }

  /** Why there is nothing, for the record. */
  get problem(): string {
    return `${this.#name}: ${this.#problem ?? 'it has not answered'}`
  }

  /** Runs `changed` after every change of what is in force. Returns the way to forget it. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed)
    return () => void this.#watchers.delete(changed)
  }

  /** Whose status this is. Returns the way to leave. */
  enter({ cluster, subset, labels }: User): () => void {
    const key = JSON.stringify([cluster, subset, labels === undefined ? undefined : labelsKey(labels)])
    const there = this.#users.get(key) ?? { user: { cluster, subset, labels }, shares: 0 }
    this.#users.set(key, there)
    there.shares += 1
    return () => {
      there.shares -= 1
      if (there.shares === 0) this.#users.delete(key)
    }
  }

  /** Settles with the first answer, be it good or none, or at the deadline. @throws Fault why the request ended. */
  first({ lifeline, deadline }: Wait): Promise<void> {
    if (this.#answered) return Promise.resolve()
    const { clock } = this.#ports
    return new Promise((resolve, reject) => {
      const over = () => {
        this.#waiting.delete(over)
        timer?.cancel()
        forget()
        resolve()
      }
      const timer = Number.isFinite(deadline) ? clock.after(Math.max(0, deadline - clock.ticks()), over) : undefined
      let forget = () => {}
      this.#waiting.add(over)
      forget = lifeline.onEnd((why) => {
        this.#waiting.delete(over)
        timer?.cancel()
        reject(why)
      })
    })
  }

  status(): SourceStatus {
    const endpoints = this.#inForce?.length ?? 0
    const clusters = Array.from(new Set(Array.from(this.#users.values(), ({ user }) => user.cluster))).sort()
    const ageMs = this.#saidAt === undefined ? undefined : this.#ports.clock.ticks() - this.#saidAt
    const kept = this.#held === undefined ? 0 : endpoints - this.#held.found.length
    return { source: this.#name, clusters, endpoints, kept, ageMs, problem: this.#problem, leftBehind: this.#leftBehind() }
  }

  #leftBehind(): readonly LeftBehind[] {
    const now = this.#ports.clock.ticks()
    return Array.from(this.#users.values()).flatMap(({ user: { cluster, subset, labels } }) => {
      const part = labels === undefined ? undefined : this.#parts.get(labelsKey(labels))
      if (subset === undefined || part?.lostAt === undefined || part.found.length === 0) return []
      return [{ cluster, subset, endpoints: part.found.length, ageMs: now - part.lostAt }]
    })
  }

  close(): void {
    this.#confirming?.cancel()
    this.#lifeline.end(new Fault('upstream_unavailable', 'no endpoint', { internal: 'the source was closed' }))
  }

  async #run(discovery: Discovery): Promise<void> {
    const { clock, random } = this.#ports
    const tell: DiscoveryTell = { set: (found, partly) => this.#take(found, partly), alive: () => this.#stillSo(), failed: (why) => this.#broke(why) }
    while (this.#lifeline.ended === undefined) {
      try {
        await discovery.follow(tell, this.#lifeline)
      } catch (error) {
        if (this.#lifeline.ended !== undefined) return
        this.#broke(error)
      }
      await pause(backOffMs(Math.max(1, this.#failures), random), this.#lifeline, clock).catch(() => {})
    }
  }

  #take(said: readonly Found[], partly?: string): void {
    if (this.#lifeline.ended !== undefined) return
    const found = inOrder(said)
    const now = this.#ports.clock.ticks()
    const verdict = judgeShrinking(this.#good?.length ?? 0, found.length, this.#rule)
    if (verdict === 'take') this.#believe(found, now)
    else if (verdict === 'keep') this.#refuse()
    else {
      const since = this.#held === undefined || this.#held.since > now ? now : this.#held.since
      if (now - since >= this.#rule.confirmMs) this.#believe(found, now)
      else this.#hold(found, since, now)
    }
    if (partly !== undefined) this.#note(partly)
    this.#told()
  }

  /** Some of it could not be asked: what could counts, and somebody should look at the rest. */
  #note(problem: string): void {
    this.#problem = problem
    this.#ports.meter.count(failures, { source: this.#name, reason: 'partial' })
  }

  #believe(found: readonly Found[], now: number): void {
    this.#confirming?.cancel()
    this.#held = undefined
    this.#refused = false
    this.#good = found
    this.#failures = 0
    this.#problem = found.length === 0 ? 'it names no endpoint' : undefined
    this.#saidAt = now
    this.#enforce(found)
  }

  #refuse(): void {
    this.#confirming?.cancel()
    this.#held = undefined
    this.#refused = true
    this.#failed('empty', 'it names no endpoint')
    // That it answers is no reason to ask it less often than when it does well.
    this.#failures = 0
    if (this.#good !== undefined) this.#enforce(this.#good)
  }

  /** What is new counts at once; what is gone stays until that is certain. */
  #hold(found: readonly Found[], since: number, now: number): void {
    const good = this.#good ?? []
    if (this.#held === undefined) this.#failed('shrunk', `it names ${found.length} of ${good.length} endpoints; the others are kept until that is certain`)
    this.#failures = 0
    this.#held = { found, since }
    this.#confirming?.cancel()
    this.#confirming = this.#ports.clock.after(since + this.#rule.confirmMs - now, () => this.#confirm())
    this.#enforce(inOrder([...found, ...good]))
  }

  #confirm(): void {
    if (this.#held !== undefined) this.#believe(this.#held.found, this.#ports.clock.ticks())
  }

  #stillSo(): void {
    this.#failures = 0
    if (this.#held !== undefined) return this.#take(this.#held.found)
    if (this.#refused || this.#saidAt === undefined) return
    this.#saidAt = this.#ports.clock.ticks()
    this.#problem = undefined
  }

  /** What was not said without a break is not certain. */
  #broke(why: unknown): void {
    this.#failed('failed', reasonOf(why))
    this.#confirming?.cancel()
    if (this.#held !== undefined) this.#held.since = Number.POSITIVE_INFINITY
  }

  #enforce(found: readonly Found[]): void {
    if (this.#inForce !== undefined && sameFound(this.#inForce, found)) return
    this.#inForce = found
    for (const changed of this.#watchers) changed()
  }

  #failed(reason: 'failed' | 'empty' | 'shrunk', problem: string): void {
    this.#failures += 1
    this.#problem = problem
    this.#ports.meter.count(failures, { source: this.#name, reason })
    this.#told()
  }

  /** Whoever waits for the first answer learns that it is here. */
  #told(): void {
    this.#answered = true
    for (const over of this.#waiting) over()
  }
}

function labelsKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function reasonOf(error: unknown): string {
  if (error instanceof Fault) return error.detail.internal ?? error.message
  return error instanceof Error ? error.message : String(error)
}
