import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reading } from '../../src/core/model/exchange.ts'
import { rateLimitHeaders } from '../../src/core/model/reading.ts'
import { anyCharacter } from '../support/any-character.ts'
import { parseSfStringList } from '../support/structured-fields.ts'

const reading = (limit: string, given: Partial<Reading> = {}): Reading => ({
  limit,
  quota: 100,
  windowMs: 60_000,
  remaining: 50,
  resetMs: 30_000,
  degraded: false,
  ...given,
})

const listOf = (readings: readonly Reading[], name: string) => parseSfStringList(rateLimitHeaders(readings).find(([header]) => header === name)?.[1] ?? '')

describe('RateLimit headers', () => {
  it('are absent without readings and for audit limits alone', () => {
    expect(rateLimitHeaders([])).toEqual([])
    expect(rateLimitHeaders([reading('a', { audit: 'within' })])).toEqual([])
  })

  it('spell quota, window, remaining and reset as the draft does', () => {
    expect(rateLimitHeaders([reading('per-client')])).toEqual([
      ['ratelimit-policy', '"per-client";q=100;w=60'],
      ['ratelimit', '"per-client";r=50;t=30'],
    ])
  })

  it('count places held at a time in a unit of their own, without a window', () => {
    expect(rateLimitHeaders([reading('a', { quota: 20, windowMs: 0, remaining: 3, resetMs: 0 })])).toEqual([
      ['ratelimit-policy', '"a";q=20;qu="concurrent-requests"'],
      ['ratelimit', '"a";r=3;t=0'],
    ])
  })

  it('name the tightest limit first, in both', () => {
    const readings = [
      reading('loose', { remaining: 90 }),
      reading('small', { quota: 10, remaining: 2 }),
      reading('gone', { remaining: 0 }),
      reading('gone-longer', { remaining: 0, resetMs: 40_000 }),
    ]
    const order = ['gone-longer', 'gone', 'small', 'loose']
    expect(listOf(readings, 'ratelimit').map((item) => item.value)).toEqual(order)
    expect(listOf(readings, 'ratelimit-policy').map((item) => item.value)).toEqual(order)
    expect(readings[0]?.limit).toBe('loose')
  })

  it('say when an answer was made without the shared store', () => {
    expect(rateLimitHeaders([reading('a', { degraded: true })])[1]).toEqual(['ratelimit', '"a";r=50;t=30;sallyport-degraded'])
  })

  it('are structured fields of integers whatever the name and the times, and never promise an earlier reset', () => {
    const names = fc.oneof(fc.string({ unit: anyCharacter }), fc.string({ unit: fc.constantFrom('"', '\\', ';', ',', '=', 'a') }))
    const times = fc.nat().map((n) => n / 16)
    fc.assert(
      fc.property(names, times, fc.nat(), fc.boolean(), (limit, resetMs, remaining, degraded) => {
        const readings = [reading(limit, { resetMs, windowMs: Math.ceil(resetMs), remaining, degraded }), reading('other')]
        const item = listOf(readings, 'ratelimit').find((one) => one.value !== 'other')
        expect(listOf(readings, 'ratelimit-policy')).toHaveLength(2)
        if (item === undefined) return
        expect(item.value).toBe(limit.replaceAll(/[^\x20-\x7e]/g, '?'))
        expect(item.params['r']).toBe(remaining)
        expect(Number(item.params['t']) * 1000).toBeGreaterThanOrEqual(resetMs)
      }),
    )
  })
})
