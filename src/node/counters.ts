/** The counters of this ground: one process alone, or many around one Redis. */
export { type LimitDesk, openLimitDesk } from './counters/limit-desk.ts'
export { createMemoryCounters } from './counters/memory.ts'
export { createRedisCounters, type RedisCounters } from './counters/redis.ts'
