import type { WeightedDestination } from '../../model/destination.ts'
import { drawOf, seedOf } from './bucket.ts'
import { nameOf } from './name.ts'
import type { Split } from './split.ts'

/**
 * Gives every bucket in [0, 1) its destination by weighted rendezvous: each destination draws a number for the bucket, from its own name, and the
 * one with the least waiting time `-ln(draw) / weight` has it. Every destination gets its share of the weights, and a ramp moves only those who
 * must move: of a destination whose weight grows, or stays while others shrink, nobody leaves; of one that is taken away only its own are moved,
 * over the others by their weights. The order of the list and the number of destinations do not matter.
 */
export function compileRendezvous(destinations: readonly WeightedDestination[]): Split {
  const places = new Map<string, { readonly destination: WeightedDestination; readonly seed: number; weight: number }>()
  for (const destination of destinations) {
    const name = nameOf(destination)
    const there = places.get(name)
    // One place that is listed twice is one place: two equal draws would give the lesser weight nothing.
    if (there === undefined) places.set(name, { destination, seed: seedOf(name), weight: destination.weight })
    else there.weight += destination.weight
  }
  const weighted = [...places.values()].filter(({ weight }) => weight > 0)
  if (weighted.length < 2) return () => weighted[0]?.destination
  return (bucket) => {
    let best: WeightedDestination | undefined
    let least = Number.POSITIVE_INFINITY
    for (const { destination, seed, weight } of weighted) {
      const wait = -Math.log(drawOf(seed, bucket)) / weight
      if (wait < least) {
        least = wait
        best = destination
      }
    }
    return best
  }
}
