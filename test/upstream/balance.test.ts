import { expect, test } from 'vitest'
import { buildBalance, type Candidate, sampleAnswer, sampleFailure } from '../../src/core/upstream/balance.ts'
import type { Member } from '../../src/core/upstream/state.ts'
import { endpointAt } from '../support/calls.ts'
import { fakeClock } from '../support/clock.ts'
import { fakeChannels, seededRandom } from '../support/ports.ts'

function candidate(name: string, weight = 1): Candidate {
  const endpoint = endpointAt(80, { key: name })
  const member: Member = { endpoint, name, channel: fakeChannels().acquire(endpoint), active: 0, ewma: 0, sampledAt: 0 }
  return { member, weight, score: 0 }
}

function shares(pick: () => Candidate, count: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < count; i += 1) {
    const { name } = pick().member
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

const ports = () => ({ clock: fakeClock(), random: seededRandom(7) })

test('round robin gives every endpoint exactly its weight, spread out', () => {
  const all = [candidate('a', 3), candidate('b', 1), candidate('c', 1)]
  const balance = buildBalance('round_robin', ports())
  const order = Array.from({ length: 5 }, () => balance(all).member.name)
  expect(order).toEqual(['a', 'b', 'a', 'c', 'a'])
  expect(shares(() => balance(all), 500)).toEqual({ a: 300, b: 100, c: 100 })
})

test('random keeps to the weights', () => {
  const all = [candidate('a', 9), candidate('b', 1)]
  const balance = buildBalance('random', ports())
  const { a = 0 } = shares(() => balance(all), 10_000)
  expect(a).toBeGreaterThan(8_800)
  expect(a).toBeLessThan(9_200)
})

test('least request never takes the busier of two, and finds the idle one among many', () => {
  const balance = buildBalance('least_request', ports())
  const two = [candidate('busy'), candidate('idle')]
  ;(two[0] as Candidate).member.active = 5
  expect(shares(() => balance(two), 100)).toEqual({ idle: 100 })
  const many = Array.from({ length: 10 }, (_, i) => candidate(`e${i}`))
  for (const one of many) one.member.active = 10
  ;(many[3] as Candidate).member.active = 0
  expect(shares(() => balance(many), 1_000).e3).toBeGreaterThan(150)
})

test('peak EWMA prefers the fast endpoint, notices a peak at once and a recovery in time', () => {
  const given = ports()
  const balance = buildBalance('peak_ewma', given)
  const [fast, slow] = [candidate('fast'), candidate('slow')] as [Candidate, Candidate]
  const now = () => given.clock.ticks()
  sampleAnswer(fast.member, 5, now())
  sampleAnswer(slow.member, 50, now())
  expect(shares(() => balance([fast, slow]), 100)).toEqual({ fast: 100 })
  sampleAnswer(fast.member, 500, now())
  expect(shares(() => balance([fast, slow]), 100)).toEqual({ slow: 100 })
  for (let i = 0; i < 30; i += 1) {
    given.clock.advance(1_000)
    sampleAnswer(fast.member, 5, now())
    sampleAnswer(slow.member, 50, now())
  }
  expect(shares(() => balance([fast, slow]), 100)).toEqual({ fast: 100 })
})

test('an endpoint that fails quickly does not look fast', () => {
  const given = ports()
  const balance = buildBalance('peak_ewma', given)
  const [good, failing] = [candidate('good'), candidate('failing')] as [Candidate, Candidate]
  sampleAnswer(good.member, 50, given.clock.ticks())
  sampleFailure(failing.member, 1, given.clock.ticks())
  expect(shares(() => balance([good, failing]), 100)).toEqual({ good: 100 })
})
