import type { Descriptor, LimitSpec } from '../../core/ports.ts'

/** Every key of the limit store starts so. */
export const redisPrefix = 'sallyport:limit'

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
