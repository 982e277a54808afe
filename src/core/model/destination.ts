import type { ClaimEquals } from './claims.ts'
import type { FieldTest } from './field-test.ts'

export interface Destination {
  readonly cluster: string
  readonly subset: string | undefined
}

export interface WeightedDestination extends Destination {
  readonly weight: number
  /** A request that fits goes here whatever the weights. */
  readonly pin: { readonly headers: readonly FieldTest[]; readonly claims: readonly ClaimEquals[] } | undefined
  /** Takes its weight away when it does worse than the destinations of the split that have none. */
  readonly guard?: Guard | undefined
  /** Takes what this one cannot. */
  readonly failover?: Failover | undefined
}

/** A second place, and when it is asked. */
export interface Failover extends Destination {
  readonly on: readonly FailoverCondition[]
}

/** `connect`: nothing was sent, or there is nobody to send it to. `overloaded`: its cap is reached. `unavailable`: 503 or gRPC UNAVAILABLE. */
export type FailoverCondition = 'connect' | 'overloaded' | 'unavailable'

/** How much worse a version may do. */
export interface Guard {
  /** Its share of errors may be this much above that of the others, 0 to 1. */
  readonly errorRateDelta: number
  /** Its p95 may be this many times that of the others. */
  readonly p95Ratio: number
  /** Nothing is said before both sides answered this often within the window. */
  readonly minSamples: number
  readonly windowMs: number
}
