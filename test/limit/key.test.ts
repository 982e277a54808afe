import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileKey } from '../../src/core/ingress/limit/key.ts'
import type { Subject } from '../../src/core/model/principal.ts'
import type { LimitKeyPart } from '../../src/core/policy/linked/limits.ts'
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

describe('the key part apiKey', () => {
  const key = compileKey([{ kind: 'apiKey' }], 'skip')
  const holder: Subject = { ...subject('acme'), by: 'apiKey', keyId: 'k1' }

  it('is the id of the key, also of one that came beside another credential', () => {
    expect(key.of(permitted({ principal: holder }))).toBe('2:k1')
    expect(key.of(permitted({ principal: { ...subject('ada'), also: [holder] } }))).toBe('2:k1')
  })

  it('is missing where there is no key', () => {
    expect(key.of(permitted({ principal: subject('ada') }))).toBeUndefined()
    expect(key.of(permitted())).toBeUndefined()
  })

  it('stands for a key that is only assumed', () => {
    expect(key.of(permitted({ principal: { ...holder, keyId: undefined } }))).toBe('7:assumed')
  })
})
