import type { Clock, Counters, Descriptor } from '../../core/ports.ts'
import { capacityOf } from './store-key.ts'
import { Windows } from './windows.ts'

/** Keys that one process keeps of all limits together: at about 150 bytes each, some 15 MB. */
export const defaultKeyCap = 100_000

/**
 * Counters of one process, for a gateway that runs alone. Synchronous and exact: no window ever holds more than points
 * and burst. Never degraded: there is no store to lose.
 *
 * These are own windows instead of rate-limiter-flexible's memory store, which follows the wall clock, keeps a timer per key
 * without any bound, forgets windows past 24 days at once, and cannot check several limits before it takes from one.
 */
export function createMemoryCounters(clock: Pick<Clock, 'ticks'>, keyCap: number = defaultKeyCap): Counters {
  const windows = new Windows(clock, keyCap)
  const capacity = (descriptor: Descriptor) => capacityOf(descriptor.limit)
  return {
    take: (descriptors) => windows.take(descriptors, capacity),
    peek: (descriptors) => windows.peek(descriptors, capacity),
  }
}
