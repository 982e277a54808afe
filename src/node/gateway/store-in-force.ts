import type { Policy } from '../../core/policy/policy.ts'
import type { Clock, Journal, Meter, Secrets, Shared } from '../../core/ports.ts'
import { createMemoryCounters, type KeptCounters } from '../counters.ts'
import type { RedisCounters } from '../redis-counters.ts'
import type { RedisShared } from '../redis-shared.ts'
import { createMemoryShared } from '../shared.ts'

/** What follows `store.redis`: rooms hold these objects, and a reload changes what stands behind them. */
export interface StoreInForce {
  readonly counters: KeptCounters
  readonly shared: Shared
  /** Prepares the store that a policy wants. @throws when its URL cannot be read. */
  prepare(policy: Policy): Promise<PreparedStore>
  close(): Promise<void>
}

interface PreparedStore {
  /** Puts the store in force. What it returns lets the previous one go, once no request uses it any more. */
  readonly commit: () => () => Promise<void>
  /** Forgets the prepared store. */
  readonly abort: () => Promise<void>
}

export interface StorePorts {
  readonly clock: Clock
  readonly meter: Meter
  readonly journal: Journal
  readonly secrets: Secrets
  /** Limits of other environments on the same server are counted apart. */
  readonly environment?: string | undefined
  /** What a request spends at most on waiting for the store; left out: 20. */
  readonly patienceMs?: number | undefined
}

interface Behind {
  /** Undefined: kept in memory. */
  readonly url: string | undefined
  readonly counters: KeptCounters
  readonly shared: Shared
  readonly redis: { readonly counters: RedisCounters; readonly shared: RedisShared } | undefined
}

/** How long the first request may wait for the store to be there. */
const readyMs = 1000

/** What takes the place of a store where the policies name none. */
export type Memory = Pick<StoreInForce, 'counters' | 'shared'>

/** `override` is a Redis URL that takes the place of the policies' own; `memory` opens what stands in for one: left out, that of this process. */
export function createStoreInForce(override: string | undefined, ports: StorePorts, memory: () => Memory = () => ownMemory(ports)): StoreInForce {
  const open = async (url: string | undefined): Promise<Behind> => (url === undefined ? inMemory(memory) : openRedis(url, ports))
  let behind = inMemory(memory)
  const urlOf = async (policy: Policy) => override ?? (policy.store.redis === undefined ? undefined : await ports.secrets.read(policy.store.redis))
  return {
    counters: {
      take: (descriptors) => behind.counters.take(descriptors),
      charge: (descriptors) => behind.counters.charge(descriptors),
      peek: (descriptors) => behind.counters.peek(descriptors),
      look: (descriptor) => behind.counters.look(descriptor),
      forget: (descriptor) => behind.counters.forget(descriptor),
      forgetHere: (descriptor) => behind.counters.forgetHere(descriptor),
    },
    shared: {
      claim: (key, ttlMs) => behind.shared.claim(key, ttlMs),
      get: (key) => behind.shared.get(key),
      set: (key, value, ttlMs) => behind.shared.set(key, value, ttlMs),
      delete: (key) => behind.shared.delete(key),
    },
    async prepare(policy) {
      const url = await urlOf(policy)
      if (url === behind.url) return { commit: () => nothing, abort: nothing }
      const next = await open(url)
      await Promise.all([next.redis?.counters.ready(readyMs), next.redis?.shared.ready(readyMs)])
      return {
        commit: () => {
          const previous = behind
          behind = next
          return () => closed(previous)
        },
        abort: () => closed(next),
      }
    },
    close: () => closed(behind),
  }
}

async function nothing(): Promise<void> {}

async function closed({ redis }: Behind): Promise<void> {
  await Promise.all([redis?.counters.close(), redis?.shared.close()])
}

function ownMemory({ clock }: StorePorts): Memory {
  return { counters: createMemoryCounters(clock), shared: createMemoryShared(clock) }
}

function inMemory(memory: () => Memory): Behind {
  return { url: undefined, ...memory(), redis: undefined }
}

/** @throws Error when the URL cannot be read, or the client not be loaded: those without a store go without it. */
async function openRedis(url: string, { clock, meter, journal, patienceMs, environment }: StorePorts): Promise<Behind> {
  const [{ createRedisCounters }, { createRedisShared }] = await Promise.all([import('../redis-counters.ts'), import('../redis-shared.ts')])
  const redis = { counters: createRedisCounters({ url, clock, meter, journal, patienceMs, space: environment }), shared: createRedisShared(url) }
  return { url, ...redis, redis }
}
