import { expect, test } from 'vitest'
import type { BreakerRule } from '../../../src/core/model/breaker.ts'
import { Breaker } from '../../../src/core/upstream/protect/breaker.ts'

const rule = (given: Partial<BreakerRule> = {}): BreakerRule => ({
  consecutive: 0,
  failures: 0.5,
  minRequests: 10,
  windowMs: 10_000,
  openMs: 30_000,
  probes: 2,
  ...given,
})

function setUp(given: Partial<BreakerRule> = {}) {
  const turns: string[] = []
  const breaker = new Breaker(rule(given), (state) => turns.push(state))
  const many = (count: number, how: 'good' | 'bad', now: number) => {
    for (let i = 0; i < count; i += 1) breaker.enter(now)?.[how](now)
  }
  return { breaker, turns, many }
}

test('too large a share of failures opens it, once there is enough to tell', () => {
  const { breaker, many } = setUp()
  many(9, 'bad', 0)
  expect(breaker.state).toBe('closed')
  many(1, 'bad', 0)
  expect(breaker.state).toBe('open')
  const mixed = setUp()
  mixed.many(6, 'good', 0)
  mixed.many(5, 'bad', 0)
  expect(mixed.breaker.state).toBe('closed')
  mixed.many(1, 'bad', 0)
  expect(mixed.breaker.state).toBe('open')
})

test('what has left the window counts no more', () => {
  const { breaker, many } = setUp()
  many(9, 'bad', 0)
  many(5, 'good', 11_000)
  many(5, 'bad', 11_500)
  expect(breaker.state).toBe('open')
  const faded = setUp()
  faded.many(9, 'bad', 0)
  faded.many(6, 'good', 11_000)
  faded.many(5, 'bad', 11_500)
  expect(faded.breaker.state).toBe('closed')
})

test('failures in a row open it, however few, where the policy says so', () => {
  const { breaker, many } = setUp({ consecutive: 3, minRequests: 1_000 })
  many(2, 'bad', 0)
  many(1, 'good', 0)
  many(2, 'bad', 0)
  expect(breaker.state).toBe('closed')
  many(1, 'bad', 0)
  expect(breaker.state).toBe('open')
})

test('open it lets nobody in; afterwards probes, which close it when all go well', () => {
  const { breaker, turns, many } = setUp()
  many(10, 'bad', 0)
  expect(breaker.enter(29_999)).toBeUndefined()
  expect(breaker.backInMs(10_000)).toBe(20_000)
  const first = breaker.enter(30_000)
  const second = breaker.enter(30_000)
  expect(breaker.enter(30_000)).toBeUndefined()
  first?.good(30_010)
  expect(breaker.state).toBe('half_open')
  expect(breaker.enter(30_010)).toBeUndefined()
  second?.good(30_010)
  expect(turns).toEqual(['open', 'half_open', 'closed'])
})

test('one probe that fails opens it again for as long', () => {
  const { breaker, turns, many } = setUp()
  many(10, 'bad', 0)
  breaker.enter(30_000)?.bad(31_000)
  expect(turns).toEqual(['open', 'half_open', 'open'])
  expect(breaker.enter(60_999)).toBeUndefined()
  expect(breaker.enter(61_000)).toBeDefined()
})

test('a probe that nobody judged gives its place back', () => {
  const { breaker, many } = setUp({ probes: 1 })
  many(10, 'bad', 0)
  const probe = breaker.enter(30_000)
  expect(breaker.enter(30_000)).toBeUndefined()
  probe?.leave()
  expect(breaker.enter(30_000)).toBeDefined()
})

test('tries that began before it opened say nothing about the time after', () => {
  const { breaker, many } = setUp({ probes: 1 })
  const early = breaker.enter(0)
  many(10, 'bad', 0)
  breaker.enter(30_000)
  early?.bad(30_001)
  expect(breaker.state).toBe('half_open')
  early?.good(30_001)
  expect(breaker.state).toBe('half_open')
})
