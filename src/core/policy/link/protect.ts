import type { BreakerRule } from '../../model/breaker.ts'
import type { Hedge } from '../../model/retry.ts'
import type { BreakerDocument, HedgeDocument } from '../document/protect.ts'
import { parseDuration } from '../units.ts'
import { ms, share } from './values.ts'

/** Links `breaker` of a cluster or an egress service. */
export function linkBreaker(said: BreakerDocument | undefined): BreakerRule | undefined {
  if (said === undefined) return undefined
  const { consecutive, minRequests, probes } = said
  return { consecutive, minRequests, probes, failures: share(said.failures), windowMs: ms(said.window), openMs: ms(said.open) }
}

/** Links `hedge` of a route. */
export function linkHedge(said: HedgeDocument | undefined): Hedge | undefined {
  if (said === undefined) return undefined
  const { after } = said
  const budget = share(said.budget)
  return after.startsWith('p') ? { after: { percentile: Number(after.slice(1)) / 100 }, budget } : { after: { ms: parseDuration(after) ?? 0 }, budget }
}
