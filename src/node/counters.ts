/** The counters of this ground: one process alone, several around one of their own, or many around one Redis. */
export type { Standing } from './counters/algorithms/standing.ts'
export { type AskedCounters, createGuardedCounters } from './counters/guarded.ts'
export type { KeptCounters, LimitBook } from './counters/kept.ts'
export { type LimitDesk, openLimitDesk } from './counters/limit-desk.ts'
export { createMemoryCounters } from './counters/memory.ts'
export { createRedisCounters, type RedisCounters } from './counters/redis.ts'
export { type Counted, countedIn, KeyProblem, type LimitReset, type LimitStanding, resetOf, standingOf } from './counters/written.ts'
