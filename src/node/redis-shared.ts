import type { Shared } from '../core/ports.ts'
import { connectRedis, type RedisClient } from './counters/redis-client.ts'

/** Under which name a key stands in Redis. */
export function sharedName(key: string): string {
  return `sallyport:${key}`
}

export interface RedisShared extends Shared {
  /** Settles when the connection is there, or after this many milliseconds: never rejects. */
  ready(ms: number): Promise<void>
  close(): Promise<void>
}

/** Shared by every process on one Redis. A command that is not answered within 250 ms rejects. */
export function createRedisShared(url: string): RedisShared {
  const client = connectRedis(url, { connectionName: 'sallyport-shared', commandTimeout: 250 })
  return {
    claim: async (key, ttlMs) => (await ready(client).set(sharedName(key), '', 'PX', wholeMs(ttlMs), 'NX')) === 'OK',
    get: async (key) => (await ready(client).get(sharedName(key))) ?? undefined,
    async set(key, value, ttlMs) {
      if (ttlMs === undefined) await ready(client).set(sharedName(key), value)
      else await ready(client).set(sharedName(key), value, 'PX', wholeMs(ttlMs))
    },
    async delete(key) {
      await ready(client).del(sharedName(key))
    },
    ready: (ms) => connected(client, ms),
    async close() {
      client.disconnect()
    },
  }
}

function connected(client: RedisClient, ms: number): Promise<void> {
  if (client.status === 'ready') return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      client.off('ready', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    client.once('ready', done)
  })
}

/** @throws Error while there is no connection: waiting for one would cost the request its time. */
function ready(client: RedisClient): RedisClient {
  if (client.status !== 'ready') throw new Error(`the store is not connected (${client.status})`)
  return client
}

function wholeMs(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs))
}
