import type { Descriptor } from '../../core/ports.ts'
import { redisKey, type StoreStanding } from './limit-call.ts'
import { createPeriods } from './periods.ts'
import { connectRedis } from './redis-client.ts'
import { RedisLimits } from './redis-limits.ts'

/** Looks at what is counted in Redis, and gives it back. It is no instance: shares are not divided by it. */
export interface LimitDesk {
  /** @throws Error when Redis is not there within that time */
  ready(withinMs: number): Promise<void>
  /** How a descriptor stands, without taking. Rejects with the client's error. */
  look(descriptor: Descriptor, wallMs: number): Promise<StoreStanding>
  /** Forgets all that is counted for a descriptor's key; false when nothing was. Rejects with the client's error. */
  forget(descriptor: Descriptor): Promise<boolean>
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
    async look(descriptor, wallMs) {
      const [standing] = (await limits.run('peek', [descriptor], '', wallMs)).standings
      if (standing === undefined) throw new Error('the store did not say how the limit stands')
      return standing
    },
    forget: async (descriptor) => (await client.del(redisKey(descriptor))) === 1,
    close: () => client.disconnect(),
  }
}
