import type { Descriptor, LimitSpec } from '../../core/ports.ts'

/**
 * How every key of the limit store starts. `space` keeps apart what counts on one server without counting together: environments, whose limits
 * have the same names and other numbers.
 */
export function redisPrefix(space: string | undefined): string {
  return space === undefined ? 'sallyport:limit' : `sallyport:limit:${space}`
}

/** The name of a limit as the start of its keys, length-prefixed: limit `a` with key `b:c` and limit `a:b` with key `c` stay apart. */
export function limitPrefix(limit: LimitSpec): string {
  return `${limit.name.length}:${limit.name}`
}

/** @throws RangeError for a cost that would count backwards or not at all. */
export function checkCosts(descriptors: readonly Descriptor[]): void {
  for (const { cost, limit } of descriptors) {
    if (!Number.isSafeInteger(cost) || cost < 1) throw new RangeError(`limit ${limit.name}: a cost of ${cost} is not an integer of at least 1`)
  }
}
