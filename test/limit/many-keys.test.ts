import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { buildLimit } from '../../src/core/ingress/limit.ts'
import { networkOf } from '../../src/core/net.ts'
import { Table } from '../../src/node/counters/table.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { fakeClock } from '../support/clock.ts'
import { limitOf, permitted } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

it('whoever rotates addresses inside one IPv6 /64 has one key, and the neighbour another', () => {
  const clock = fakeClock()
  const one = limitOf('a', { points: 3, key: [{ kind: 'client.network' }] })
  const policy = emptyPolicy({ limits: { a: one }, routes: [plainRoute('orders', { limits: [{ name: 'a', cost: 1 }] })] })
  const limit = buildLimit(policy, { ...fakePorts({ clock }), counters: createMemoryCounters(clock) })
  const passes = (address: string) => refusal(() => limit(permitted({ address, network: networkOf(address) }))) === undefined
  const low = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 })
  const rotated = fc.sample(low, 1000).map((words) => `2001:db8:1:2:${words.map((word) => word.toString(16)).join(':')}`)
  expect(rotated.filter(passes)).toHaveLength(3)
  expect(passes('2001:db8:1:3::1')).toBe(true)
})

it('a million other keys neither grow the table beyond its cap nor push out a key that is in use', () => {
  const clock = fakeClock()
  const table = new Table(clock, 10_000)
  const limit = { ...limitOf('a', { points: 3, windowMs: 3_600_000 }), cost: 1 }
  const take = (key: string) => table.take([{ limit, key, cost: 1 }]).allowed
  let passed = 0
  let most = 0
  for (let i = 0; i < 1_000_000; i++) {
    take(`n${i}`)
    if (i % 4000 !== 0) continue
    if (take('in use')) passed++
    most = Math.max(most, table.size)
  }
  expect(passed).toBe(3)
  expect(most).toBeLessThanOrEqual(10_000)
  expect(clock.pending).toBe(0)
  // One that nobody used for so long begins anew.
  expect(take('n0')).toBe(true)
  expect(take('n0')).toBe(true)
  expect(take('n0')).toBe(true)
  expect(take('n0')).toBe(false)
})
