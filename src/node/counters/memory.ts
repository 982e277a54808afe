import type { Clock, Counters } from '../../core/ports.ts'
import { type KeptCounters, lookIn } from './kept.ts'
import { Table } from './table.ts'

/** Keys that one process keeps of all limits together: at about 150 bytes each, some 15 MB; a sliding key in constant use has up to 500. */
export const defaultKeyCap = 100_000

/**
 * Counters of one process, for a gateway that runs alone. Synchronous and exact. Never degraded: there is no store to lose; and nothing is
 * kept over a restart.
 *
 * These are own counters instead of rate-limiter-flexible's memory store, which knows fixed windows alone, follows the wall clock, keeps a timer
 * per key without any bound, forgets windows past 24 days at once, and cannot check several limits before it takes from one.
 */
export function createMemoryCounters(clock: Pick<Clock, 'ticks' | 'now'>, keyCap: number = defaultKeyCap): KeptCounters {
  const table = new Table(clock, keyCap)
  const counters: Counters = {
    take: (descriptors) => table.take(descriptors),
    charge: (descriptors) => table.charge(descriptors),
    peek: (descriptors) => table.peek(descriptors),
  }
  return {
    ...counters,
    look: (descriptor) => lookIn(counters, descriptor),
    forget: async (descriptor) => table.forget(descriptor),
    // Nothing is remembered beside the table.
    forgetHere: () => {},
  }
}
