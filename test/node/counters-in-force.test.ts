import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../src/core/ports.ts'
import { createCountersInForce } from '../../src/node/gateway/counters-in-force.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakePorts, fakeSecrets } from '../support/ports.ts'

const one: Descriptor = { limit: { name: 'l', points: 1, windowMs: 1000, burst: 0, onStoreFailure: 'local' }, key: 'k', cost: 1 }

describe('the counters in force', () => {
  it('count in memory without a store, and a reload that changes no store keeps the counts', async () => {
    const counters = createCountersInForce(undefined, fakePorts())
    expect((await counters.take([one])).allowed).toBe(true)
    await (await counters.prepare(emptyPolicy())).commit()()
    expect((await counters.take([one])).allowed).toBe(false)
    await counters.close()
  })

  it('refuse a policy whose store has no URL, and go on as they were', async () => {
    const counters = createCountersInForce(undefined, { ...fakePorts(), secrets: fakeSecrets() })
    await counters.take([one])
    await expect(counters.prepare(emptyPolicy({ store: { redis: 'env:NOWHERE' } }))).rejects.toThrow('env:NOWHERE is missing or empty')
    expect((await counters.take([one])).allowed).toBe(false)
    await counters.close()
  })
})
