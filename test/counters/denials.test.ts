import { expect, it } from 'vitest'
import type { Descriptor } from '../../src/core/ports.ts'
import { Denials } from '../../src/node/counters/denials.ts'
import { fakeClock } from '../support/clock.ts'

const descriptor: Descriptor = {
  limit: { name: 'a', algorithm: { kind: 'sliding' }, points: 1, windowMs: 60_000, burst: 0, onStoreFailure: 'local' },
  key: 'k',
  cost: 1,
}

it('a remembered refusal tells no earlier end than the store may have meant, however long its answer was under way', () => {
  const clock = fakeClock()
  const denials = new Denials(clock, 10)
  const askedAt = clock.ticks()
  clock.advance(18)
  // Reckoned by the store a moment before the answer came.
  denials.note(descriptor, { limit: 'a', remaining: 0, resetMs: 5_000, degraded: false }, askedAt)
  expect(denials.refusal([descriptor])?.readings).toMatchObject([{ resetMs: 5_000 }])
  clock.advance(40)
  expect(denials.refusal([descriptor])?.readings).toMatchObject([{ resetMs: 4_960 }])
})

it('a refusal is believed no longer than from when the store was asked', () => {
  const clock = fakeClock()
  const denials = new Denials(clock, 10)
  const askedAt = clock.ticks()
  clock.advance(18)
  denials.note(descriptor, { limit: 'a', remaining: 0, resetMs: 50, degraded: false }, askedAt)
  clock.advance(32)
  expect(denials.refusal([descriptor])).toBeUndefined()
})
