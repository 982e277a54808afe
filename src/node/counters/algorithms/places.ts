import type { LimitShape } from '../../../core/model/limit.ts'
import type { Standing } from './standing.ts'

/** Nobody knows when a place is free; seconds are what Retry-After can say. */
export const placeWaitMs = 1000

/** How a cost stands against the places that are taken. */
export function readPlaces(used: number, limit: LimitShape, cost: number): Standing {
  const remaining = Math.max(0, limit.points - used)
  return cost <= remaining ? { fits: true, remaining, resetMs: 0 } : { fits: false, remaining, resetMs: placeWaitMs }
}
