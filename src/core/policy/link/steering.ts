import type { Guard, WeightedDestination } from '../../model/route.ts'
import type { RouteDocument } from '../document/routes.ts'
import type { GuardDocument } from '../document/steering.ts'
import type { Path } from '../read/node.ts'
import { type Entry, type Linking, warn } from './linking.ts'
import { ms, share } from './values.ts'

/** Links `guard` of a destination. */
export function linkGuard(said: GuardDocument | undefined): { readonly guard?: Guard } {
  if (said === undefined) return {}
  return { guard: { errorRateDelta: share(said.errorRateDelta), p95Ratio: said.p95Ratio, minSamples: said.minSamples, windowMs: ms(said.window) } }
}

/** What a destination says and its split keeps from working. */
export function warnSplit(linking: Linking, entry: Entry<RouteDocument>, split: readonly WeightedDestination[]): void {
  const others = split.some(({ weight, guard }) => weight > 0 && guard === undefined)
  for (const [i, { guard, weight }] of split.entries()) {
    if (guard === undefined || (weight > 0 && others)) continue
    const message =
      weight === 0
        ? '"guard" has no effect: nobody comes here by weight.'
        : '"guard" has no effect: no destination without a guard has a weight, to compare with and to take over.'
    warn(linking, entry, [...placeOf(entry, i), 'guard'], { code: 'no_effect', message, hint: 'Give the stable version a weight, or remove it.', which: 'key' })
  }
}

/** Where the destination of that place stands in the document. */
export function placeOf({ value }: Entry<RouteDocument>, i: number): Path {
  return Array.isArray(value?.to) ? ['to', i] : ['to']
}
