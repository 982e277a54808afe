import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deadlineOf, grpcTimeout, isTold } from '../../src/core/upstream/deadline.ts'
import { parseHttpDate } from '../../src/core/upstream/http-date.ts'
import { httpCall } from '../support/calls.ts'

const units: Readonly<Record<string, number>> = { m: 1, S: 1_000, M: 60_000, H: 3_600_000 }

test('a grpc-timeout has at most eight digits and never says more than is left', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 * 24 * 3_600_000 }), (ms) => {
      const [, digits = '', unit = ''] = /^(\d{1,8})([mSMH])$/.exec(grpcTimeout(ms)) ?? []
      const said = Number(digits) * (units[unit] ?? Number.NaN)
      expect(said).toBeLessThanOrEqual(ms)
      expect(said).toBeGreaterThan(ms * 0.98)
    }),
  )
})

test('a grpc-timeout is exact as long as milliseconds fit', () => {
  expect(grpcTimeout(99_999_999)).toBe('99999999m')
  expect(grpcTimeout(100_000_000)).toBe('100000S')
  expect(grpcTimeout(Number.MAX_SAFE_INTEGER)).toBe('99999999H')
})

test('an HTTP date is read like the language reads it, and nothing else is a date', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
      expect(parseHttpDate(date.toUTCString())).toBe(Math.floor(date.getTime() / 1_000) * 1_000)
    }),
  )
  for (const text of ['', 'Sun, 06 Nov 1994 08:49:37', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun, 06 Foo 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 25:49:37 GMT']) {
    expect(parseHttpDate(text)).toBeUndefined()
  }
})

test('of a change of protocol the deadline bounds the handshake alone, stated or not, and the upstream is not told', () => {
  const upgrade = { protocol: 'tcp', subprotocols: undefined, extensions: [], said: () => (async function* () {})(), heard: () => {} }
  for (const stated of [5, Number.POSITIVE_INFINITY]) {
    const deadline = deadlineOf(stated, 7, { ...httpCall(), upgrade })
    expect([deadline, isTold(deadline)]).toEqual([{ at: Math.min(stated, 7), until: 'upgrade' }, false])
  }
  expect(isTold(deadlineOf(5, 7, httpCall()))).toBe(true)
})
