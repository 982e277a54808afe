import type { Hedge } from '../model/retry.ts'
import type { Spread } from './protect/spread.ts'

/** How long the first try has for itself, milliseconds; undefined while too little is known for a percentile. */
export function hedgeDelayMs({ after }: Hedge, spread: Spread): number | undefined {
  return 'ms' in after ? after.ms : spread.quantile(after.percentile)?.toMs
}
