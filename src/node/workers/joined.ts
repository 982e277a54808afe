import type { GuardStatus } from '../../core/ingress/steer.ts'
import type { EndpointStatus, ShieldStatus, SourceStatus } from '../../core/upstream.ts'
import type { CertificateStatus } from '../certificate-status.ts'
import type { KeySetStatus } from '../gateway-view.ts'
import type { Report } from './orders.ts'

/** From none to most. */
const troubles: readonly KeySetStatus['state'][] = ['fresh', 'unread', 'stale', 'unavailable']
const doubts: readonly ShieldStatus['breaker'][] = [undefined, 'closed', 'half_open', 'open']
const ills: readonly EndpointStatus['health'][] = ['healthy', 'unchecked', 'probing', 'ejected', 'unhealthy']

/** Of each issuer the keys of the worker that has most trouble with them. */
export function joinKeySets(reports: readonly Report[]): readonly KeySetStatus[] {
  const worst = new Map<string, KeySetStatus>()
  for (const { keySets } of reports) {
    for (const status of keySets) {
      const there = worst.get(status.issuer)
      if (there === undefined || troubles.indexOf(status.state) > troubles.indexOf(there.state)) worst.set(status.issuer, status)
    }
  }
  return [...worst.values()]
}

/** Each endpoint as the worker sees it that has most trouble with it, with what all of them have under way there. */
export function joinEndpoints(reports: readonly Report[]): readonly EndpointStatus[] {
  const worst = new Map<string, EndpointStatus>()
  for (const { endpoints } of reports) {
    for (const status of endpoints) {
      const key = JSON.stringify([status.cluster, status.endpoint, status.authority])
      const there = worst.get(key)
      const shown = there === undefined || ills.indexOf(status.health) > ills.indexOf(there.health) ? status : there
      worst.set(key, { ...shown, active: status.active + (there?.active ?? 0) })
    }
  }
  return [...worst.values()]
}

/** Each breaker as the worker sees it that trusts the place least; adaptive limits and what is under way of all of them together. */
export function joinShields(reports: readonly Report[]): readonly ShieldStatus[] {
  const worst = new Map<string, ShieldStatus>()
  const sum = (one: number | undefined, other: number | undefined) => (one === undefined ? other : one + (other ?? 0))
  for (const { shields } of reports) {
    for (const status of shields) {
      const there = worst.get(status.place)
      const shown = there === undefined || doubts.indexOf(status.breaker) > doubts.indexOf(there.breaker) ? status : there
      worst.set(status.place, { ...shown, limit: sum(status.limit, there?.limit), active: sum(status.active, there?.active) })
    }
  }
  return Array.from(worst.values())
}

/** Each source of endpoints as the worker sees it that has heard nothing of it for longest. */
export function joinSources(reports: readonly Report[]): readonly SourceStatus[] {
  const oldest = new Map<string, SourceStatus>()
  const ageOf = ({ ageMs }: SourceStatus) => ageMs ?? Number.POSITIVE_INFINITY
  for (const { sources } of reports) {
    for (const status of sources) {
      const there = oldest.get(status.source)
      if (there === undefined || ageOf(status) > ageOf(there)) oldest.set(status.source, status)
    }
  }
  return [...oldest.values()]
}

/** Each certificate as the worker sees it that has a problem with it, or looked at it last. */
export function joinCertificates(reports: readonly Report[]): readonly CertificateStatus[] {
  const shown = new Map<string, CertificateStatus>()
  for (const { certificates } of reports) {
    for (const status of certificates) {
      const there = shown.get(status.use)
      const tells = there === undefined || (status.problem === undefined) === (there.problem === undefined)
      if (there === undefined || (tells ? status.ageMs < there.ageMs : status.problem !== undefined)) shown.set(status.use, status)
    }
  }
  return Array.from(shown.values())
}

/** Each guarded destination with what all workers saw of it, and aborted when one of them has aborted it. */
export function joinGuards(reports: readonly Report[]): readonly GuardStatus[] {
  const joined = new Map<string, GuardStatus>()
  const sum = (one: GuardStatus['canary'], other: GuardStatus['canary']) => ({ answers: one.answers + other.answers, errors: one.errors + other.errors })
  for (const { guards } of reports) {
    for (const status of guards) {
      const key = JSON.stringify([status.route, status.destination, status.guard])
      const there = joined.get(key)
      if (there === undefined) joined.set(key, status)
      else
        joined.set(key, {
          ...there,
          aborted: there.aborted ?? status.aborted,
          canary: sum(there.canary, status.canary),
          others: sum(there.others, status.others),
        })
    }
  }
  return [...joined.values()]
}
