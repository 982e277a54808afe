import type { BalanceKind, Balancing } from '../policy/linked/balance.ts'
import type { Ports } from '../ports.ts'
import type { Candidate } from './balance/candidate.ts'
import { buildPicker, type Pick as Picking } from './balance/pick.ts'
import { type View, type ViewRule, viewOf } from './balance/view.ts'
import { mayProve } from './health/standing.ts'
import type { Member } from './state.ts'

export type { Candidate } from './balance/candidate.ts'

/**
 * Chooses one of at least one candidate. A list that has not changed is the same object: what choosing needs is prepared once per list.
 * `key` is the text by which hashing balancers choose; without one they choose at random. `tried` are members that another is preferred to.
 * @throws Fault `upstream_unavailable` when none is healthy and the policies want none used then
 */
export type Balance = (candidates: readonly Candidate[], key?: string, tried?: ReadonlySet<Member>) => Candidate

/** Tells when the health of any endpoint has changed: by another number. */
export interface Changes {
  readonly version: number
  /** Somebody looked, because time alone has changed something. */
  look?(now: number): void
}

/** What a cluster says about balancing when it says nothing. */
export const plainBalancing: Balancing = { key: undefined, slowStartMs: 0, panic: 0.5, zones: 'local' }

type BalancePorts = Pick<Ports, 'clock' | 'random'>

const noChanges: Changes = { version: 0 }

/** A balancer with the memory of one endpoint set. Choosing takes constant time, or the logarithm of the number of endpoints. */
export function buildBalance(kind: BalanceKind, ports: BalancePorts, given: Partial<ViewRule> = {}, changes: Changes = noChanges): Balance {
  const { clock } = ports
  const balancing = given.balancing ?? plainBalancing
  const isHashed = kind === 'ring_hash' || kind === 'maglev'
  // Who hashes wants the same endpoint from every gateway, wherever it runs, and at once.
  const rule: ViewRule = {
    checked: given.checked ?? false,
    outlier: given.outlier ?? false,
    zone: given.zone,
    balancing: isHashed ? { ...balancing, slowStartMs: 0, zones: 'any' } : balancing,
  }
  const picker = buildPicker(kind, ports)
  let seen: readonly Candidate[] | undefined
  let version = 0
  let view: View | undefined
  let pick: Picking | undefined

  function look(candidates: readonly Candidate[], now: number): Picking {
    const timely = view !== undefined && now >= view.until
    view = viewOf(candidates, rule, now)
    seen = candidates
    version = changes.version
    pick = picker(view, candidates)
    if (timely) changes.look?.(now)
    return pick
  }

  return (candidates, key, tried) => {
    const isStale =
      candidates !== seen || version !== changes.version || view === undefined || (view.until !== Number.POSITIVE_INFINITY && clock.ticks() >= view.until)
    const choose = isStale || pick === undefined ? look(candidates, clock.ticks()) : pick
    if (!isHashed && view !== undefined && view.probing.length > 0) {
      const proving = toProve(view.probing, tried, clock.ticks())
      if (proving !== undefined) return proving
    }
    return choose(key, tried)
  }
}

/** An endpoint that is back and waits for the request that proves it. */
function toProve(probing: readonly Candidate[], tried: ReadonlySet<Member> | undefined, now: number): Candidate | undefined {
  for (const candidate of probing) {
    const { member } = candidate
    if (!mayProve(member.standing, now) || tried?.has(member) === true) continue
    member.standing.probedAt = now
    return candidate
  }
  return undefined
}
