import type { Lasting } from '../../ports.ts'
import { Shared } from '../shared.ts'
import type { Member } from '../state.ts'
import type { Checking } from './check.ts'
import type { Roster } from './roster.ts'

/** What is kept of an endpoint for a while after nobody uses it. */
export type Parked = Pick<Member, 'standing' | 'ewma' | 'mean' | 'sampledAt'> & { readonly at: number }

/** For so long, milliseconds: an endpoint that a source forgets for a moment, or that restarts. */
export const parkedForMs = 120_000

/** What is known of the health of endpoints, beside what stands in each: it outlives snapshots. */
export interface HealthState {
  /** By the name of the cluster. */
  readonly rosters: Shared<Roster>
  readonly checks: Shared<Checking>
  /** By `knownBy`. */
  readonly parked: Map<string, Parked>
  /** The newest of those that are used, by `knownBy`. */
  readonly alive: Map<string, Member>
}

/** The one state of this process. */
export function healthState(lasting: Lasting): HealthState {
  return lasting('upstream.health', () => ({ rosters: new Shared<Roster>(), checks: new Shared<Checking>(), parked: new Map(), alive: new Map() }))
}
