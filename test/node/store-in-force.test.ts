import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../src/core/ports.ts'
import { createStoreInForce } from '../../src/node/gateway/store-in-force.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakePorts, fakeSecrets } from '../support/ports.ts'

const one: Descriptor = {
  limit: { name: 'l', algorithm: { kind: 'sliding' }, points: 1, windowMs: 1000, burst: 0, onStoreFailure: 'local' },
  key: 'k',
  cost: 1,
}

describe('the store in force', () => {
  it('count in memory without a store, and a reload that changes no store keeps the counts', async () => {
    const store = createStoreInForce(undefined, fakePorts())
    expect((await store.counters.take([one])).allowed).toBe(true)
    await (await store.prepare(emptyPolicy())).commit()()
    expect((await store.counters.take([one])).allowed).toBe(false)
    await store.close()
  })

  it('refuse a policy whose store has no URL, and go on as they were', async () => {
    const store = createStoreInForce(undefined, { ...fakePorts(), secrets: fakeSecrets() })
    await store.counters.take([one])
    await expect(store.prepare(emptyPolicy({ store: { redis: 'env:NOWHERE' } }))).rejects.toThrow('env:NOWHERE is missing or empty')
    expect((await store.counters.take([one])).allowed).toBe(false)
    await store.close()
  })
})
