import { describe, expect, it } from 'vitest'
import { buildLimit, buildLimitReport } from '../../src/core/ingress/limit.ts'
import type { Metered, Permitted } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { RouteLimit } from '../../src/core/model/route.ts'
import type { Limit } from '../../src/core/policy/linked/limits.ts'
import type { Counters, Descriptor, Taken } from '../../src/core/ports.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { limitOf, type PermittedOptions, permitted, subject } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal, refusalOf } from '../support/refusal.ts'
import { parseSfStringList } from '../support/structured-fields.ts'

/** The room over one route `orders` with these limits, in memory unless counters are given. */
function setUp(limits: readonly Limit[], uses: readonly RouteLimit[] = limits.map(({ name }) => ({ name, cost: 1 })), counters?: Counters) {
  const plain = fakePorts()
  const ports = { ...plain, counters: counters ?? createMemoryCounters(plain.clock) }
  const policy = emptyPolicy({
    limits: Object.fromEntries(limits.map((limit) => [limit.name, limit])),
    routes: [plainRoute('orders', { limits: uses }), plainRoute('open')],
  })
  const later = buildLimit(policy, ports)
  const limit = (x: Permitted): Metered => {
    const out = later(x)
    if (out instanceof Promise) throw new Error('a store in memory needs no promise')
    return out
  }
  return { ports, limit, later, report: buildLimitReport(policy, ports) }
}

function headersOf(fault: Fault | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(fault?.detail.headers ?? [])
}

/** Counters that answer each limit by name, later. */
function scripted(
  answers: Readonly<Record<string, Partial<Taken['readings'][number]> & { readonly refuses?: boolean }>>,
): Counters & { readonly taken: string[] } {
  const taken: string[] = []
  const answer = async (descriptors: readonly Descriptor[]): Promise<Taken> => {
    const refused = descriptors.find((descriptor) => answers[descriptor.limit.name]?.refuses === true)
    const readings = descriptors.map(({ limit }) => {
      const { remaining = 5, resetMs = 1000, degraded = false } = answers[limit.name] ?? {}
      return { limit: limit.name, remaining, resetMs, degraded }
    })
    return { allowed: refused === undefined, refusedBy: refused?.limit.name, readings }
  }
  return {
    taken,
    take: (descriptors) => {
      taken.push(...descriptors.map((descriptor) => descriptor.limit.name))
      return answer(descriptors)
    },
    charge: () => [],
    peek: answer,
  }
}

describe('limit', () => {
  it('passes a route without limits at once, without asking the store', () => {
    const counters: Counters = {
      take: () => {
        throw new Error('asked')
      },
      charge: () => {
        throw new Error('asked')
      },
      peek: () => {
        throw new Error('asked')
      },
    }
    const { limit } = setUp([limitOf('a')], undefined, counters)
    const x = permitted({ route: 'open' })
    expect(limit(x)).toBe(x)
    expect(x).toMatchObject({ readings: [] })
  })

  it('fills the readings of the same exchange, without a promise when the store is in memory', () => {
    const { limit } = setUp([limitOf('a', { points: 3, burst: 2 })])
    const x = permitted()
    expect(limit(x)).toBe(x)
    expect(x).toMatchObject({ readings: [{ limit: 'a', quota: 5, windowMs: 60_000, remaining: 4, resetMs: 60_000, degraded: false }] })
  })

  it('refuses past points and burst, and lets pass again when the window has ended', () => {
    const { limit, ports } = setUp([limitOf('a', { points: 2, burst: 1 })])
    for (let i = 0; i < 3; i++) limit(permitted())
    expect(refusal(() => limit(permitted()))?.code).toBe('rate_limited')
    ports.clock.advance(59_999)
    expect(refusal(() => limit(permitted()))?.code).toBe('rate_limited')
    ports.clock.advance(1)
    expect(refusal(() => limit(permitted()))).toBeUndefined()
  })

  it('does not move windows when the wall clock steps', () => {
    const { limit, ports } = setUp([limitOf('a', { points: 1 })])
    limit(permitted())
    ports.clock.step(3_600_000)
    expect(refusal(() => limit(permitted()))?.code).toBe('rate_limited')
  })

  it('names the limit, forbids storing, and sends nobody back before the reset', () => {
    const { limit, ports } = setUp([limitOf('a', { points: 1 })])
    limit(permitted())
    ports.clock.advance(10_500)
    for (let i = 0; i < 200; i++) {
      const fault = refusal(() => limit(permitted()))
      const headers = headersOf(fault)
      expect(fault?.detail.members).toEqual({ limit: 'a', 'violated-policies': ['a'] })
      expect(headers['cache-control']).toBe('no-store')
      expect(parseSfStringList(headers['ratelimit'] ?? '')).toEqual([{ value: 'a', params: { r: 0, t: 50 } }])
      expect(parseSfStringList(headers['ratelimit-policy'] ?? '')).toEqual([{ value: 'a', params: { q: 1, w: 60 } }])
      expect(headers['retry-after']).toMatch(/^\d+$/)
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(50)
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(55)
    }
  })

  it.each(['enforce', 'audit'] as const)('counts who is near it, in mode %s', (mode) => {
    const { limit, ports } = setUp([limitOf('a', { points: 10, mode })])
    const near = () => ports.meter.total('sallyport_limit_near_total', { limit: 'a' })
    for (let i = 0; i < 7; i++) limit(permitted())
    expect(near()).toBe(0)
    limit(permitted())
    expect(near()).toBe(1)
    for (let i = 0; i < 5; i++) refusal(() => limit(permitted()))
    expect(near()).toBe(3)
  })

  it('spreads Retry-After over up to a tenth more', () => {
    const { limit } = setUp([limitOf('a', { points: 1, windowMs: 1_000_000 })])
    limit(permitted())
    const waits = Array.from({ length: 100 }, () => Number(headersOf(refusal(() => limit(permitted())))['retry-after']))
    expect(new Set(waits).size).toBeGreaterThan(30)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(1100)
  })

  it('names every limit that is over and waits for the last of them', () => {
    const { limit } = setUp([limitOf('short', { points: 1, windowMs: 10_000 }), limitOf('wide'), limitOf('long', { points: 1, windowMs: 100_000 })])
    limit(permitted())
    const fault = refusal(() => limit(permitted()))
    expect(fault?.detail.members).toEqual({ limit: 'short', 'violated-policies': ['short', 'long'] })
    expect(Number(headersOf(fault)['retry-after'])).toBeGreaterThanOrEqual(100)
  })

  it('consumes nothing anywhere when one limit refuses', () => {
    const { limit } = setUp([limitOf('wide', { points: 10 }), limitOf('narrow', { points: 2 })])
    for (let i = 0; i < 8; i++) refusal(() => limit(permitted()))
    const x = permitted()
    refusal(() => limit(x))
    expect(x).toMatchObject({
      readings: [
        { limit: 'wide', remaining: 8 },
        { limit: 'narrow', remaining: 0 },
      ],
    })
  })

  it('takes the cost of the route, and refuses what costs more than is left', () => {
    const { limit } = setUp([limitOf('a', { points: 5 })], [{ name: 'a', cost: 3 }])
    limit(permitted())
    const x = permitted()
    expect(refusal(() => limit(x))?.code).toBe('rate_limited')
    expect(x).toMatchObject({ readings: [{ remaining: 2 }] })
  })

  it('keeps the readings of a refused request for its record', async () => {
    const { later } = setUp([limitOf('a')], undefined, scripted({ a: { refuses: true, remaining: 0, degraded: true } }))
    const x = permitted()
    expect((await refusalOf(() => later(x)))?.code).toBe('rate_limited')
    expect(x).toMatchObject({ readings: [{ limit: 'a', degraded: true }] })
  })

  it('answers 503 with Retry-After when a limit that denies cannot be asked', async () => {
    const { later, ports } = setUp(
      [limitOf('login', { onStoreFailure: 'deny' })],
      undefined,
      scripted({ login: { refuses: true, remaining: 0, resetMs: 1000, degraded: true } }),
    )
    const fault = await refusalOf(() => later(permitted()))
    expect(fault?.code).toBe('limiter_unavailable')
    expect(fault?.status).toBe(503)
    expect(headersOf(fault)).toEqual({ 'retry-after': expect.stringMatching(/^[12]$/), 'cache-control': 'no-store' })
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'login', outcome: 'unavailable' })).toBe(1)
  })

  it('refuses by the store with 429 where the same limit would deny without it', async () => {
    const { later } = setUp([limitOf('login', { onStoreFailure: 'deny' })], undefined, scripted({ login: { refuses: true, remaining: 0 } }))
    expect((await refusalOf(() => later(permitted())))?.code).toBe('rate_limited')
  })

  it('counts what each limit said', () => {
    const { limit, ports } = setUp([limitOf('a', { points: 1 })])
    for (let i = 0; i < 3; i++) refusal(() => limit(permitted()))
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'a', outcome: 'allowed' })).toBe(1)
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'a', outcome: 'refused' })).toBe(2)
  })

  it('builds over a quarantined route whose limit is not there', () => {
    const policy = emptyPolicy({ routes: [plainRoute('orders', { limits: [{ name: 'gone', cost: 1 }], quarantined: 'its limit is broken' })] })
    expect(() => buildLimit(policy, fakePorts())).not.toThrow()
  })

  it('does not build over a sound route whose limit is not there, whatever the name', () => {
    const policy = emptyPolicy({ routes: [plainRoute('orders', { limits: [{ name: 'constructor', cost: 1 }] })] })
    expect(() => buildLimit(policy, fakePorts())).toThrow('no limit is named "constructor"')
  })
})

describe('limit in audit mode', () => {
  it('evaluates and records but never refuses', () => {
    const { limit, ports } = setUp([limitOf('try', { points: 1, mode: 'audit' })])
    limit(permitted())
    const x = permitted()
    expect(limit(x)).toBe(x)
    expect(x).toMatchObject({ readings: [{ limit: 'try', remaining: 0, audit: 'exceeded' }] })
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'try', outcome: 'allowed' })).toBe(1)
    expect(ports.meter.total('sallyport_limit_outcomes_total', { limit: 'try', outcome: 'would_refuse' })).toBe(1)
  })

  it('counts one audit limit although another is over', () => {
    const { limit } = setUp([limitOf('full', { points: 1, mode: 'audit' }), limitOf('other', { points: 9, mode: 'audit' })])
    for (let i = 0; i < 3; i++) limit(permitted())
    const x = permitted()
    limit(x)
    expect(x).toMatchObject({
      readings: [
        { limit: 'full', audit: 'exceeded' },
        { limit: 'other', remaining: 5, audit: 'within' },
      ],
    })
  })

  it('is not counted for a request that an enforced limit refused', async () => {
    const counters = scripted({ hard: { refuses: true, remaining: 0 } })
    const { later } = setUp([limitOf('hard'), limitOf('soft', { mode: 'audit' })], undefined, counters)
    await refusalOf(() => later(permitted()))
    expect(counters.taken).toEqual(['hard'])
  })

  it('passes when its store cannot be asked and it would deny', async () => {
    const { later } = setUp(
      [limitOf('soft', { mode: 'audit', onStoreFailure: 'deny' })],
      undefined,
      scripted({ soft: { refuses: true, remaining: 0, degraded: true } }),
    )
    expect(await later(permitted())).toMatchObject({ readings: [{ limit: 'soft', audit: 'exceeded', degraded: true }] })
  })
})

describe('what keeps requests apart', () => {
  const apart = (given: Partial<Limit>, one: PermittedOptions, other: PermittedOptions): boolean => {
    const { limit } = setUp([limitOf('a', { points: 1, ...given })])
    limit(permitted(one))
    return refusal(() => limit(permitted(other))) === undefined
  }

  it('counts subjects apart, and the same subject of another issuer too', () => {
    const key = [{ kind: 'issuer' }, { kind: 'subject' }] as const
    expect(apart({ key }, { principal: subject('alice') }, { principal: subject('bob') })).toBe(true)
    expect(apart({ key }, { principal: subject('alice') }, { principal: { ...subject('alice'), issuer: 'other' } })).toBe(true)
    expect(apart({ key }, { principal: subject('alice') }, { principal: subject('alice'), address: '198.51.100.7' })).toBe(false)
  })

  it('counts a claim that is a number apart from the same digits as text', () => {
    const key = [{ kind: 'claim', path: 'org.id' }] as const
    expect(apart({ key }, { principal: subject('a', { org: { id: 1 } }) }, { principal: subject('a', { org: { id: '1' } }) })).toBe(true)
    expect(apart({ key }, { principal: subject('a', { org: { id: 1 } }) }, { principal: subject('b', { org: { id: 1 } }) })).toBe(false)
  })

  it('counts all lines of a repeated header', () => {
    const key = [{ kind: 'header', name: 'x-tenant' }] as const
    expect(
      apart(
        { key },
        { headers: [['x-tenant', 'a']] },
        {
          headers: [
            ['x-tenant', 'a'],
            ['x-tenant', 'b'],
          ],
        },
      ),
    ).toBe(true)
  })

  it('counts by network, route and host', () => {
    expect(apart({ key: [{ kind: 'client.network' }] }, { network: '2001:db8::/64' }, { network: '2001:db8::/64', address: '2001:db8::2' })).toBe(false)
    expect(apart({ key: [{ kind: 'host' }] }, { host: 'a.example' }, { host: 'b.example' })).toBe(true)
    expect(apart({ key: [{ kind: 'route' }] }, {}, { address: '198.51.100.7' })).toBe(false)
  })

  it('counts requests with a missing part under one key, or skips them, as the limit says', () => {
    const key = [{ kind: 'client.address' }, { kind: 'subject' }] as const
    expect(apart({ key, missing: 'shared' }, { address: '192.0.2.1' }, { address: '192.0.2.2' })).toBe(false)
    expect(apart({ key, missing: 'skip' }, {}, {})).toBe(true)
  })

  it('does not let a claim that is a list, an object or inherited make a key', () => {
    const shared = { key: [{ kind: 'claim', path: 'roles' }] as const }
    expect(apart(shared, { principal: subject('a', { roles: ['x'] }) }, { principal: subject('a', { roles: ['y'] }) })).toBe(false)
    expect(apart({ key: [{ kind: 'claim', path: 'constructor.name' }] }, { principal: subject('a') }, {})).toBe(false)
  })
})

describe('the report for explain', () => {
  it('says how each limit stands without taking', () => {
    const { limit, report } = setUp([
      limitOf('per-client', { key: [{ kind: 'issuer' }, { kind: 'subject' }] }),
      limitOf('watch', { mode: 'audit', points: 1, key: [{ kind: 'header', name: 'x-tenant' }] }),
      limitOf('skips', { missing: 'skip', key: [{ kind: 'claim', path: 'plan' }] }),
    ])
    const ask = { principal: subject('alice'), headers: [['x-tenant', 't1']] as const }
    limit(permitted(ask))
    for (let i = 0; i < 2; i++)
      expect(report(permitted(ask))).toEqual([
        {
          limit: 'per-client',
          mode: 'enforce',
          key: 'issuer=main subject=alice',
          cost: 1,
          quota: 3,
          windowMs: 60_000,
          standing: { kind: 'within', remaining: 2, resetMs: 60_000, degraded: false },
        },
        { limit: 'skips', mode: 'enforce', key: 'claim.plan=?', cost: 1, quota: 3, windowMs: 60_000, standing: { kind: 'skipped' } },
        {
          limit: 'watch',
          mode: 'audit',
          key: 'header.x-tenant=t1',
          cost: 1,
          quota: 1,
          windowMs: 60_000,
          standing: { kind: 'over', remaining: 0, resetMs: 60_000, degraded: false },
        },
      ])
    expect(report(permitted({ route: 'open' }))).toEqual([])
  })

  it('says when a limit that denies cannot be asked', async () => {
    const { report } = setUp([limitOf('login', { onStoreFailure: 'deny' })], undefined, scripted({ login: { refuses: true, remaining: 0, degraded: true } }))
    expect(await report(permitted())).toMatchObject([{ standing: { kind: 'unavailable', degraded: true } }])
  })
})

describe('a limit on requests at a time', () => {
  const two = limitOf('two', { algorithm: { kind: 'concurrency' }, points: 2, windowMs: 0 })

  it('holds a place until the request is over, be it complete or cut short', () => {
    const { limit } = setUp([two])
    const [first, second] = [permitted(), permitted()]
    limit(first)
    limit(second)
    expect(refusal(() => limit(permitted()))?.code).toBe('rate_limited')
    first.lifeline.settle()
    const third = permitted()
    limit(third)
    expect(refusal(() => limit(permitted()))?.code).toBe('rate_limited')
    second.lifeline.end(new Fault('client_closed', 'gone'))
    expect(limit(permitted()).readings).toMatchObject([{ limit: 'two', quota: 2, windowMs: 0, remaining: 0, resetMs: 0 }])
  })

  it('gives the place back at once when the request was over before the store answered', async () => {
    const memory = createMemoryCounters(fakePorts().clock)
    const { later, report } = setUp([two], undefined, { ...memory, take: async (asked) => memory.take(asked) })
    const x = permitted()
    const metered = later(x)
    x.lifeline.end(new Fault('client_closed', 'gone'))
    await metered
    expect(await report(permitted())).toMatchObject([{ standing: { kind: 'within', remaining: 2 } }])
  })

  it('tells nobody to come back after less than a second', () => {
    const { limit } = setUp([limitOf('one', { algorithm: { kind: 'concurrency' }, points: 1, windowMs: 0 })])
    limit(permitted())
    expect(headersOf(refusal(() => limit(permitted())))).toMatchObject({ ratelimit: '"one";r=0;t=1', 'ratelimit-policy': '"one";q=1;qu="concurrent-requests"' })
  })

  it('watches in audit mode, and gives back too', () => {
    const { limit } = setUp([{ ...two, mode: 'audit' }])
    const held = [permitted(), permitted(), permitted()].map(limit)
    expect(held.map((x) => x.readings[0]?.audit)).toEqual(['within', 'within', 'exceeded'])
    held[0]?.lifeline.settle()
    expect(limit(permitted()).readings[0]?.audit).toBe('within')
  })
})
