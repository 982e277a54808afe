import type { MetricName } from '../../observe/metrics.ts'
import type { Meter } from '../../ports.ts'
import type { Member } from '../state.ts'
import { type Stands, standsAs } from './standing.ts'

const endpoints = 'sallyport_upstream_endpoints' satisfies MetricName

/** One endpoint for people. */
export interface EndpointStatus {
  readonly cluster: string
  readonly endpoint: string
  /** What it is asked for there; undefined: the name that the caller uses. */
  readonly authority: string | undefined
  readonly health: Stands
  /** Why it is not used, in words. */
  readonly cause: string | undefined
  /** Milliseconds until it is back from an ejection. */
  readonly backInMs: number | undefined
  readonly ejections: number
  readonly active: number
  /** Recent time to answer, milliseconds; undefined before the first. */
  readonly answerMs: number | undefined
}

/** The endpoints of one cluster, over all its parts and snapshots, and how they are. */
export class Roster {
  readonly cluster: string
  /** Another number whenever the health of any of them changed. */
  version = 0
  /** What the newest policies look at. */
  rule: { readonly checked: boolean; readonly outlier: boolean } = { checked: false, outlier: false }
  readonly #members = new Map<Member, { readonly authority: string | undefined; shares: number }>()
  readonly #meter: Meter

  constructor(cluster: string, meter: Meter) {
    this.cluster = cluster
    this.#meter = meter
  }

  join(member: Member, authority: string | undefined, now: number): void {
    const there = this.#members.get(member)
    if (there === undefined) this.#members.set(member, { authority, shares: 1 })
    else there.shares += 1
    this.changed(now)
  }

  leave(member: Member, now: number): void {
    const there = this.#members.get(member)
    if (there === undefined) return
    there.shares -= 1
    if (there.shares === 0) this.#members.delete(member)
    this.changed(now)
  }

  changed(now: number): void {
    this.version += 1
    this.look(now)
  }

  /** Counts them for the metrics. */
  look(now: number): void {
    const counts: Record<Stands, number> = { healthy: 0, unhealthy: 0, ejected: 0, probing: 0, unchecked: 0 }
    for (const { standing } of this.#members.keys()) counts[standsAs(standing, this.rule, now)] += 1
    for (const [health, count] of Object.entries(counts)) this.#meter.gauge(endpoints, count, { cluster: this.cluster, health })
  }

  status(now: number): readonly EndpointStatus[] {
    return Array.from(this.#members, ([member, { authority }]) => ({
      ...statusOf(this.cluster, member, standsAs(member.standing, this.rule, now), now),
      authority,
    }))
  }
}

function statusOf(cluster: string, { name, standing, active, ewma }: Member, health: Stands, now: number): Omit<EndpointStatus, 'authority'> {
  return {
    cluster,
    endpoint: name,
    health,
    cause: health === 'unhealthy' ? standing.problem : health === 'ejected' || health === 'probing' ? standing.cause : undefined,
    backInMs: health === 'ejected' ? Math.ceil(standing.ejectedUntil - now) : undefined,
    ejections: standing.ejections,
    active,
    answerMs: ewma === 0 ? undefined : ewma,
  }
}
