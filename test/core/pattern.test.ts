import { describe, expect, test } from 'vitest'
import type { FieldTest } from '../../src/core/model/field-test.ts'
import { checkPattern, compileFieldTests, compilePattern, hostMatches, searchPattern } from '../../src/core/pattern.ts'

describe('RE2 patterns', () => {
  test('a pattern is compiled for whole values, or searched anywhere', () => {
    expect(compilePattern('b+')('bb')).toBe(true)
    expect(compilePattern('b+')('abb')).toBe(false)
    expect(compilePattern('b+')('bb\n')).toBe(false)
    expect(compilePattern('a|ab')('ab')).toBe(true)
    expect(searchPattern('b+')('abba')).toBe(true)
    expect(searchPattern('^b')('ab')).toBe(false)
  })
  test('what RE2 has not is refused with its reason', () => {
    expect(checkPattern('(')).toContain('missing closing )')
    expect(checkPattern('(?=a)')).toContain('(?=')
    expect(checkPattern('(a)\\1')).toContain('\\1')
    expect(checkPattern('a+')).toBeUndefined()
    expect(() => compilePattern('(')).toThrow('missing closing )')
  })
  test('a pattern that hangs backtracking engines takes linear time', () => {
    expect(compilePattern('(a+)+$')(`${'a'.repeat(50_000)}b`)).toBe(false)
  })
})

describe('field tests', () => {
  const values: Readonly<Record<string, readonly string[]>> = { one: ['a'], two: ['a', 'bc'], empty: [''] }
  const cases: readonly (readonly [tests: readonly FieldTest[], expected: boolean])[] = [
    [[], true],
    [[{ name: 'one' }], true],
    [[{ name: 'none' }], false],
    [[{ name: 'empty' }], true],
    [[{ name: 'empty', present: true }], true],
    [[{ name: 'none', present: true }], false],
    [[{ name: 'none', present: false }], true],
    [[{ name: 'one', present: false }], false],
    [[{ name: 'one', exact: 'a' }], true],
    [[{ name: 'one', exact: 'b' }], false],
    [[{ name: 'two', exact: 'bc' }], true],
    [[{ name: 'two', prefix: 'b' }], true],
    [[{ name: 'two', prefix: 'c' }], false],
    [[{ name: 'two', prefix: 'a', pattern: 'bc' }], false],
    [[{ name: 'two', prefix: 'b', pattern: '[a-c]{2}' }], true],
    [[{ name: 'none', exact: '' }], false],
    [[{ name: 'one', exact: 'a' }, { name: 'none' }], false],
  ]
  test.each(cases)('%j: %s', (tests, expected) => {
    expect(compileFieldTests(tests)((name) => values[name] ?? [])).toBe(expected)
  })
})

test.each([
  ['a.example.com', 'a.example.com', true],
  ['a.example.com', 'b.example.com', false],
  ['*.example.com', 'a.example.com', true],
  ['*.example.com', 'example.com', false],
  ['*.example.com', '.example.com', false],
  ['*.example.com', 'a.b.example.com', false],
  ['*.example.com', 'aexample.com', false],
  ['*.com', 'a.com', true],
])('host pattern %s takes %s: %s', (pattern, host, expected) => {
  expect(hostMatches(pattern, host)).toBe(expected)
})
