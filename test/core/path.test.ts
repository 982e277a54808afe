import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalPath } from '../../src/core/model/path.ts'

const unreserved = /^[A-Za-z0-9\-._~]$/
const pchar = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/]$/
const bytes = Array.from({ length: 256 }, (_, byte) => byte)
const hex = (byte: number) => byte.toString(16).padStart(2, '0')

function pathOf(raw: string): string | undefined {
  const canonical = canonicalPath(raw)
  return 'path' in canonical ? canonical.path : undefined
}

describe('one spelling', () => {
  test.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/%61dmin/%7Eme', '/admin/~me'],
    ['/a%2fb', '/a%2Fb'],
    ['/%c3%a9', '/%C3%A9'],
    ['/a%20b', '/a%20b'],
    ['/%252e%252E', '/%252e%252E'],
    ['/...', '/...'],
    ['/.a', '/.a'],
    ['/a..', '/a..'],
    ['/..a/b', '/..a/b'],
    ['/a;b=c', '/a;b=c'],
    ["/!$&'()*+,;=:@", "/!$&'()*+,;=:@"],
  ])('%s is %s', (raw, path) => {
    expect(pathOf(raw)).toBe(path)
  })
})

describe('ambiguous', () => {
  test.each([
    '',
    'a',
    '*',
    'http://h/a',
    '/..',
    '/.',
    '/a/../b',
    '/a/./b',
    '/a/..',
    '/%2e%2e/a',
    '/%2E.',
    '/.%2e/',
    '/..;x/a',
    '/.;/a',
    '/%2e%2e;x=y/a',
    '/..%3Bx/a',
    '/a%2f..%2fb',
    '/a%2F%2e%2e',
    '/..%2fa',
    '//',
    '//a',
    '/a//b',
    '/a//',
    '/a\\b',
    '/a%5cb',
    '/a%5C..%5Cb',
    '/a#b',
    '/a?b',
    '/a b',
    '/a%00',
    '/a%0a',
    '/a%7f',
    '/%',
    '/%4',
    '/%4g',
    '/%g4',
    '/%%41',
    '/a%u0041',
    '/%C3',
    '/%FF',
    '/%C0%AE',
    '/%C3%41',
    '/%ED%A0%80',
    '/é',
    '/\u{1f600}',
    '/\u212a',
  ])('%j', (raw) => {
    expect(canonicalPath(raw)).toHaveProperty('ambiguous')
  })
})

describe('flags', () => {
  test.each([
    ['/a%2fb', true, false],
    ['/a;b', false, true],
    ['/a%3Bb', false, true],
    ['/a%252fb', false, false],
    ['/a', false, false],
  ])('%s: encodedSlash %s, semicolon %s', (raw, encodedSlash, semicolon) => {
    expect(canonicalPath(raw)).toMatchObject({ encodedSlash, semicolon })
  })
})

describe.each(['first', 'middle', 'last'] as const)('every byte as the %s character of a segment', (place) => {
  const around = { first: ['/x/', 'a/y'], middle: ['/x/a', 'a/y'], last: ['/x/a', '/y'] }[place] as [string, string]
  const put = (text: string) => `${around[0]}${text}${around[1]}`

  test('raw: pchar stays as it is, a slash makes an empty segment where it meets another, everything else is ambiguous', () => {
    for (const byte of bytes) {
      const char = String.fromCharCode(byte)
      const fits = pchar.test(char) && !(char === '/' && place !== 'middle')
      expect([byte, pathOf(put(char))]).toEqual([byte, fits ? put(char) : undefined])
    }
  })

  test('encoded: unreserved is decoded, controls, backslash and lone non-ASCII are ambiguous, the rest is upper-case', () => {
    for (const byte of bytes) {
      const char = String.fromCharCode(byte)
      const escape = `%${hex(byte).toUpperCase()}`
      const refused = byte < 0x20 || byte >= 0x7f || char === '\\'
      const expected = refused ? undefined : put(unreserved.test(char) ? char : escape)
      for (const spelling of [`%${hex(byte)}`, escape]) expect([byte, pathOf(put(spelling))]).toEqual([byte, expected])
    }
  })
})

describe('for any text', () => {
  // Mostly harmless, so that about half of the paths are canonical.
  const piece = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom('/a', '.', '%2e', '%2F', '%2f', ';', '%3b', '%41', '%25', ':', 'a', '%c3%a9', '%e2%82%ac', '2e') },
    { weight: 1, arbitrary: fc.constantFrom('/', '..', '%5c', '%00', '%', '#', '?', '//', '%C0', '%c3', '/..', '/.') },
    { weight: 1, arbitrary: fc.string({ maxLength: 2, unit: 'grapheme-ascii' }) },
  )
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`)

  test('about half of these paths are canonical, so the properties below say something', () => {
    const share = fc.sample(text, 1000).filter((raw) => pathOf(raw) !== undefined).length
    expect(share).toBeGreaterThan(250)
    expect(share).toBeLessThan(900)
  })

  test('a canonical path is its own canonical form, and means the same bytes', () => {
    fc.assert(
      fc.property(text, (raw) => {
        const path = pathOf(raw)
        if (path === undefined) return
        expect(pathOf(path)).toBe(path)
        expect(decodeURIComponent(path)).toBe(decodeURIComponent(raw))
      }),
      { numRuns: 5000 },
    )
  })

  test('a canonical path is left alone by URL parsers', () => {
    fc.assert(
      fc.property(text, (raw) => {
        const path = pathOf(raw)
        if (path === undefined) return
        expect(new URL(`http://h${path}`).pathname).toBe(path)
      }),
      { numRuns: 5000 },
    )
  })

  test('decoding once more never makes a dot segment, a backslash or a control character', () => {
    fc.assert(
      fc.property(text, (raw) => {
        const path = pathOf(raw)
        if (path === undefined) return
        const decoded = decodeURIComponent(path)
        const names = decoded.split('/').map((part) => part.split(';')[0])
        expect(names).not.toContain('..')
        expect(names).not.toContain('.')
        expect(Array.from(decoded).every((char) => char >= ' ' && char !== '\u007f' && char !== '\\')).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })
})
