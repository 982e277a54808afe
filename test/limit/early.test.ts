import { describe, expect, it } from 'vitest'
import { buildLimit, buildLimitReport } from '../../src/core/ingress/limit.ts'
import type { Limit } from '../../src/core/policy/linked/limits.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { limitOf, type PermittedOptions, permitted, subject } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

function setUp(...limits: readonly Limit[]) {
  const plain = fakePorts()
  const ports = { ...plain, counters: createMemoryCounters(plain.clock) }
  const policy = emptyPolicy({
    limits: Object.fromEntries(limits.map((limit) => [limit.name, limit])),
    routes: [plainRoute('orders', { limits: limits.map(({ name }) => ({ name, cost: 1 })) }), plainRoute('open')],
  })
  return { ports, limit: buildLimit(policy, ports), report: buildLimitReport(policy, ports) }
}

/** A request as it is before authentication: it has no principal at all. */
function unknown(options: PermittedOptions = {}) {
  const x = permitted({ headers: [['x-a', '1']], ...options })
  Reflect.deleteProperty(x, 'principal')
  return x
}

const network = limitOf('network', { points: 2, early: true, key: [{ kind: 'client.network' }, { kind: 'header', name: 'x-a' }, { kind: 'host' }] })
const person = limitOf('person', { points: 3, key: [{ kind: 'subject' }] })

describe('a limit before authentication', () => {
  it('counts without a principal, and refuses with its name', () => {
    const { limit } = setUp(network, person)
    for (let i = 0; i < 2; i++) void limit.early(unknown())
    const x = unknown()
    const fault = refusal(() => void limit.early(x))
    expect(fault).toMatchObject({ code: 'rate_limited', detail: { members: { limit: 'network', 'violated-policies': ['network'] } } })
    expect(x.readings).toMatchObject([{ limit: 'network', remaining: 0 }])
    expect(refusal(() => void limit.early(unknown({ network: '198.51.100.0/24' })))).toBeUndefined()
  })

  it('is not counted again after access, and stands before the others in what is told', () => {
    const { limit } = setUp(person, network)
    const x = permitted({ principal: subject('a') })
    void limit.early(x)
    void limit(x)
    expect(x.readings).toMatchObject([
      { limit: 'network', remaining: 1 },
      { limit: 'person', remaining: 2 },
    ])
  })

  it('keeps what it counted when a later limit refuses', () => {
    const { limit } = setUp(network, limitOf('person', { points: 1, key: [{ kind: 'subject' }] }))
    const ask = () => {
      const x = permitted({ principal: subject('a') })
      void limit.early(x)
      void limit(x)
    }
    ask()
    expect(refusal(ask)?.detail.members).toMatchObject({ limit: 'person' })
    expect(refusal(ask)?.detail.members).toMatchObject({ limit: 'network' })
  })

  it('is told of when a later limit refuses', () => {
    const { limit } = setUp(network, limitOf('person', { points: 1, key: [{ kind: 'subject' }] }))
    const ask = () => {
      const x = permitted({ principal: subject('a') })
      void limit.early(x)
      void limit(x)
    }
    ask()
    const headers = new Map(refusal(ask)?.detail.headers)
    expect(headers.get('ratelimit')).toMatch(/^"(?:person|network)".*, "(?:person|network)"/)
    expect(headers.get('ratelimit-policy')).toContain('"network";q=2')
  })

  it('leaves a route without one as it is', () => {
    const { limit } = setUp(person)
    const [x, open] = [unknown(), unknown({ route: 'open' })]
    expect(limit.early(x)).toBe(x)
    expect(limit.early(open)).toBe(open)
    expect(x.readings).toBeUndefined()
  })

  it('watches in audit mode and never refuses', () => {
    const { limit } = setUp({ ...network, points: 1, mode: 'audit' })
    const all = [unknown(), unknown()]
    for (const x of all) void limit.early(x)
    expect(all.map((x) => x.readings?.[0]?.audit)).toEqual(['within', 'exceeded'])
  })

  it('gives its places back when the request is over', () => {
    const { limit } = setUp(limitOf('places', { algorithm: { kind: 'concurrency' }, points: 1, windowMs: 0, early: true }))
    const first = unknown()
    void limit.early(first)
    expect(refusal(() => void limit.early(unknown()))?.code).toBe('rate_limited')
    first.lifeline.settle()
    expect(refusal(() => void limit.early(unknown()))).toBeUndefined()
  })

  it('is explained apart from those after access', () => {
    const { report } = setUp(person, network)
    expect(report.early(unknown())).toMatchObject([{ limit: 'network', when: 'early', quota: 2 }])
    expect(report(permitted())).toMatchObject([{ limit: 'person' }])
  })
})
