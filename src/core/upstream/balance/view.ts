import { Fault } from '../../model/fault.ts'
import type { Balancing } from '../../policy/linked/balance.ts'
import { type Standing, standsAs } from '../health/standing.ts'
import type { Candidate } from './candidate.ts'
import { shareByZone } from './zones.ts'

/** What decides which endpoints may be chosen, beside the endpoints themselves. */
export interface ViewRule {
  readonly balancing: Balancing
  /** The policies have active checks, and outlier ejection: what is known from earlier policies that had them counts no more. */
  readonly checked: boolean
  readonly outlier: boolean
  /** Where this gateway runs. */
  readonly zone: string | undefined
}

/** The endpoints as one moment shows them, prepared for choosing: made anew when something changes, not for every choice. */
export interface View {
  /** Those that may be chosen; at least one. */
  readonly usable: readonly Candidate[]
  /** How often each, relative to the others; undefined: equally. With slow start and zones. */
  readonly shares: Float64Array | undefined
  /** Back from an ejection and not proven: they get one request at a time. */
  readonly probing: readonly Candidate[]
  /** Too few are well: health is not looked at. */
  readonly panic: boolean
  /** Monotonic milliseconds from which on time alone has changed something; Infinity for never. */
  readonly until: number
}

/** A new endpoint begins with this share of its weight. */
const firstShare = 0.1

/** Steps of a ramp. */
const rampSteps = 50

/** @throws Fault `upstream_unavailable` when none is well and the policies want none used then. */
export function viewOf(candidates: readonly Candidate[], rule: ViewRule, now: number): View {
  const sorted = sortOut(candidates, rule, now)
  const { panic: threshold } = rule.balancing
  const well = sorted.usable.length + sorted.probing.length
  const panic = well < candidates.length * threshold || (well === 0 && threshold > 0)
  if (well === 0 && !panic) throw new Fault('upstream_unavailable', 'no healthy endpoint', { internal: `none of ${candidates.length} endpoints is healthy` })
  if (panic) return { usable: candidates, shares: sharesOf(candidates, rule, now, false).shares, probing: [], panic, until: sorted.until }
  // Nobody else is there: they have to prove themselves under load.
  const [usable, probing] = sorted.usable.length > 0 ? [sorted.usable, sorted.probing] : [sorted.probing, []]
  const { kept, shares, until } = sharesOf(usable, rule, now, true)
  return { usable: kept, shares, probing, panic, until: Math.min(until, sorted.until) }
}

function sortOut(candidates: readonly Candidate[], { checked, outlier }: ViewRule, now: number) {
  const usable: Candidate[] = []
  const probing: Candidate[] = []
  const unchecked: Candidate[] = []
  let until = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const { standing } = candidate.member
    const as = standsAs(standing, { checked, outlier }, now)
    if (as === 'ejected') until = Math.min(until, standing.ejectedUntil)
    else if (as === 'probing') probing.push(candidate)
    else if (as === 'unchecked') unchecked.push(candidate)
    else if (as === 'healthy') usable.push(candidate)
  }
  // Before the first check of all has come back nothing is known of anybody; after it, a newcomer waits for its own.
  return { usable: usable.length > 0 ? usable : unchecked, probing, until }
}

/** The share of each: its weight, less while it is new, and by zone. `kept` are those with any. */
function sharesOf(candidates: readonly Candidate[], rule: ViewRule, now: number, zoned: boolean) {
  const { slowStartMs } = rule.balancing
  let until = Number.POSITIVE_INFINITY
  const weights = candidates.map(({ member, weight }) => {
    const ramp = rampOf(member.standing, slowStartMs, now)
    if (ramp < 1) until = now + Math.max(20, slowStartMs / rampSteps)
    return weight * ramp
  })
  const zone = zoned && rule.balancing.zones === 'local' ? rule.zone : undefined
  const split = zone === undefined ? weights : shareByZone(candidates, weights, zone)
  const kept = split.every((share) => share > 0) ? candidates : candidates.filter((_, i) => (split[i] as number) > 0)
  const shares = kept === candidates ? split : split.filter((share) => share > 0)
  const equal = shares.every((share) => share === shares[0])
  return { kept, shares: equal ? undefined : Float64Array.from(shares), until }
}

function rampOf({ since }: Standing, slowStartMs: number, now: number): number {
  return slowStartMs === 0 ? 1 : Math.min(1, Math.max(firstShare, (now - since) / slowStartMs))
}
