import { expect, test } from 'vitest'
import type { BalanceKind, Balancing } from '../../src/core/policy/linked/balance.ts'
import { sampleAnswer, sampleFailure } from '../../src/core/upstream/balance/times.ts'
import { buildBalance, type Candidate, plainBalancing } from '../../src/core/upstream/balance.ts'
import type { Member } from '../../src/core/upstream/state.ts'
import { noteTimes } from '../../src/core/upstream/tried.ts'
import { fakeClock } from '../support/clock.ts'
import { seededRandom } from '../support/ports.ts'
import { candidate, candidates, shareOf, simulate } from '../support/simulated-cluster.ts'

function countsOf(pick: () => Candidate, count: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < count; i += 1) {
    const { name } = pick().member
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

const ports = () => ({ clock: fakeClock(), random: seededRandom(7) })
const balancing = (given: Partial<Balancing>): Balancing => ({ ...plainBalancing, ...given })

test('round robin gives every endpoint exactly its weight, spread out', () => {
  const all = [candidate('a', { weight: 3 }), candidate('b'), candidate('c')]
  const balance = buildBalance('round_robin', ports())
  const order = Array.from({ length: 500 }, () => balance(all).member.name)
  for (let from = 0; from <= 495; from += 1) {
    const window = order.slice(from, from + 5)
    expect(window.filter((name) => name === 'a').length).toBeGreaterThanOrEqual(2)
    expect(window.filter((name) => name === 'b').length).toBeLessThanOrEqual(2)
  }
  expect(countsOf(() => balance(all), 500)).toEqual({ a: 300, b: 100, c: 100 })
})

test('round robin of equal endpoints goes on in turn when the list changes', () => {
  const [a, b, c] = candidates(3) as [Candidate, Candidate, Candidate]
  const balance = buildBalance('round_robin', ports())
  expect(Array.from({ length: 4 }, () => balance([a, b]).member.name)).toHaveLength(4)
  const all = [a, b, c]
  expect(new Set(Array.from({ length: 3 }, () => balance(all).member.name)).size).toBe(3)
})

test('weighted round robin keeps the place of everybody when a weight changes under it', () => {
  const [a, b] = [candidate('a', { weight: 2 }), candidate('b', { weight: 1 })]
  const balance = buildBalance('round_robin', ports())
  // A new list for every pick is the worst case: nobody may starve.
  const counts = countsOf(() => balance([a, b]), 300)
  expect(counts['a']).toBeGreaterThan(190)
  expect(counts['b']).toBeGreaterThan(90)
})

test.each([
  ['round_robin', 0.0001],
  ['random', 0.01],
] as const)('%s keeps to the weights within %d', (kind, within) => {
  const all = [candidate('a', { weight: 50 }), candidate('b', { weight: 30 }), candidate('c', { weight: 20 })]
  const balance = buildBalance(kind, ports())
  const counts = countsOf(() => balance(all), 50_000)
  for (const { member, weight } of all) expect(Math.abs((counts[member.name] ?? 0) / 50_000 - weight / 100)).toBeLessThan(within)
})

test.each([
  ['least_request', 1_000, 0.01],
  ['least_request', 5_000, 0.01],
  ['peak_ewma', 5_000, 0.01],
  ['least_request', 20, 0.03],
  ['peak_ewma', 20, 0.03],
] as const)('%s keeps to the weights of endpoints that are equally fast: %d requests per second, within %d', (kind, rate, within) => {
  const given = ports()
  const all = [candidate('a', { weight: 50 }), candidate('b', { weight: 30 }), candidate('c', { weight: 20 })]
  const counts = simulate({ ...given, all, balance: buildBalance(kind, given), rate, requests: 20_000, takesMs: () => 10, unit: seededRandom(3).unit })
  for (const { member, weight } of all) expect(Math.abs(shareOf(counts, member.name) - weight / 100)).toBeLessThan(within)
})

const slowCases = (['least_request', 'peak_ewma'] as const).flatMap((kind) =>
  [2, 3, 10].flatMap((n) => [50, 300, 1_000].map((rate) => [kind, n, rate] as const)),
)

test.each(slowCases)('%s gives one of %d endpoints that is ten times slower less than 2 %% at %d requests per second', (kind, count, rate) => {
  const given = ports()
  const all = candidates(count)
  const slow = (all[1] as Candidate).member.name
  const { unit } = seededRandom(11)
  const takesMs = ({ member }: Candidate) => (member.name === slow ? 100 : 10) * (0.5 + unit())
  const counts = simulate({ ...given, all, balance: buildBalance(kind, given), rate, requests: 10_000, takesMs, unit })
  expect(shareOf(counts, slow)).toBeLessThan(0.02)
  expect(shareOf(counts, slow)).toBeGreaterThan(0)
})

/** How times spread in the wild: what a time is multiplied by, and what comes on top. */
const unsteady: readonly [name: string, time: (ms: number, unit: () => number) => number][] = [
  ['spread over two orders of magnitude', (ms, unit) => ms * Math.exp(Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit()))],
  ['have a pause of 150 ms now and then', (ms, unit) => ms + (unit() < 0.005 ? 150 : 0)],
]

test.each(unsteady.flatMap(([name, time]) => (['least_request', 'peak_ewma'] as const).map((kind) => [kind, name, time] as const)))(
  '%s sees through it when all times %s',
  (kind, _, time) => {
    const given = ports()
    const all = candidates(3)
    const slow = (all[1] as Candidate).member.name
    const { unit } = seededRandom(11)
    const takesMs = ({ member }: Candidate) => time(member.name === slow ? 100 : 10, unit)
    const counts = simulate({ ...given, all, balance: buildBalance(kind, given), rate: 200, requests: 10_000, takesMs, unit })
    expect(shareOf(counts, slow)).toBeLessThan(0.02)
  },
)

test('least request does not take quick failures for quick answers', () => {
  const given = ports()
  const balance = buildBalance('least_request', given)
  const [good, failing] = [candidate('good'), candidate('failing')] as [Candidate, Candidate]
  const now = given.clock.ticks()
  for (const { member } of [good, failing]) for (let i = 0; i < 20; i += 1) noteTimes(member, { kind: 'answer', tookMs: 50, status: 200, now })
  sampleFailure(failing.member, 1, now)
  good.member.active = 5
  expect(countsOf(() => balance([good, failing]), 100)).toEqual({ good: 100 })
})

test.each(['least_request', 'peak_ewma'] as const)('%s comes back to an endpoint that is no longer slow', (kind) => {
  const given = ports()
  const all = candidates(3)
  const balance = buildBalance(kind, given)
  const { unit } = seededRandom(5)
  const run = (slowMs: number, requests: number) =>
    simulate({ ...given, all, balance, rate: 200, requests, takesMs: ({ member }) => (member.name === all[1]?.member.name ? slowMs : 10), unit })
  run(100, 4_000)
  run(10, 8_000)
  expect(shareOf(run(10, 4_000), (all[1] as Candidate).member.name)).toBeGreaterThan(0.25)
})

test('least request never takes the busier of two, and finds the idle one among many', () => {
  const balance = buildBalance('least_request', ports())
  const two = [candidate('busy'), candidate('idle')]
  ;(two[0] as Candidate).member.active = 5
  expect(countsOf(() => balance(two), 100)).toEqual({ idle: 100 })
  const many = candidates(10)
  for (const one of many) one.member.active = 10
  const idle = (many[3] as Candidate).member
  idle.active = 0
  expect(countsOf(() => balance(many), 1_000)[idle.name]).toBeGreaterThan(150)
})

test('peak EWMA prefers the fast endpoint, notices a peak at once and a recovery in time', () => {
  const given = ports()
  const balance = buildBalance('peak_ewma', given)
  const [fast, slow] = [candidate('fast'), candidate('slow')] as [Candidate, Candidate]
  const both = [fast, slow]
  const now = () => given.clock.ticks()
  sampleAnswer(fast.member, 5, now())
  sampleAnswer(slow.member, 50, now())
  expect(countsOf(() => balance(both), 100)).toEqual({ fast: 100 })
  sampleAnswer(fast.member, 500, now())
  expect(countsOf(() => balance(both), 100)).toEqual({ slow: 100 })
  for (let i = 0; i < 30; i += 1) {
    given.clock.advance(1_000)
    sampleAnswer(fast.member, 5, now())
    sampleAnswer(slow.member, 50, now())
  }
  expect(countsOf(() => balance(both), 100)).toEqual({ fast: 100 })
})

test('an endpoint that fails quickly does not look fast', () => {
  const given = ports()
  const balance = buildBalance('peak_ewma', given)
  const [good, failing] = [candidate('good'), candidate('failing')] as [Candidate, Candidate]
  sampleAnswer(good.member, 50, given.clock.ticks())
  sampleFailure(failing.member, 1, given.clock.ticks())
  const both = [good, failing]
  expect(countsOf(() => balance(both), 100)).toEqual({ good: 100 })
})

const kinds: readonly BalanceKind[] = ['round_robin', 'least_request', 'peak_ewma', 'random', 'ring_hash', 'maglev']

test.each(kinds)('%s leaves out what was tried while there is anything else, and unhealthy endpoints always', (kind) => {
  const all = candidates(4)
  const members = all.map(({ member }) => member) as [Member, Member, Member, Member]
  members[3].standing.checked = 'unhealthy'
  for (const member of members.slice(0, 3)) member.standing.checked = 'healthy'
  const balance = buildBalance(kind, ports(), { checked: true })
  for (let i = 0; i < 50; i += 1) {
    expect(balance(all, `key ${i}`, new Set([members[0], members[1]])).member).toBe(members[2])
    expect(balance(all, `key ${i}`, new Set(members.slice(0, 3))).member).not.toBe(members[3])
    expect(balance(all, `key ${i}`).member).not.toBe(members[3])
  }
})

test('below the panic threshold all are used; at 0 % none is', () => {
  const all = candidates(4)
  for (const [i, { member }] of all.entries()) member.standing.checked = i === 0 ? 'healthy' : 'unhealthy'
  const counted = (panic: number) => Object.keys(countsOf(buildAll(panic), 400)).length
  const buildAll = (panic: number) => {
    const balance = buildBalance('round_robin', ports(), { checked: true, balancing: balancing({ panic }) })
    return () => balance(all)
  }
  expect(counted(0.5)).toBe(4)
  expect(counted(0.25)).toBe(1)
  expect(counted(0)).toBe(1)
  ;(all[0] as Candidate).member.standing.checked = 'unhealthy'
  expect(counted(0.01)).toBe(4)
  expect(() => buildAll(0)()).toThrow(expect.objectContaining({ code: 'upstream_unavailable' }))
})

test('until the first check has come back everybody is used; then a newcomer waits for its own', () => {
  const all = candidates(4)
  const changes = { version: 0 }
  const balance = buildBalance('round_robin', ports(), { checked: true }, changes)
  expect(Object.keys(countsOf(() => balance(all), 40))).toHaveLength(4)
  for (const { member } of all.slice(0, 3)) member.standing.checked = 'healthy'
  changes.version += 1
  const counts = countsOf(() => balance(all), 30)
  expect(Object.values(counts)).toEqual([10, 10, 10])
})

test('slow start: a new endpoint begins with a tenth and has its share at the end of the ramp', () => {
  const given = ports()
  const all = candidates(2)
  given.clock.advance(100_000)
  ;(all[1] as Candidate).member.standing.since = given.clock.ticks()
  const balance = buildBalance('round_robin', given, { balancing: balancing({ slowStartMs: 30_000 }) })
  const share = () => (countsOf(() => balance(all), 1_100)[(all[1] as Candidate).member.name] ?? 0) / 1_100
  const shares = [0, 7_500, 7_500, 7_500, 7_500].map((ms) => {
    given.clock.advance(ms)
    return share()
  })
  const expected = [0.1 / 1.1, 0.25 / 1.25, 0.5 / 1.5, 0.75 / 1.75, 0.5]
  shares.forEach((one, i) => expect(Math.abs(one - (expected[i] as number))).toBeLessThan(0.02))
})

test('the gateway’s zone comes first as far as its endpoints can take it; what they cannot goes where there is room', () => {
  const zoned = (counts: Record<string, number>) =>
    Object.entries(counts).flatMap(([zone, n]) => Array.from({ length: n }, (_, i) => candidate(`${zone}${i}:80`, { zone })))
  const shareByZone = (all: readonly Candidate[], zone: string | undefined, kind: BalanceKind = 'round_robin') => {
    const balance = buildBalance(kind, ports(), { zone })
    const counts: Record<string, number> = {}
    for (let i = 0; i < 10_000; i += 1) {
      const chosen = balance(all, `key ${i}`)
      counts[chosen.zone ?? ''] = (counts[chosen.zone ?? ''] ?? 0) + 1 / 10_000
    }
    return counts
  }
  expect(shareByZone(zoned({ a: 4, b: 4, c: 4 }), 'a')['a']).toBeCloseTo(1, 3)
  const few = shareByZone(zoned({ a: 2, b: 4, c: 6 }), 'a')
  // A third of the load arrives in each zone, and zone a has a sixth of the endpoints: it keeps half; all that is left over is in zone c.
  expect(few['a']).toBeCloseTo(0.5, 2)
  expect(few['b']).toBeUndefined()
  expect(few['c']).toBeCloseTo(0.5, 2)
  const none = shareByZone(zoned({ b: 4, c: 4 }), 'a')
  expect(none['b']).toBeCloseTo(0.5, 2)
  expect(shareByZone(zoned({ a: 4, b: 4, c: 4 }), undefined)['a']).toBeCloseTo(1 / 3, 2)
  expect(shareByZone(zoned({ a: 4, b: 4, c: 4 }), 'a', 'ring_hash')['a']).toBeCloseTo(1 / 3, 1)
  const sick = zoned({ a: 4, b: 4, c: 4 })
  for (const { member } of sick) member.standing.checked = 'healthy'
  for (const { member } of sick.slice(0, 2)) member.standing.checked = 'unhealthy'
  const balance = buildBalance('random', ports(), { zone: 'a', checked: true })
  let here = 0
  for (let i = 0; i < 10_000; i += 1) if (balance(sick).zone === 'a') here += 1
  expect(here / 10_000).toBeCloseTo(0.6, 1)
})

test('zones: any takes no notice of zones', () => {
  const all = [candidate('a:80', { zone: 'a' }), candidate('b:80', { zone: 'b' })]
  const balance = buildBalance('round_robin', ports(), { zone: 'a', balancing: balancing({ zones: 'any' }) })
  expect(countsOf(() => balance(all), 100)).toEqual({ 'a:80': 50, 'b:80': 50 })
})

test.each(['least_request', 'peak_ewma'] as const)('%s comes back within half a minute to an endpoint that failed', (kind) => {
  const given = ports()
  const all = candidates(2)
  const balance = buildBalance(kind, given)
  const [first] = all as [Candidate, Candidate]
  const run = (requests: number) => simulate({ ...given, all, balance, rate: 200, requests, takesMs: () => 10, unit: seededRandom(9).unit })
  run(1_000)
  noteTimes(first.member, { kind: 'fault', tookMs: 1, code: 'upstream_unavailable', begun: false, now: given.clock.ticks() })
  expect(shareOf(run(400), first.member.name)).toBeLessThan(0.05)
  run(6_000)
  expect(shareOf(run(1_000), first.member.name)).toBeGreaterThan(0.3)
})
