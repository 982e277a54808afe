import type { Clock, Shared } from '../core/ports.ts'
import { connectRedis, type RedisClient } from './counters/redis-client.ts'

interface Entry {
  readonly value: string
  /** Wall time in milliseconds; Infinity for what stays. */
  readonly endsAt: number
}

/** Beyond this a process refuses to remember more: forgetting a claim would let it be made twice. */
const memoryLimit = 200_000
const sweepMs = 1000

/** Shared by nobody: for one process without a store. */
export function createMemoryShared(clock: Pick<Clock, 'now'>): Shared {
  const kept = new Map<string, Entry>()
  let sweptAt = Number.NEGATIVE_INFINITY
  const alive = (key: string): Entry | undefined => {
    const entry = kept.get(key)
    return entry === undefined || entry.endsAt <= clock.now() ? undefined : entry
  }
  // Looking through everything for each of a flood of claims would be the flood's work done for it.
  const sweep = (): void => {
    const now = clock.now()
    if (now < sweptAt + sweepMs) return
    sweptAt = now
    for (const [name, { endsAt }] of kept) if (endsAt <= now) kept.delete(name)
  }
  const put = (key: string, value: string, ttlMs: number | undefined): void => {
    if (kept.size >= memoryLimit) sweep()
    if (kept.size >= memoryLimit) throw new Error(`more than ${memoryLimit} entries to remember; name a store (store.redis)`)
    kept.set(key, { value, endsAt: ttlMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + ttlMs })
  }
  return {
    async claim(key, ttlMs) {
      if (alive(key) !== undefined) return false
      put(key, '', ttlMs)
      return true
    },
    get: async (key) => alive(key)?.value,
    set: async (key, value, ttlMs) => put(key, value, ttlMs),
    async delete(key) {
      kept.delete(key)
    },
  }
}

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
