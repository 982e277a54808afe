import type { LimitBook } from './kept.ts'
import { redisKey } from './limit-call.ts'
import { createPeriods } from './periods.ts'
import { connectRedis } from './redis-client.ts'
import { RedisLimits } from './redis-limits.ts'

/** Looks at what is counted in Redis, and gives it back. It is no instance: shares are not divided by it. */
export interface LimitDesk extends LimitBook {
  /** @throws Error when Redis is not there within that time */
  ready(withinMs: number): Promise<void>
  close(): void
}

/** @throws Error for a URL that cannot be read */
export function openLimitDesk(url: string): LimitDesk {
  const client = connectRedis(url, { connectionName: 'sallyport-limits', commandTimeout: 2000 })
  const limits = new RedisLimits(client, createPeriods())
  return {
    async ready(withinMs) {
      if (client.status === 'ready') return
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`Redis is not connected after ${withinMs / 1000} s`)), withinMs)
        client.once('ready', () => {
          clearTimeout(timer)
          resolve()
        })
      })
    },
    async look(descriptor) {
      const [standing] = (await limits.run('peek', [descriptor], '', Date.now())).standings
      if (standing === undefined) throw new Error('the store did not say how the limit stands')
      return standing
    },
    forget: async (descriptor) => (await client.del(redisKey(descriptor))) === 1,
    close: () => client.disconnect(),
  }
}
