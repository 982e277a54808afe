import { describe, expect, it } from 'vitest'
import type { Descriptor, JournalRecord, LimitSpec } from '../../src/core/ports.ts'
import { createBindingCounters } from '../../src/worker/ports/counters.ts'

/** A binding that has so many left; it fails when it has none to count with. */
function binding(left: number | 'broken') {
  const keys: string[] = []
  const state = { left }
  return {
    keys,
    limit: async ({ key }: { readonly key: string }) => {
      keys.push(key)
      if (state.left === 'broken') throw new Error('no answer')
      state.left -= 1
      return { success: state.left >= 0 }
    },
  }
}

function asked(name: string, given: Partial<LimitSpec> = {}, cost = 1): Descriptor {
  return { limit: { name, algorithm: { kind: 'sliding' }, points: 3, windowMs: 10_000, burst: 0, onStoreFailure: 'local', ...given }, key: `k-${name}`, cost }
}

function counters(bindings: Readonly<Record<string, ReturnType<typeof binding>>>) {
  const written: JournalRecord[] = []
  return { written, ...createBindingCounters(new Map(Object.entries(bindings)), { write: (record) => written.push(record) }) }
}

describe('limits over rate-limit bindings', () => {
  it('tell no numbers of what they allowed', async () => {
    expect(await counters({ a: binding(1) }).take([asked('a')])).toEqual({ allowed: true, refusedBy: undefined, readings: [] })
  })

  it('refuse by name, and know of the rest only that a window is enough', async () => {
    const taken = await counters({ a: binding(1), b: binding(0) }).take([asked('a'), asked('b', { windowMs: 60_000 })])
    expect(taken).toEqual({ allowed: false, refusedBy: 'b', readings: [{ limit: 'b', remaining: 0, resetMs: 60_000, degraded: false, coarse: true }] })
  })

  it('count a request as often as it costs', async () => {
    const a = binding(3)
    const under = counters({ a })
    expect((await under.take([asked('a', {}, 2)])).allowed).toBe(true)
    expect((await under.take([asked('a', {}, 2)])).allowed).toBe(false)
    expect(a.keys).toEqual(['k-a', 'k-a', 'k-a', 'k-a'])
  })

  it('do not ask further once one has refused', async () => {
    const b = binding(5)
    await counters({ a: binding(0), b }).take([asked('a'), asked('b')])
    expect(b.keys).toEqual([])
  })

  it.each(['local', 'allow'] as const)('leave a request to the gateway behind when a binding of %s fails', async (onStoreFailure) => {
    const under = counters({ a: binding('broken') })
    const taken = await under.take([asked('a', { onStoreFailure })])
    expect(taken).toMatchObject({ allowed: true, readings: [{ limit: 'a', degraded: true, coarse: true }] })
    expect(under.written).toMatchObject([{ event: 'limit_binding_failed', limit: 'a' }])
  })

  it('refuse when a binding of deny fails', async () => {
    const taken = await counters({ a: binding('broken') }).take([asked('a', { onStoreFailure: 'deny' })])
    expect(taken).toMatchObject({ allowed: false, refusedBy: 'a', readings: [{ degraded: true }] })
  })

  it('never pass a limit that has no binding', async () => {
    await expect(counters({}).take([asked('a')])).rejects.toThrow('no binding')
  })
})
