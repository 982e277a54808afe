import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { buildLimit } from '../../src/core/ingress/limit.ts'
import type { Limit } from '../../src/core/policy/linked/limits.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { fakeClock } from '../support/clock.ts'
import { limitOf, permitted } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts, seededRandom } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

const limits: Readonly<Record<string, readonly Limit[]>> = {
  sliding: [limitOf('a', { points: 7, windowMs: 10_000, burst: 2 })],
  gcra: [limitOf('a', { algorithm: { kind: 'gcra' }, points: 7, windowMs: 3000, burst: 4 })],
  calendar: [limitOf('a', { algorithm: { kind: 'calendar', per: 'hour', zone: 'Europe/Berlin' }, points: 20, windowMs: 3_600_000 })],
  'three of them': [
    limitOf('a', { points: 7, windowMs: 10_000 }),
    limitOf('b', { algorithm: { kind: 'gcra' }, points: 9, windowMs: 10_000, burst: 5 }),
    limitOf('c', { algorithm: { kind: 'calendar', per: 'day', zone: 'America/New_York' }, points: 60, windowMs: 86_400_000 }),
  ],
}

/** Waits in milliseconds between requests: mostly none, now and then long. */
const schedule = fc.array(fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 2, arbitrary: fc.nat(1500) }, fc.nat(40_000)), {
  minLength: 80,
  maxLength: 150,
})

/** Whole seconds to wait, or undefined when it passed. */
function attempt(run: () => unknown): number | undefined {
  const fault = refusal(run)
  if (fault === undefined) return undefined
  return Number(new Map(fault.detail.headers).get('retry-after'))
}

// When a place of a `concurrent` limit is free, nobody knows: it is not among these.
it.each(Object.entries(limits))('a client that obeys Retry-After is never refused again: %s', (_, some) => {
  let waited = 0
  fc.assert(
    fc.property(schedule, fc.nat(4), fc.nat(), (waits, cost, seed) => {
      const clock = fakeClock(Date.UTC(2026, 2, 28, 22, 59, 30))
      const uses = some.map(({ name }, i) => ({ name, cost: 1 + ((cost + i) % 4) }))
      const policy = emptyPolicy({ limits: Object.fromEntries(some.map((one) => [one.name, one])), routes: [plainRoute('orders', { limits: uses })] })
      const limit = buildLimit(policy, { ...fakePorts({ clock }), random: { ...seededRandom(seed) }, counters: createMemoryCounters(clock) })
      for (const wait of waits) {
        clock.advance(wait)
        const seconds = attempt(() => limit(permitted({ route: 'orders' })))
        if (seconds === undefined) continue
        waited++
        expect(seconds).toBeGreaterThanOrEqual(1)
        clock.advance(seconds * 1000)
        expect(attempt(() => limit(permitted({ route: 'orders' })))).toBeUndefined()
      }
    }),
    { numRuns: 60 },
  )
  expect(waited).toBeGreaterThan(50)
})
