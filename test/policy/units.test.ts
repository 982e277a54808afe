import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration, parsePercent, parseRate, parseSize, parseTime } from '../../src/core/policy/units.ts'

const parts = fc.record({ d: fc.nat(9999), h: fc.nat(99_999), m: fc.nat(999_999), s: fc.nat(99_999_999), ms: fc.nat(999_999_999) }, { requiredKeys: [] })

describe('durations', () => {
  it('are the sum of their parts, in falling order', () => {
    fc.assert(
      fc.property(
        parts.filter((given) => Object.keys(given).length > 0),
        ({ d, h, m, s, ms }) => {
          const text = [
            d === undefined ? '' : `${d}d`,
            h === undefined ? '' : `${h}h`,
            m === undefined ? '' : `${m}m`,
            s === undefined ? '' : `${s}s`,
            ms === undefined ? '' : `${ms}ms`,
          ]
          expect(parseDuration(text.join(''))).toBe((d ?? 0) * 86_400_000 + (h ?? 0) * 3_600_000 + (m ?? 0) * 60_000 + (s ?? 0) * 1000 + (ms ?? 0))
        },
      ),
    )
  })

  it.each(['', '5', 's', '-5s', '1.5s', '5 s', '2s1h', '5s5s', '1h 30m', ' 5s', '5s\n', '5S', '５s', '1w'])('are not %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it('never throw, and are whole and finite where they parse', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789dhms. /'.split('')), maxLength: 24 }), (text) => {
        const ms = parseDuration(text)
        expect(ms === undefined || Number.isSafeInteger(ms)).toBe(true)
      }),
    )
  })
})

describe('rates', () => {
  it('are points per window', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.nat(99_999), (points, s) => {
        expect(parseRate(`${points}/${s}s`)).toEqual({ points, windowMs: s * 1000 })
      }),
    )
  })

  it.each(['100', '100/', '/1m', '100/m', '100/1', '-1/1m', '1.5/1m', '100 / 1m', '1e3/1s'])('are not %j', (text) => {
    expect(parseRate(text)).toBeUndefined()
  })
})

describe('sizes', () => {
  it('count in powers of 1024', () => {
    fc.assert(
      fc.property(fc.nat(9_999_999), fc.constantFrom(['B', 1] as const, ['KiB', 1024] as const, ['MiB', 1024 ** 2] as const), (count, [unit, by]) => {
        expect(parseSize(`${count}${unit}`)).toBe(count * by)
      }),
    )
  })

  it.each(['1', '1KB', '1kib', '1.5MiB', '-1B', 'MiB', '1 MiB'])('are not %j', (text) => {
    expect(parseSize(text)).toBeUndefined()
  })
})

describe('percentages', () => {
  it('are shares from 0 to 1', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), (n) => {
        expect(parsePercent(`${n}%`)).toBe(n / 100)
      }),
    )
    expect(parsePercent('12.5%')).toBe(0.125)
  })

  it.each(['101%', '100.1%', '20', '-1%', '%', '0x10%', '1e1%'])('are not %j', (text) => {
    expect(parsePercent(text)).toBeUndefined()
  })
})

describe('times of day', () => {
  it('are minutes since midnight, up to 24:00', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (h, m) => {
        expect(parseTime(`${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`)).toBe(h * 60 + m)
      }),
    )
    expect(parseTime('24:00')).toBe(1440)
  })

  it.each(['8:00', '24:01', '12:60', '1200', '12:00:00', ''])('are not %j', (text) => {
    expect(parseTime(text)).toBeUndefined()
  })
})
