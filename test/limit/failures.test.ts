import { describe, expect, it } from 'vitest'
import { buildLimit, buildLimitReport } from '../../src/core/ingress/limit.ts'
import type { Arrived } from '../../src/core/model/exchange.ts'
import type { Limit } from '../../src/core/policy/linked/limits.ts'
import type { Counters, Descriptor, Taken } from '../../src/core/ports.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { limitOf, permitted } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

function setUp(limits: readonly Limit[], counters?: Counters) {
  const plain = fakePorts()
  const ports = { ...plain, counters: counters ?? createMemoryCounters(plain.clock) }
  const policy = emptyPolicy({
    limits: Object.fromEntries(limits.map((limit) => [limit.name, limit])),
    routes: [plainRoute('orders', { limits: limits.map(({ name }) => ({ name, cost: 1 })) }), plainRoute('open')],
  })
  const limit = buildLimit(policy, ports)
  /** One request that is answered so; what it was refused with before. */
  const answered = (status: number, network = '192.0.2.1/32') => {
    const x = permitted({ network })
    const fault = refusal(() => void limit.early(x))
    if (fault === undefined) limit.answered(x, status)
    return { x, fault }
  }
  return { ports, limit, answered, report: buildLimitReport(policy, ports) }
}

const guesses = limitOf('guesses', { points: 2, counts: 'failures', key: [{ kind: 'client.network' }] })

describe('a limit on failures', () => {
  it('counts answers 401 and 403 and nothing else', () => {
    const { answered } = setUp([guesses])
    for (const status of [200, 400, 404, 429, 500, 503, 401]) expect(answered(status).fault).toBeUndefined()
    expect(answered(403).fault).toBeUndefined()
    expect(answered(200).fault?.code).toBe('rate_limited')
  })

  it('refuses that network alone, until the time is over, and tells when that is', () => {
    const { answered, ports } = setUp([guesses])
    answered(401)
    ports.clock.advance(10_000)
    answered(401)
    const { fault, x } = answered(200)
    const headers = new Map(fault?.detail.headers)
    expect(fault?.detail.members).toEqual({ limit: 'guesses', 'violated-policies': ['guesses'] })
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(50)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(55)
    expect(x.readings).toMatchObject([{ limit: 'guesses', remaining: 0 }])
    expect(answered(200, '198.51.100.1/32').fault).toBeUndefined()
    ports.clock.advance(49_999)
    expect(answered(200).fault?.code).toBe('rate_limited')
    ports.clock.advance(1)
    expect(answered(200).fault).toBeUndefined()
  })

  it('does not count what it refuses, so that trying on does not prolong it', () => {
    const { answered, ports } = setUp([guesses])
    for (let i = 0; i < 20; i++) answered(401)
    ports.clock.advance(60_000)
    expect(answered(401).fault).toBeUndefined()
  })

  it('tells nobody who may go on how many tries are left', () => {
    const { answered } = setUp([guesses])
    answered(401)
    expect(answered(200).x.readings).toBeUndefined()
  })

  it('only watches in audit mode', () => {
    const { answered, ports } = setUp([{ ...guesses, mode: 'audit' }])
    for (let i = 0; i < 2; i++) answered(401)
    const { fault, x } = answered(401)
    expect(fault).toBeUndefined()
    expect(x.readings).toMatchObject([{ limit: 'guesses', audit: 'exceeded' }])
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'guesses', outcome: 'would_refuse' })).toBe(1)
  })

  it('counts nothing of what has no route, or another one', () => {
    const { limit, answered } = setUp([{ ...guesses, points: 1 }])
    // The slots of a request that was refused before the match.
    const { client } = permitted()
    limit.answered({ client } as unknown as Arrived, 401)
    limit.answered(permitted({ route: 'open' }), 401)
    expect(answered(401).fault).toBeUndefined()
  })

  it('is asked without taking, and counted beside one that is over', () => {
    const asked: string[] = []
    const memory = createMemoryCounters(fakePorts().clock)
    const note = (what: string, ask: (descriptors: readonly Descriptor[]) => Taken | Promise<Taken>) => (descriptors: readonly Descriptor[]) => {
      asked.push(`${what} ${descriptors.map(({ limit }) => limit.name).join(' ')}`)
      return ask(descriptors)
    }
    const counters = { ...memory, take: note('take', (all) => memory.take(all)), peek: note('peek', (all) => memory.peek(all)) }
    const { answered } = setUp([guesses, { ...guesses, name: 'more', mode: 'audit' }], counters)
    answered(200)
    answered(401)
    expect(asked).toEqual(['peek guesses more', 'peek guesses more', 'take guesses', 'take more'])
  })

  it('answers 503 when it denies without its store', async () => {
    const taken: Taken = { allowed: false, refusedBy: 'guesses', readings: [{ limit: 'guesses', remaining: 0, resetMs: 1000, degraded: true }] }
    const { limit } = setUp([{ ...guesses, onStoreFailure: 'deny' }], { take: async () => taken, charge: () => [], peek: async () => taken })
    await expect(limit.early(permitted())).rejects.toMatchObject({ code: 'limiter_unavailable' })
  })

  it('is explained', () => {
    const { answered, report } = setUp([guesses])
    for (let i = 0; i < 2; i++) answered(401)
    expect(report.early(permitted())).toMatchObject([{ limit: 'guesses', when: 'failures', standing: { kind: 'over', remaining: 0 } }])
  })
})
