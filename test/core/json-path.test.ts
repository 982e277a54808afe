import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkJsonPath, compileHide, parseExact } from '../../src/core/json-path.ts'

const body = { card: { number: '4242', brand: 'v' }, items: [{ pan: 1 }, { pan: 2, deep: [{ pan: 3 }] }], 'a.b': 1, __proto__x: 1 }

describe('a path to members of JSON', () => {
  it.each([
    ['$.card.number', { ...body, card: { number: '[redacted]', brand: 'v' } }],
    ["$['card']['number']", { ...body, card: { number: '[redacted]', brand: 'v' } }],
    ['$.card.*', { ...body, card: { number: '[redacted]', brand: '[redacted]' } }],
    ['$.card', { ...body, card: '[redacted]' }],
    ["$['a.b']", { ...body, 'a.b': '[redacted]' }],
    ['$.items[0].pan', { ...body, items: [{ pan: '[redacted]' }, body.items[1]] }],
    ['$.items[*].pan', { ...body, items: [{ pan: '[redacted]' }, { pan: '[redacted]', deep: [{ pan: 3 }] }] }],
    ['$..pan', { ...body, items: [{ pan: '[redacted]' }, { pan: '[redacted]', deep: [{ pan: '[redacted]' }] }] }],
    ['$..deep[0].pan', { ...body, items: [{ pan: 1 }, { pan: 2, deep: [{ pan: '[redacted]' }] }] }],
    ['$.card[0]', body],
    ['$.gone.number', body],
  ])('%s hides what it leads to and nothing else', (path, expected) => {
    expect(checkJsonPath(path)).toBeUndefined()
    expect(compileHide([path])(body)).toEqual(expected)
  })

  it.each(['', 'card', '$', '$card', '$.', '$.a..', '$[', "$['a]", '$[-1]', '$.a b', '$[?@.a]'])('%j is none', (path) => {
    expect(checkJsonPath(path)).toBeTypeOf('string')
  })

  it('is read or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (path, value) => {
        const refused = checkJsonPath(`$${path}`) !== undefined
        const hidden = compileHide([`$${path}`])(value)
        // What is refused leads nowhere.
        expect(refused && hidden !== value).toBe(false)
      }),
    )
  })
})

it('keeps every number as it was written', () => {
  const text = '{"a":12345678901234567890,"b":1.10,"c":1e400,"d":[0.1,-0]}'
  expect(JSON.stringify(parseExact(text))).toBe(text)
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value)
      expect(JSON.stringify(parseExact(text))).toBe(text)
    }),
  )
})
