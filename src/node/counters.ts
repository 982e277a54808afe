/** The counters of this ground: one process alone, several around one of their own, or many around one Redis. */
export { createGuardedCounters } from './counters/guarded.ts'
export { type LimitDesk, openLimitDesk } from './counters/limit-desk.ts'
export { createMemoryCounters } from './counters/memory.ts'
export { createRedisCounters, type RedisCounters } from './counters/redis.ts'
