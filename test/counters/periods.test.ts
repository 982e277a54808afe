import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPeriods } from '../../src/node/counters/periods.ts'

const texts = (per: 'hour' | 'day' | 'week' | 'month', zone: string, at: string) => {
  const { start, end } = createPeriods().at(per, zone, Date.parse(at))
  return [new Date(start).toISOString(), new Date(end).toISOString()]
}

describe('periods of the calendar', () => {
  it.each([
    ['month', 'UTC', '2026-02-28T23:59:59.999Z', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
    ['month', 'UTC', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['month', 'UTC', '2028-02-29T12:00:00Z', '2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z'],
    // Summer time begins and ends within these months: 743 and 745 hours.
    ['month', 'Europe/Berlin', '2026-03-31T21:59:59Z', '2026-02-28T23:00:00.000Z', '2026-03-31T22:00:00.000Z'],
    ['month', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-09-30T22:00:00.000Z', '2026-10-31T23:00:00.000Z'],
    ['month', 'Pacific/Kiritimati', '2026-06-30T10:00:00Z', '2026-06-30T10:00:00.000Z', '2026-07-31T10:00:00.000Z'],
    ['month', 'America/St_Johns', '2026-07-01T02:29:59Z', '2026-06-01T02:30:00.000Z', '2026-07-01T02:30:00.000Z'],
    ['week', 'UTC', '2026-01-04T23:59:59Z', '2025-12-29T00:00:00.000Z', '2026-01-05T00:00:00.000Z'],
    ['week', 'Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-22T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    // 23 and 25 hours.
    ['day', 'Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    ['day', 'America/New_York', '2026-11-01T05:30:00Z', '2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z'],
    // There is no midnight on this day: clocks go from 00:00 to 01:00.
    ['day', 'Africa/Cairo', '2026-04-24T05:00:00Z', '2026-04-23T22:00:00.000Z', '2026-04-24T21:00:00.000Z'],
    // At the end of this day the last hour comes twice.
    ['day', 'Africa/Cairo', '2026-10-29T21:30:00Z', '2026-10-28T21:00:00.000Z', '2026-10-29T22:00:00.000Z'],
    ['hour', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-25T01:00:00.000Z', '2026-10-25T02:00:00.000Z'],
    ['hour', 'Asia/Kolkata', '2026-01-01T00:15:00Z', '2025-12-31T23:30:00.000Z', '2026-01-01T00:30:00.000Z'],
  ] as const)('a %s in %s at %s begins at %s and ends at %s', (per, zone, at, start, end) => {
    expect(texts(per, zone, at)).toEqual([start, end])
  })

  it('follow one another without a gap, in any zone at any time, and hold the moment asked for', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Africa/Cairo', 'Asia/Kolkata', 'Pacific/Apia', 'America/Havana', 'Asia/Tehran')
    const moments = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2040, 0, 1) })
    fc.assert(
      fc.property(fc.constantFrom('day', 'week', 'month'), zones, moments, (per, zone, at) => {
        const periods = createPeriods()
        const { start, end } = periods.at(per, zone, at)
        expect(start).toBeLessThanOrEqual(at)
        expect(end).toBeGreaterThan(at)
        expect(periods.at(per, zone, start - 1).end).toBe(start)
        expect(periods.at(per, zone, end).start).toBe(end)
        const [before, from, to, after] = createPeriods().around(per, zone, at).split(' ').map(Number)
        expect([from, to]).toEqual([start, end])
        expect(before).toBeLessThan(start)
        expect(after).toBeGreaterThan(end)
      }),
    )
  })
})
