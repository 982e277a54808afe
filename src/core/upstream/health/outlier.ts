import type { MetricName } from '../../observe/metrics.ts'
import type { Outlier } from '../../policy/linked/health.ts'
import type { Meter } from '../../ports.ts'
import { forgetFailures } from '../balance/times.ts'
import type { Member } from '../state.ts'
import type { Note, Tried } from '../tried.ts'
import type { Roster } from './roster.ts'
import type { Cause } from './standing.ts'

const ejections = 'sallyport_upstream_ejections_total' satisfies MetricName

/** One set of endpoints that are judged against each other. */
export interface Peers {
  readonly members: ReadonlySet<Member>
  readonly roster: Roster
}

/** What a try says of its endpoint. `gateway`: nobody behind it answered, or it broke off. */
type Verdict = 'good' | 'server' | 'gateway' | undefined

/** gRPC codes (grpc.io, statuscodes) that are the server's doing, as HTTP statuses 500 and 503 would be. */
const grpcServer: ReadonlySet<number> = new Set([2, 13, 15])
const grpcUnavailable = 14

/** What a deadline has to have waited at least to speak against an endpoint: this, and so many times what it usually takes. */
const patience = { ms: 100, times: 3 } as const

/**
 * Watches the tries of a set of endpoints and ejects those that do not do their work, as Envoy's outlier detection does: for failures in a
 * row at once, for a success rate or a time far from the others' at the end of an interval. A further ejection is longer. Whoever is back gets
 * one request; when that fails, it is out again.
 */
export function watchOutliers(rule: Outlier, { members, roster }: Peers, meter: Meter): Note {
  let endsAt: number | undefined

  function eject(member: Member, cause: Cause, now: number): void {
    const { standing } = member
    if (standing.ejectedUntil > now || !hasRoom(member, members, rule, now)) return
    const well = standing.ejectedUntil === 0 ? 0 : Math.floor((now - standing.ejectedUntil) / rule.ejectForMs)
    standing.ejections = Math.max(0, standing.ejections - well) + 1
    standing.ejectedUntil = now + Math.min(rule.maxEjectForMs, rule.ejectForMs * standing.ejections)
    Object.assign(standing, { unproven: true, probedAt: Number.NEGATIVE_INFINITY, cause, serverErrors: 0, gatewayErrors: 0 })
    meter.count(ejections, { cluster: roster.cluster, cause })
    roster.changed(now)
  }

  function prove(member: Member, now: number): void {
    const { standing } = member
    if (!standing.unproven || standing.ejectedUntil > now) return
    Object.assign(standing, { unproven: false, since: now })
    forgetFailures(member, now)
    roster.changed(now)
  }

  function judge(member: Member, verdict: Exclude<Verdict, undefined>, now: number): void {
    const { standing } = member
    standing.seen.all += 1
    if (verdict === 'good') {
      standing.seen.good += 1
      standing.serverErrors = 0
      standing.gatewayErrors = 0
      return prove(member, now)
    }
    standing.serverErrors += 1
    standing.gatewayErrors = verdict === 'gateway' ? standing.gatewayErrors + 1 : 0
    if (standing.unproven && standing.cause !== undefined) eject(member, standing.cause, now)
    else if (rule.consecutiveGateway > 0 && standing.gatewayErrors >= rule.consecutiveGateway) eject(member, 'consecutive_gateway', now)
    else if (rule.consecutive5xx > 0 && standing.serverErrors >= rule.consecutive5xx) eject(member, 'consecutive_5xx', now)
  }

  /** The end of an interval: who is far from the others. */
  function compare(now: number): void {
    for (const [member, cause] of outliersIn(members, rule)) eject(member, cause, now)
    for (const { standing } of members) Object.assign(standing.seen, { good: 0, all: 0, sumMs: 0 })
  }

  return (member, tried) => {
    const { now } = tried
    endsAt ??= now + rule.intervalMs
    if (now >= endsAt) {
      compare(now)
      endsAt = now + rule.intervalMs
    }
    // The end of a stream may be hours away, or never come: it must not keep the endpoint waiting.
    if (tried.kind === 'lasting') return prove(member, now)
    const verdict = verdictOf(member, tried)
    noteTime(member, tried)
    if (verdict !== undefined) judge(member, verdict, now)
  }
}

/** Whether one more may be out: the policy's share, but always one, and never all. Who is back but not proven counts as out. */
function hasRoom(member: Member, members: ReadonlySet<Member>, { maxEjected }: Outlier, now: number): boolean {
  let out = 0
  for (const other of members) if (other !== member && (other.standing.unproven || other.standing.ejectedUntil > now)) out += 1
  return out < Math.min(members.size - 1, Math.max(1, Math.floor(maxEjected * members.size)))
}

/** What one try says of its endpoint; undefined: nothing yet, or nothing at all. */
export function verdictOf(member: Member, tried: Tried): Verdict {
  if (tried.kind === 'answer') return tried.status === undefined || tried.status < 500 ? undefined : isGatewayStatus(tried.status) ? 'gateway' : 'server'
  if (tried.kind === 'lasting') return undefined
  if (tried.kind === 'whole') return tried.status < 500 ? 'good' : undefined
  if (tried.kind === 'status') return verdictOfGrpc(tried.code)
  // Whoever asks for an answer in no time at all must not be able to have endpoints ejected.
  if (tried.code === 'deadline_exceeded')
    return tried.own === true || tried.tookMs >= Math.max(patience.ms, patience.times * member.standing.typicalMs) ? 'gateway' : undefined
  return tried.code === 'upstream_unavailable' || tried.code === 'upstream_reset' || tried.code === 'upstream_protocol' ? 'gateway' : undefined
}

function isGatewayStatus(status: number): boolean {
  return status >= 502 && status <= 504
}

/** DEADLINE_EXCEEDED is the caller's doing as often as the server's. */
function verdictOfGrpc(code: number): Verdict {
  if (code === grpcUnavailable) return 'gateway'
  if (grpcServer.has(code)) return 'server'
  return code === 4 ? undefined : 'good'
}

function noteTime({ standing }: Member, tried: Tried): void {
  if (tried.kind !== 'answer' || (tried.status !== undefined && tried.status >= 500)) return
  standing.seen.sumMs += tried.tookMs
}

function outliersIn(members: ReadonlySet<Member>, { successRate, slow }: Outlier): readonly (readonly [Member, Cause])[] {
  const failing = successRate === undefined ? [] : belowOthers([...members], successRate)
  const late = slow === undefined ? [] : slowerThanOthers([...members], slow)
  return [...failing.map((member) => [member, 'success_rate'] as const), ...late.map((member) => [member, 'slow'] as const)]
}

/** Whose success rate is so many standard deviations below the mean of all that had enough requests. */
function belowOthers(members: readonly Member[], { minEndpoints, minRequests, deviations }: NonNullable<Outlier['successRate']>): readonly Member[] {
  const busy = members.filter(({ standing }) => standing.seen.all >= minRequests)
  if (busy.length === 0 || busy.length < minEndpoints) return []
  const rates = busy.map(({ standing: { seen } }) => seen.good / seen.all)
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  const deviation = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length)
  return busy.filter((_, i) => (rates[i] as number) < mean - deviations * deviation)
}

/** Who took so many times as long as the median of the others, on average. */
function slowerThanOthers(members: readonly Member[], { times, minRequests }: NonNullable<Outlier['slow']>): readonly Member[] {
  const busy = members.filter(({ standing }) => standing.seen.good >= minRequests)
  const meanOf = ({ standing: { seen } }: Member) => seen.sumMs / seen.good
  return busy.filter((member) => {
    const others = busy.filter((other) => other !== member).map(meanOf)
    return others.length > 0 && meanOf(member) > times * median(others)
  })
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[half] as number) : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
}
