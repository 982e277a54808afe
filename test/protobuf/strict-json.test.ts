import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Json, longNumberText, parseJson } from '../../src/core/protobuf/strict-json.ts'
import { refusal } from '../support/refusal.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('what two readers could understand differently is refused', () => {
  const cases: readonly (readonly [what: string, text: string | Uint8Array, says?: string])[] = [
    ['nothing', ''],
    ['trailing data', '{} {}'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a trailing comma in a list', '[1,]'],
    ['single quotes', "{'a':1}"],
    ['a name without quotes', '{a:1}'],
    ['a comment', '{/* */}'],
    ['NaN', '{"a":NaN}'],
    ['a raw control character', '"a\u0001b"'],
    ['a leading zero', '[01]'],
    ['a byte order mark', '\uFEFF{}', 'byte order mark'],
    ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'UTF-8'],
    ['an overlong encoding', new Uint8Array([0x22, 0xc0, 0xaf, 0x22]), 'UTF-8'],
    ['a raw surrogate', new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), 'UTF-8'],
    ['an escaped lone surrogate', '["\\ud800"]', 'surrogate'],
    ['a lone surrogate in a name', '{"\\uDC00":1}', 'surrogate'],
    ['a member given twice', '{"a":1,"b":2,"a":3}', '"a"'],
    ['a member given twice, once escaped', '{"a":1,"\\u0061":3}', '"a"'],
    ['a member given twice, deep inside', '{"x":[{"y":{"a":1,"a":1}}]}', '"a"'],
    ['__proto__ given twice', '{"__proto__":1,"__proto__":2}', '"__proto__"'],
    ['101 levels of lists', `${'['.repeat(101)}${']'.repeat(101)}`, '100'],
    ['101 levels of objects', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`, '100'],
    ['a million brackets', '['.repeat(1_000_000), '100'],
  ]
  test.each(cases.map(([what, text, says = '']) => [what, text, says] as const))('%s', (_, text, says) => {
    const fault = refusal(() => parseJson(typeof text === 'string' ? bytesOf(text) : text))
    expect(fault?.code).toBe('body_invalid')
    expect(fault?.message).toContain(says)
  })
})

test('what only looks like a repeated member is fine', () => {
  expect(parseJson(bytesOf('{"a":{"a":[{"a":"a"},{"a":":\\":{"}]},"b":"a"}'))).toEqual({ a: { a: [{ a: 'a' }, { a: ':":{' }] }, b: 'a' })
})

test('numbers that a double cannot hold keep their text', () => {
  const text = '[9007199254740993,-9223372036854775808,1e400,1.5,9007199254740991]'
  const parsed = parseJson(bytesOf(text)) as Json[]
  expect(parsed.map((item) => longNumberText(item) ?? item)).toEqual(['9007199254740993', '-9223372036854775808', '1e400', 1.5, 9007199254740991])
})

test('100 levels are fine', () => {
  expect(() => parseJson(bytesOf(`${'['.repeat(100)}${']'.repeat(100)}`))).not.toThrow()
})

test('surrogate pairs are fine, raw and escaped', () => {
  expect(parseJson(bytesOf('["😀","\\ud83d\\ude00"]'))).toEqual(['😀', '😀'])
})

test('for any JSON value the parser agrees with JSON.parse', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const numbers = (_: string, value: Json): Json => (longNumberText(value) === undefined ? value : Number(longNumberText(value)))
      expect(JSON.stringify(parseJson(bytesOf(text)), numbers)).toBe(JSON.stringify(JSON.parse(text)))
    }),
  )
})

test('for any bytes the parser answers or refuses', () => {
  const text = fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0aed1e-+.tfn \u0000\ud800é'.split('')) })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        text.map((each) => bytesOf(each)),
      ),
      (bytes) => {
        expect(['body_invalid', undefined]).toContain(refusal(() => parseJson(bytes))?.code)
      },
    ),
    { numRuns: 1000 },
  )
})
