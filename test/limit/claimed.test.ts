import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildLimit, buildLimitReport } from '../../src/core/ingress/limit.ts'
import { anonymous, type Principal } from '../../src/core/model/principal.ts'
import { rateLimitHeaders } from '../../src/core/model/reading.ts'
import type { ClaimedPoints, Limit } from '../../src/core/policy/linked/limits.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { limitOf, permitted, subject } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

const plans: ClaimedPoints = {
  kind: 'map',
  claim: 'plan',
  values: [
    { value: 'free', points: 2 },
    { value: 'pro', points: 5 },
    { value: '7', points: 7 },
  ],
}
const numbers: ClaimedPoints = { kind: 'number', claim: 'limits.rpm', ceiling: 6 }

function setUp(claimed: ClaimedPoints, given: Partial<Limit> = {}, cost = 1) {
  const plain = fakePorts()
  const ports = { ...plain, counters: createMemoryCounters(plain.clock) }
  const limit = limitOf('plan', { points: 3, claimed, key: [{ kind: 'subject' }], ...given })
  const policy = emptyPolicy({ limits: { plan: limit }, routes: [plainRoute('orders', { limits: [{ name: 'plan', cost }] })] })
  const room = buildLimit(policy, ports)
  const ask = (principal: Principal) => {
    const x = permitted({ principal })
    const fault = refusal(() => void room(x))
    return { x, fault }
  }
  const passed = (principal: Principal) => {
    let count = 0
    while (count < 20 && ask(principal).fault === undefined) count++
    return count
  }
  return { ports, ask, passed, report: buildLimitReport(policy, ports) }
}

describe('a limit whose numbers a claim says', () => {
  it('that is smaller than the cost of the route refuses for what it is: nobody is told to come back, nothing is counted, the record says why', () => {
    const { ask, ports } = setUp(numbers, {}, 3)
    const small = subject('a', { limits: { rpm: 2 } })
    const { fault } = ask(small)
    expect(fault).toMatchObject({
      code: 'rate_limited',
      message: 'the rate limit "plan" is smaller than what this request costs',
      detail: { members: { limit: 'plan', quota: 2, cost: 3 }, internal: expect.stringContaining('limits.rpm=2') },
    })
    expect(new Map(fault?.detail.headers).has('retry-after')).toBe(false)
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'plan', outcome: 'too_small' })).toBe(1)
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'plan', outcome: 'refused' })).toBe(0)
    expect(ask(subject('a', { limits: { rpm: 3 } })).fault).toBeUndefined()
  })

  it.each([
    ['free', 2],
    ['pro', 5],
    [7, 7],
    ['7', 7],
    ['gold', 3],
    ['', 3],
    ['__proto__', 3],
    [['pro'], 3],
    [{ pro: 1 }, 3],
    [null, 3],
    [undefined, 3],
  ])('by a map lets plan %j have %i', (plan, points) => {
    expect(setUp(plans).passed(subject('a', { plan }))).toBe(points)
  })

  it.each([
    [1, 1],
    [5, 5],
    [6, 6],
    [7, 6],
    [Number.MAX_SAFE_INTEGER, 6],
    [0, 3],
    [-5, 3],
    [2.5, 3],
    [1e300, 3],
    [Number.NaN, 3],
    ['5', 3],
    [[5], 3],
    [true, 3],
  ])('that is the number, lets %j have %i', (rpm, points) => {
    expect(setUp(numbers).passed(subject('a', { limits: { rpm } }))).toBe(points)
  })

  it('never lets anything that a token can say have more than the ceiling', () => {
    fc.assert(
      fc.property(fc.anything(), (rpm) => {
        expect(setUp(numbers).passed(subject('a', { limits: { rpm } }))).toBeLessThanOrEqual(6)
      }),
      { numRuns: 200 },
    )
  })

  it('takes the default for those who proved nothing, whatever their headers say', () => {
    const { passed } = setUp(plans)
    expect(passed(anonymous)).toBe(3)
  })

  it('tells each its own quota, in the headers and to those who are refused', () => {
    const { ask } = setUp(plans)
    const headersOf = (principal: Principal) => {
      const { x } = ask(principal)
      return rateLimitHeaders('readings' in x && Array.isArray(x.readings) ? x.readings : [])
    }
    expect(headersOf(subject('a', { plan: 'free' }))).toEqual([
      ['ratelimit-policy', '"plan";q=2;w=60'],
      ['ratelimit', '"plan";r=1;t=60'],
    ])
    expect(headersOf(subject('b', { plan: 'pro' }))[0]).toEqual(['ratelimit-policy', '"plan";q=5;w=60'])
    ask(subject('a', { plan: 'free' }))
    expect(ask(subject('a', { plan: 'free' })).fault?.detail.headers).toContainEqual(['ratelimit-policy', '"plan";q=2;w=60'])
  })

  it('keeps what was counted when the plan changes', () => {
    const { passed, ports } = setUp(plans)
    expect(passed(subject('a', { plan: 'free' }))).toBe(2)
    expect(passed(subject('a', { plan: 'pro' }))).toBe(3)
    expect(passed(subject('a', { plan: 'free' }))).toBe(0)
    ports.clock.advance(60_000)
    expect(passed(subject('a', { plan: 'free' }))).toBe(2)
  })

  it('counts a quota of the calendar so too', () => {
    const month = { algorithm: { kind: 'calendar', per: 'month', zone: 'UTC' }, windowMs: 31 * 86_400_000 } as const
    expect(setUp(plans, month).passed(subject('a', { plan: 'pro' }))).toBe(5)
  })

  it('is explained with what the claim said', () => {
    const becauseOf = (claimed: ClaimedPoints, claims: Readonly<Record<string, unknown>>) => {
      const report = setUp(claimed).report(permitted({ principal: subject('a', claims) }))
      return report instanceof Promise ? undefined : report.map(({ quota, because }) => [quota, because])
    }
    expect(becauseOf(plans, { plan: 'pro' })).toEqual([[5, 'plan=pro']])
    expect(becauseOf(plans, { plan: 'gold' })).toEqual([[3, 'the default']])
    expect(becauseOf(numbers, { limits: { rpm: 900 } })).toEqual([[6, 'limits.rpm=900, at most 6']])
  })
})
