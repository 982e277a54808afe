import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { isoTime } from '../../src/core/observe/time.ts'

it('writes every moment up to the year 9999 as the platform does', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) }), (ms) => {
      expect(isoTime(ms)).toBe(new Date(ms).toISOString())
    }),
    { numRuns: 2000 },
  )
})
