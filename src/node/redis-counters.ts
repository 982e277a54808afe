/** Counters that many processes share through one Redis. Apart from the others, because who has no store need not load its client. */
export { type LimitDesk, openLimitDesk } from './counters/limit-desk.ts'
export { createRedisCounters, type RedisCounters } from './counters/redis.ts'
