/** The counters of this ground: one process alone, or several around one of their own. Those around one Redis: `redis-counters.ts`. */
export type { Standing } from './counters/algorithms/standing.ts'
export { type AskedCounters, createGuardedCounters } from './counters/guarded.ts'
export type { KeptCounters, LimitBook } from './counters/kept.ts'
export { createMemoryCounters } from './counters/memory.ts'
export { type Counted, countedIn, KeyProblem, type LimitReset, type LimitStanding, resetOf, standingOf } from './counters/written.ts'
