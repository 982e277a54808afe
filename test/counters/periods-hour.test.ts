import { expect, it } from 'vitest'
import { createPeriods } from '../../src/node/counters/periods.ts'

const minute = 60_000

it.each([
  ['Australia/Lord_Howe', '2026-04-04T12:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T12:00Z'],
  ['Asia/Pyongyang', '2018-05-04T12:00Z'],
  ['America/Caracas', '2016-05-01T04:00Z'],
  ['Europe/Berlin', '2026-03-28T22:00Z'],
  ['Asia/Kolkata', '2026-01-01T00:00Z'],
])('hours of %s around %s follow one another without a gap and without overlap', (zone, from) => {
  let end: number | undefined
  for (let at = Date.parse(from); at < Date.parse(from) + 12 * 60 * minute; at += minute) {
    // As after a restart: nothing is remembered.
    const period = createPeriods().at('hour', zone, at)
    expect(period.start <= at && at < period.end && period.end - period.start <= 60 * minute).toBe(true)
    const next = end !== undefined && at >= end
    expect(next ? period.start : period.end).toBe(end ?? period.end)
    end = period.end
  }
})
