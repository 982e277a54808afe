import type { Sticky } from '../../model/sticky.ts'

export type BalanceKind = 'round_robin' | 'least_request' | 'peak_ewma' | 'random' | 'ring_hash' | 'maglev'

export interface Balancing {
  /** By what the hashing balancers choose. */
  readonly key: Sticky | undefined
  /** How long a new or returned endpoint takes to its full weight; 0 for none. */
  readonly slowStartMs: number
  /** With a smaller share of healthy endpoints all are used; 0 for never. */
  readonly panic: number
  /** Whether endpoints in the gateway's own zone come first. */
  readonly zones: 'local' | 'any'
}
