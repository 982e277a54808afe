import { createMemoryCounters, type KeptCounters, type LimitReset } from '../../src/node/counters.ts'
import { type FakeClock, fakeClock } from './clock.ts'

/** What the admin listener is given of limits, over counters in memory; with the records that were written. */
export interface FakeLimitRoutes {
  readonly clock: FakeClock
  readonly book: { -readonly [Member in keyof KeptCounters]: KeptCounters[Member] }
  readonly records: LimitReset[]
  audit(record: LimitReset): void
  now(): number
}

export function fakeLimitRoutes(): FakeLimitRoutes {
  const clock = fakeClock(Date.UTC(2026, 0, 1))
  const records: LimitReset[] = []
  return { clock, book: createMemoryCounters(clock), records, audit: (record) => void records.push(record), now: () => clock.now() }
}
