import { createHash } from 'node:crypto'
import { Fault } from '../core/model/fault.ts'
import type { Clock, Ports } from '../core/ports.ts'
import { createClock } from './clock.ts'
import { createCompression } from './compression.ts'
import { createMemoryCounters } from './counters.ts'
import { createRandom } from './random.ts'
import { createMemoryShared } from './shared.ts'
import { createMemoryStore } from './store.ts'

/**
 * Ports that reach nothing: for rehearsals. Limits count in memory, records and metrics go nowhere, and whatever would use the
 * network or a secret fails. `at` stops the wall clock there (milliseconds since the epoch).
 */
export function createOfflinePorts(at?: number): Ports {
  const real = createClock()
  const clock: Clock = at === undefined ? real : { ...real, now: () => at }
  const kept = new Map<string, unknown>()
  const offline = (): never => {
    throw new Fault('upstream_unavailable', 'a rehearsal reaches nothing')
  }
  return {
    clock,
    random: createRandom(),
    digest: (data) => createHash('sha256').update(data).digest('hex'),
    compression: createCompression(),
    channels: { acquire: offline, reach: async () => offline() },
    fetch: async () => offline(),
    resolve: async () => offline(),
    // Sources of endpoints are followed as long as a snapshot lives: one that failed would be asked again and again.
    discover: () => ({ once: async () => offline(), follow: () => new Promise(() => {}) }),
    counters: createMemoryCounters(clock),
    secrets: { read: async () => offline() },
    store: createMemoryStore(clock),
    shared: createMemoryShared(clock),
    lasting: (key, make) => {
      if (!kept.has(key)) kept.set(key, make())
      return kept.get(key) as ReturnType<typeof make>
    },
    ownAddresses: () => [],
    ownListeners: () => [],
    journal: { write: () => {} },
    meter: { count: () => {}, observe: () => {}, gauge: () => {} },
  }
}
