import { describe, expect, it } from 'vitest'
import { buildLimit, buildLimitReport } from '../../src/core/ingress/limit.ts'
import { costOf, highestCostOf } from '../../src/core/model/cost.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { limitOf, permitted } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

const use = { name: 'a', cost: 2, methods: { GET: 1, POST: 4 }, rpcs: { Search: 6 } }

describe('what a request costs', () => {
  it.each([
    ['GET', undefined, 1],
    ['HEAD', undefined, 1],
    ['POST', undefined, 4],
    ['PUT', undefined, 2],
    ['constructor', '__proto__', 2],
    ['POST', 'Search', 6],
    ['POST', 'Get', 4],
  ])('%s of the RPC %s is what its names say', (method, rpc, cost) => {
    expect(costOf(use, method, rpc)).toBe(cost)
  })

  it('is at most the highest of all', () => {
    expect(highestCostOf(use)).toBe(6)
    expect(highestCostOf({ name: 'a', cost: 3 })).toBe(3)
  })

  it('is taken, decides who is refused, and is explained', () => {
    const plain = fakePorts()
    const ports = { ...plain, counters: createMemoryCounters(plain.clock) }
    const policy = emptyPolicy({ limits: { a: limitOf('a', { points: 10 }) }, routes: [plainRoute('orders', { limits: [use] })] })
    const limit = buildLimit(policy, ports)
    const report = buildLimitReport(policy, ports)
    void limit(permitted({ method: 'POST', rpc: 'Search' }))
    const put = permitted({ method: 'PUT' })
    void limit(put)
    expect(put).toMatchObject({ readings: [{ remaining: 2 }] })
    expect(refusal(() => void limit(permitted({ method: 'POST' })))?.code).toBe('rate_limited')
    expect(report(permitted({ method: 'POST' }))).toMatchObject([{ cost: 4, standing: { kind: 'over', remaining: 2 } }])
    expect(report(permitted())).toMatchObject([{ cost: 1, standing: { kind: 'within' } }])
  })
})
