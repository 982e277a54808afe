import { describe, expect, it } from 'vitest'
import { boundOf } from '../../src/core/policy/bounds.ts'
import { limitOf } from '../support/metering.ts'

describe('the bound of a limit', () => {
  const minute = { points: 100, windowMs: 60_000 }
  const gcra = limitOf('g', { ...minute, algorithm: { kind: 'gcra' }, burst: 20 })

  it('says what one key gets with the store, and without', () => {
    expect(boundOf(gcra, true)).toBe(
      'at most 20 at once and 120 in any 1m, over all instances; while the store is lost up to max(20, N × cost) at once more, coming back at the same rate; what the store forgets may be had again',
    )
    expect(boundOf(limitOf('s', { ...minute, windowMs: 90_500, burst: 5 }), true)).toBe(
      'at most 105 in any 1m30s500ms, over all instances; while the store is lost up to max(105, N × cost) more; what the store forgets may be had again',
    )
    const month = limitOf('c', { points: 10_000, algorithm: { kind: 'calendar', per: 'month', zone: 'Europe/Berlin' } })
    expect(boundOf({ ...month, onStoreFailure: 'allow' }, true)).toBe(
      'at most 10000 in a calendar month (Europe/Berlin), over all instances; without the store there is no bound (allow); what the store forgets may be had again',
    )
    const places = limitOf('p', { points: 5, windowMs: 0, algorithm: { kind: 'concurrency' } })
    expect(boundOf({ ...places, onStoreFailure: 'deny' }, true)).toBe(
      'at most 5 at a time, over all instances; without the store none at all (deny); what the store forgets may be had again',
    )
  })

  it('says that answers may add to it', () => {
    expect(boundOf(gcra, false, true)).toBe('at most 20 at once and 120 in any 1m, beside what answers say they cost more, per process; a restart begins anew')
  })

  it('says that memory is of one process, and that audit refuses nothing', () => {
    expect(boundOf(gcra, false)).toBe('at most 20 at once and 120 in any 1m, per process; a restart begins anew')
    expect(boundOf({ ...gcra, mode: 'audit' }, true)).toBe('refuses nothing (audit); counts at most 20 at once and 120 in any 1m')
  })
})
