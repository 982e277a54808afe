import type { WeightedDestination } from '../../model/destination.ts'

/** Gives every bucket in [0, 1) its destination, or undefined when no destination has a weight. */
export type Split = (bucket: number) => WeightedDestination | undefined

/**
 * Cuts [0, 1) into one stretch per destination, in file order, each as long as its share of the weights: the first begins
 * at 0, the last ends at 1.
 *
 * What a ramp moves. The first destination keeps its lower end and the last its upper end, so when one of these grows,
 * nobody who was there leaves; with two destinations that is always so, whichever way the ramp runs, and going back sends
 * back exactly those who came. With more, a middle destination keeps everybody as long as neither the destinations before
 * it nor those after it grow in sum. So a canary stands last (or first), and the others give way beside it.
 */
export function compileSplit(destinations: readonly WeightedDestination[]): Split {
  const weighted = destinations.filter((destination) => destination.weight > 0)
  const total = weighted.reduce((sum, destination) => sum + destination.weight, 0)
  let sum = 0
  const ends = weighted.map((destination) => {
    sum += destination.weight
    return sum / total
  })
  return (bucket) => {
    for (let i = 0; i < ends.length; i++) if (bucket < (ends[i] as number)) return weighted[i]
    // Weights are whole numbers, so the last end is 1; weights that are not may add up to a hair less.
    return weighted.at(-1)
  }
}
