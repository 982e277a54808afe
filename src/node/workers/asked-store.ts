import type { Counters, Descriptor, Shared, Taken } from '../../core/ports.ts'
import type { AskedCounters } from '../counters.ts'
import { type CountArrivals, countArrivals } from '../listeners.ts'
import type { Asking } from './asking.ts'
import { readTaken, type WrittenTaken, writeDescriptor } from './question.ts'

/** The counters of the primary process. Rejects as `asking` does. */
export function createAskedCounters(asking: Asking): AskedCounters {
  const ask = async (mode: 'take' | 'charge' | 'peek', descriptors: readonly Descriptor[]): Promise<Taken> => {
    const written = (await asking.ask([mode, descriptors.map(writeDescriptor)])) as WrittenTaken // as the host writes it
    const taken = readTaken(written, descriptors)
    const [, lease] = written
    if (lease === 0) return taken
    let held = true
    const release = () => {
      if (held) void asking.ask(['free', lease]).catch(() => undefined)
      held = false
    }
    return { ...taken, release }
  }
  const charge: Counters['charge'] = async (descriptors) => (await ask('charge', descriptors)).readings
  const forget: AskedCounters['forget'] = async (descriptor) => (await asking.ask(['forget', writeDescriptor(descriptor)])) === true
  return { take: (descriptors) => ask('take', descriptors), charge, peek: (descriptors) => ask('peek', descriptors), forget }
}

/** What the primary process remembers for all. Rejects as `asking` does, and with what the primary's memory says. */
export function createAskedShared(asking: Asking): Shared {
  return {
    claim: async (key, ttlMs) => (await asking.ask(['claim', key, ttlMs])) === true,
    async get(key) {
      const value = await asking.ask(['get', key])
      return typeof value === 'string' ? value : undefined
    },
    async set(key, value, ttlMs) {
      await asking.ask(['set', key, value, ttlMs ?? null])
    },
    async delete(key) {
      await asking.ask(['delete', key])
    },
  }
}

/** Counts new connections of all worker processes together; without an answer each counts for itself. */
export function createAskedArrivals(asking: Asking): CountArrivals {
  return (listener, limit) => {
    const alone = countArrivals(listener, limit)
    return (network) =>
      asking.ask(['arrive', listener, limit.points, limit.windowMs, network]).then(
        (may) => may === true,
        () => alone(network),
      )
  }
}
