import type { Policy } from '../../core/policy/policy.ts'
import type { Clock, Secrets, Shared } from '../../core/ports.ts'
import type { RedisShared } from '../redis-shared.ts'
import { createMemoryShared } from '../shared.ts'

/** How long the start may wait for the store to be there. */
const readyMs = 1000

/** What replicas share, for a process that counts nothing there itself. */
export interface OwnShared {
  readonly shared: Shared
  /** Goes to the store that these policies name. One that cannot be named now is left as it was. Never rejects. */
  follow(policy: Policy): Promise<void>
  close(): Promise<void>
}

/** `override`: a Redis URL that takes the place of the policies' own. */
export function openOwnShared(override: string | undefined, ports: { readonly clock: Clock; readonly secrets: Secrets }): OwnShared {
  let url: string | undefined
  let redis: RedisShared | undefined
  let behind: Shared = createMemoryShared(ports.clock)
  return {
    shared: {
      claim: (key, ttlMs) => behind.claim(key, ttlMs),
      get: (key) => behind.get(key),
      set: (key, value, ttlMs) => behind.set(key, value, ttlMs),
      delete: (key) => behind.delete(key),
    },
    async follow({ store }) {
      const wanted = override ?? (store.redis === undefined ? undefined : await ports.secrets.read(store.redis).catch(() => url))
      const open = wanted === undefined ? undefined : (await import('../redis-shared.ts')).createRedisShared
      if (wanted === url) return
      const before = redis
      redis = wanted === undefined ? undefined : open?.(wanted)
      behind = redis ?? createMemoryShared(ports.clock)
      url = wanted
      await redis?.ready(readyMs)
      await before?.close()
    },
    async close() {
      await redis?.close()
    },
  }
}
