import { describe, expect, it } from 'vitest'
import { buildSteer } from '../../src/core/ingress/steer.ts'
import type { WeightedDestination } from '../../src/core/model/destination.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { Sticky } from '../../src/core/model/sticky.ts'
import { metered, type PermittedOptions, subject } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

const to = (subset: string, weight: number, pin?: WeightedDestination['pin']): WeightedDestination => ({ cluster: 'orders', subset, weight, pin })
const header = (name: string, exact: string) => ({ headers: [{ name, exact }], claims: [] })

function steerOf(split: readonly WeightedDestination[], sticky?: Sticky, given: Partial<Route> = {}, units: () => number = () => 0) {
  const policy = emptyPolicy({ routes: [plainRoute('orders', { split, sticky, ...given })] })
  const ports = fakePorts()
  const steer = buildSteer(policy, { random: { ...ports.random, unit: units } })
  return (options: PermittedOptions = {}) => steer(metered(options))
}

describe('steer', () => {
  it('takes the only destination, whatever its weight and pin', () => {
    const x = steerOf([to('v1', 0, header('x-version', 'v1'))])()
    expect(x.destination).toEqual({ cluster: 'orders', subset: 'v1' })
    expect(x.steering).toEqual({ by: 'only', bucket: 0 })
  })

  it('fills the same exchange', () => {
    const steer = buildSteer(emptyPolicy({ routes: [plainRoute('orders')] }), fakePorts())
    const x = metered()
    expect(steer(x)).toBe(x)
  })

  it('draws by weight without a sticky key', () => {
    let unit = 0
    const steer = steerOf([to('v1', 90), to('v2', 10)], undefined, {}, () => unit)
    const where = (at: number) => {
      unit = at
      const x = steer()
      expect(x.steering).toEqual({ by: 'random', bucket: at })
      return x.destination.subset
    }
    expect([0, 0.5, 0.8999, 0.9, 0.95, 0.999999].map(where)).toEqual(['v1', 'v1', 'v1', 'v2', 'v2', 'v2'])
  })

  it('never reaches a destination of weight 0 by weight', () => {
    for (const unit of [0, 0.25, 0.5, 0.75, 0.999999999]) {
      const steer = steerOf([to('off', 0), to('v1', 1), to('dark', 0), to('v2', 1), to('last', 0)], undefined, {}, () => unit)
      expect(['v1', 'v2']).toContain(steer().destination.subset)
    }
  })

  it('refuses when nothing has a weight and no pin fits', () => {
    const steer = steerOf([to('v1', 0, header('x-version', 'v1')), to('v2', 0)])
    expect(steer({ headers: [['x-version', 'v1']] }).destination.subset).toBe('v1')
    expect(refusal(() => steer())?.code).toBe('config_quarantined')
  })

  it('refuses on a quarantined route, whose split may not even compile', () => {
    const broken = [to('v1', 50, { headers: [{ name: 'x', pattern: '(' }], claims: [] }), to('v2', 50)]
    const steer = steerOf(broken, undefined, { quarantined: 'a pattern is broken' })
    expect(refusal(() => steer())?.code).toBe('config_quarantined')
  })
})

describe('pins', () => {
  const split = [to('v1', 100), to('v2', 0, header('x-version', 'v2')), to('beta', 0, { headers: [], claims: [{ path: 'group.beta', value: true }] })]

  it('win over weights and sticky keys, even for a destination of weight 0', () => {
    const x = steerOf(split, { kind: 'client' })({ headers: [['x-version', 'v2']] })
    expect(x.destination).toEqual({ cluster: 'orders', subset: 'v2' })
    expect(x.steering.by).toBe('pin')
  })

  it('by claim fit a verified claim of the same type only', () => {
    const steer = steerOf(split)
    const where = (beta: unknown) => steer({ principal: subject('a', { group: { beta } }) }).destination.subset
    expect([true, 'true', 1, [true]].map(where)).toEqual(['beta', 'v1', 'v1', 'v1'])
    expect(steer().destination.subset).toBe('v1')
  })

  it('that ask for header and claim need both', () => {
    const both = [to('v1', 1), to('v2', 0, { headers: [{ name: 'x-version', exact: 'v2' }], claims: [{ path: 'staff', value: true }] })]
    const steer = steerOf(both)
    const staff = subject('a', { staff: true })
    expect(steer({ headers: [['x-version', 'v2']] }).destination.subset).toBe('v1')
    expect(steer({ principal: staff }).destination.subset).toBe('v1')
    expect(steer({ principal: staff, headers: [['x-version', 'v2']] }).destination.subset).toBe('v2')
  })

  it('are tried in file order', () => {
    const steer = steerOf([to('first', 1, header('x-a', '1')), to('second', 1, header('x-b', '1'))])
    expect(
      steer({
        headers: [
          ['x-b', '1'],
          ['x-a', '1'],
        ],
      }).destination.subset,
    ).toBe('first')
  })
})

describe('sticky keys', () => {
  const halves = [to('v1', 50), to('v2', 50)]
  const bucketBy = (sticky: Sticky, options: PermittedOptions) => steerOf(halves, sticky)(options).steering

  it('keep a subject on one side, from wherever it comes', () => {
    const steer = steerOf(halves, { kind: 'claim', path: 'sub' })
    const one = steer({ principal: subject('a', { sub: 'alice' }), address: '192.0.2.1' })
    const two = steer({ principal: subject('a', { sub: 'alice' }), address: '198.51.100.9' })
    expect(one.steering).toEqual(two.steering)
    expect(one.steering.by).toBe('sticky')
  })

  it('read claims, headers, cookies and the address alike', () => {
    const { bucket } = bucketBy({ kind: 'client' }, { address: 'k1' })
    expect(bucketBy({ kind: 'claim', path: 'c' }, { principal: subject('a', { c: 'k1' }) }).bucket).toBe(bucket)
    expect(bucketBy({ kind: 'header', name: 'x-user' }, { headers: [['x-user', 'k1']] }).bucket).toBe(bucket)
    for (const line of ['sid=k1', 'a=b; sid=k1', ' sid="k1" ', 'xsid=k9; sid=k1; sid=k2', 'sid', 'sid=k1;'].filter((text) => text !== 'sid'))
      expect(bucketBy({ kind: 'cookie', name: 'sid' }, { headers: [['cookie', line]] }).bucket).toBe(bucket)
    expect(
      bucketBy(
        { kind: 'cookie', name: 'sid' },
        {
          headers: [
            ['cookie', 'a=b'],
            ['cookie', 'sid=k1'],
          ],
        },
      ).bucket,
    ).toBe(bucket)
  })

  it('fall back to the address of the client where the request does not bring them', () => {
    const { bucket } = bucketBy({ kind: 'client' }, {})
    const missing: readonly (readonly [Sticky, PermittedOptions])[] = [
      [{ kind: 'claim', path: 'sub' }, {}],
      [{ kind: 'claim', path: 'sub' }, { principal: subject('a', { sub: ['list'] }) }],
      [{ kind: 'header', name: 'x-user' }, {}],
      [{ kind: 'header', name: 'x-user' }, { headers: [['x-user', '']] }],
      [{ kind: 'cookie', name: 'sid' }, { headers: [['cookie', 'sid; other=1']] }],
      [{ kind: 'cookie', name: 'sid' }, { headers: [['cookie', 'sid=']] }],
    ]
    for (const [sticky, options] of missing) expect(bucketBy(sticky, options)).toEqual({ by: 'sticky', bucket })
  })
})
