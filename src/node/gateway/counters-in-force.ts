import type { Policy } from '../../core/policy/policy.ts'
import type { Clock, Counters, Journal, Meter, Secrets } from '../../core/ports.ts'
import { createMemoryCounters, createRedisCounters, type RedisCounters } from '../counters.ts'

/** Counters that follow `store.redis`: rooms hold this one object, and a reload changes what stands behind it. */
export interface CountersInForce extends Counters {
  /** Prepares the store that a policy wants. @throws when its URL cannot be read. */
  prepare(policy: Policy): Promise<PreparedCounters>
  close(): Promise<void>
}

interface PreparedCounters {
  /** Puts the store in force. What it returns lets the previous one go, once no request uses it any more. */
  readonly commit: () => () => Promise<void>
  /** Forgets the prepared store. */
  readonly abort: () => Promise<void>
}

export interface CounterPorts {
  readonly clock: Clock
  readonly meter: Meter
  readonly journal: Journal
  readonly secrets: Secrets
}

interface Behind {
  /** Undefined: counted in memory. */
  readonly url: string | undefined
  readonly counters: Counters
  readonly shared: RedisCounters | undefined
}

/** How long the first request may wait for the store to be there. */
const readyMs = 1000

/** `override` is a Redis URL that takes the place of the policies' own. */
export function createCountersInForce(override: string | undefined, ports: CounterPorts): CountersInForce {
  let behind: Behind = { url: undefined, counters: createMemoryCounters(ports.clock), shared: undefined }
  const urlOf = async (policy: Policy) => override ?? (policy.store.redis === undefined ? undefined : await ports.secrets.read(policy.store.redis))
  return {
    take: (descriptors) => behind.counters.take(descriptors),
    peek: (descriptors) => behind.counters.peek(descriptors),
    async prepare(policy) {
      const url = await urlOf(policy)
      if (url === behind.url) return { commit: () => nothing, abort: nothing }
      const next = open(url, ports)
      await next.shared?.ready(readyMs)
      return {
        commit: () => {
          const previous = behind
          behind = next
          return async () => previous.shared?.close()
        },
        abort: async () => next.shared?.close(),
      }
    },
    close: async () => behind.shared?.close(),
  }
}

async function nothing(): Promise<void> {}

function open(url: string | undefined, { clock, meter, journal }: CounterPorts): Behind {
  if (url === undefined) return { url, counters: createMemoryCounters(clock), shared: undefined }
  const shared = createRedisCounters({ url, clock, meter, journal })
  return { url, counters: shared, shared }
}
