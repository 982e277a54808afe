import type { Cluster } from '../../core/policy/linked/clusters.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Meter, Random } from '../../core/ports.ts'
import type { Difference } from '../../core/protobuf.ts'
import type { Log } from '../journal.ts'
import type { DriftFinding, DriftPorts } from './check-drift.ts'
import { usedOf } from './used.ts'

export interface DriftWatchParts extends DriftPorts {
  readonly random: Pick<Random, 'unit'>
  readonly meter: Meter & { forget(name: string): void }
  readonly log: Log
}

type Outcome = 'same' | 'drifted' | 'unreflected' | 'failed'

/** One cluster that is looked at from time to time. */
interface Watched {
  /** What makes a look of yesterday worth nothing today. */
  readonly key: string
  readonly cluster: Cluster
  readonly everyMs: number
  timer: { cancel(): void } | undefined
  /** What was last said of it, in words that change only when something did. */
  said: string
  counts: Readonly<Record<Difference['kind'], number>> | undefined
}

/** The first look comes within this time, so that a rollout is not asked by all of its replicas at once. Milliseconds. */
const soonMs = 30_000
/** For one endpoint. Milliseconds. */
const patienceMs = 10_000
/** Differences that one event names. */
const most = 5

const gauge = 'sallyport_descriptor_drift'

/** Loads what looks, which is much: a process that watches no cluster goes without. @throws Error when it cannot be loaded. */
export function loadDrift(): Promise<typeof import('./check-drift.ts')> {
  return import('./check-drift.ts')
}

/**
 * Looks, off the path of requests, whether what clusters say by reflection is still what is pinned: every cluster whose policy gives it an
 * interval, one at a time, at times that differ from process to process. What it finds is a metric, and one event when it changes;
 * nothing else ever depends on it.
 */
export class DriftWatch {
  readonly #parts: DriftWatchParts
  #policy: Policy | undefined
  #watched: ReadonlyMap<string, Watched> = new Map()
  #running: Promise<void> = Promise.resolve()
  readonly #end = new AbortController()

  constructor(parts: DriftWatchParts) {
    this.#parts = parts
  }

  /** Watches what this policy says from now on. A cluster that stays as it was keeps its time and what is known of it. */
  follow(policy: Policy): void {
    this.#policy = policy
    const before = this.#watched
    const next = new Map<string, Watched>()
    for (const fresh of watchedIn(policy)) {
      const known = before.get(fresh.cluster.name)
      next.set(fresh.cluster.name, known?.key === fresh.key ? known : fresh)
    }
    for (const [name, watched] of before) if (next.get(name) !== watched) watched.timer?.cancel()
    this.#watched = next
    for (const watched of next.values()) if (watched.timer === undefined) this.#plan(watched, Math.min(soonMs, watched.everyMs) * this.#parts.random.unit())
    if (before.size > 0) this.#measureAll()
  }

  /** Plans nothing more, and cuts the look under way short; settles when that is over. */
  async close(): Promise<void> {
    for (const { timer } of this.#watched.values()) timer?.cancel()
    this.#watched = new Map()
    this.#end.abort()
    await this.#running
  }

  #plan(watched: Watched, ms: number): void {
    watched.timer = this.#parts.clock.after(ms, () => {
      // One after another: many clusters must not make a burst.
      this.#running = this.#running.then(() => this.#look(watched))
    })
  }

  #isWatched(watched: Watched): boolean {
    return this.#watched.get(watched.cluster.name) === watched
  }

  async #look(watched: Watched): Promise<void> {
    const policy = this.#policy
    if (policy === undefined || !this.#isWatched(watched)) return
    try {
      const { checkDrift } = await loadDrift()
      const findings = await checkDrift(policy, watched.cluster, { ...this.#parts, signal: this.#end.signal }, patienceMs)
      if (this.#isWatched(watched)) this.#note(watched, findings)
    } catch (error) {
      this.#parts.log('warn', 'descriptor_check_failed', { cluster: watched.cluster.name, reason: error instanceof Error ? error.message : String(error) })
    }
    if (this.#isWatched(watched)) this.#plan(watched, watched.everyMs * (0.9 + 0.2 * this.#parts.random.unit()))
  }

  #note(watched: Watched, findings: readonly DriftFinding[]): void {
    const { meter } = this.#parts
    const cluster = watched.cluster.name
    const differences = differencesIn(findings)
    const outcome = outcomeOf(findings, differences)
    meter.count('sallyport_descriptor_checks_total', { cluster, outcome })
    // What could not be asked says nothing: the last answer stands.
    if (outcome === 'same' || outcome === 'drifted') {
      watched.counts = { breaking: countOf(differences, 'breaking'), addition: countOf(differences, 'addition') }
      this.#measure(watched)
    }
    const said = `${outcome} ${differences.join('; ')}`
    if (said === watched.said) return
    const first = watched.said === ''
    watched.said = said
    this.#tell(watched, outcome, differences, findings, first)
  }

  #tell(watched: Watched, outcome: Outcome, differences: readonly string[], findings: readonly DriftFinding[], first: boolean): void {
    const { log } = this.#parts
    const facts = { cluster: watched.cluster.name, descriptors: watched.cluster.descriptors?.file }
    if (outcome === 'drifted') log('warn', 'descriptor_drift', { ...facts, ...watched.counts, differences: differences.slice(0, most) })
    else if (outcome === 'unreflected') log('info', 'descriptor_unreflected', facts)
    else if (outcome === 'failed') log('warn', 'descriptor_check_failed', { ...facts, reason: reasonsIn(findings).join('; ') })
    else if (!first) log('info', 'descriptor_drift_gone', facts)
  }

  #measureAll(): void {
    this.#parts.meter.forget(gauge)
    for (const watched of this.#watched.values()) this.#measure(watched)
  }

  #measure({ cluster, counts }: Watched): void {
    if (counts === undefined) return
    for (const kind of ['breaking', 'addition'] as const) this.#parts.meter.gauge(gauge, counts[kind], { cluster: cluster.name, kind })
  }
}

function watchedIn(policy: Policy): readonly Watched[] {
  return Object.values(policy.clusters).flatMap((cluster): readonly Watched[] => {
    const everyMs = cluster.descriptors?.driftMs
    const { services, subsets } = usedOf(policy, cluster.name)
    if (everyMs === undefined || services.length === 0 || cluster.quarantined !== undefined) return []
    const key = JSON.stringify([cluster, services, [...subsets]])
    return [{ key, cluster, everyMs, timer: undefined, said: '', counts: undefined }]
  })
}

/** Each once, breaking ones first, as `breaking: file: element: change`. */
function differencesIn(findings: readonly DriftFinding[]): readonly string[] {
  const found = findings.flatMap((finding) => (finding.kind === 'compared' ? finding.differences : []))
  const texts = found.map(({ kind, file, element, change }) => `${kind}: ${file}: ${element}: ${change}`)
  return [...new Set(texts)].sort((a, b) => Number(a.startsWith('addition')) - Number(b.startsWith('addition')))
}

function countOf(differences: readonly string[], kind: Difference['kind']): number {
  return differences.filter((text) => text.startsWith(`${kind}: `)).length
}

function reasonsIn(findings: readonly DriftFinding[]): readonly string[] {
  return findings.flatMap((finding) => (finding.kind === 'failed' ? [finding.reason] : []))
}

/** What one part says counts, whatever the others cannot say. */
function outcomeOf(findings: readonly DriftFinding[], differences: readonly string[]): Outcome {
  if (differences.length > 0) return 'drifted'
  if (findings.some(({ kind }) => kind === 'failed')) return 'failed'
  return findings.some(({ kind }) => kind === 'unreflected') ? 'unreflected' : 'same'
}
