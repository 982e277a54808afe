import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileKey } from '../../src/core/ingress/limit/key.ts'
import type { LimitKeyPart } from '../../src/core/policy/policy.ts'
import { permitted, subject } from '../support/metering.ts'

const parts: readonly LimitKeyPart[] = [{ kind: 'subject' }, { kind: 'header', name: 'x-a' }, { kind: 'claim', path: 'c' }, { kind: 'host' }]

/** Texts full of what the encoding itself uses. */
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom(':', '-', '1', '2', 's', 'a', ' ', '\0', 'é') }),
  fc.string({ minLength: 1 }),
)
const claim = fc.oneof(text, fc.integer(), fc.boolean())
const values = fc.tuple(text, text, claim, text)

function keyOf([name, header, value, host]: readonly [string, string, string | number | boolean, string]): string | undefined {
  return compileKey(parts, 'skip').of(permitted({ principal: subject(name, { c: value }), headers: [['x-a', header]], host }))
}

describe('the key of a limit', () => {
  it('is the same for the same parts and different for any others', () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(one.every((part, i) => part === other[i]))
      }),
      { numRuns: 2000 },
    )
  })

  it('does not move a border between neighbouring parts', () => {
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        expect(keyOf([a + b, c, true, 'h'])).not.toBe(keyOf([a, b + c, true, 'h']))
      }),
    )
  })

  it('of a request with a missing part is no key that parts can make', () => {
    fc.assert(
      fc.property(values, (some) => {
        expect(keyOf(some)).not.toBe(compileKey(parts, 'shared').of(permitted()))
      }),
    )
  })
})
