import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildRedactor, maskedValues } from '../../src/core/observe/redact.ts'

const secret = fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme' }).filter((text) => new TextDecoder().decode(new TextEncoder().encode(text)) === text)
const around = fc.string({ maxLength: 12 })

const spellings: Readonly<Record<string, (secret: string) => string>> = {
  raw: (text) => text,
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  percent: (text) => encodeURIComponent(text),
  'lower-case percent': (text) => encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
  form: (text) => new URLSearchParams({ k: text }).toString().slice(2),
  hex: (text) => Buffer.from(text).toString('hex'),
  'upper-case hex': (text) => Buffer.from(text).toString('hex').toUpperCase(),
}

describe('the redactor', () => {
  for (const [name, spell] of Object.entries(spellings)) {
    it(`takes out a secret in ${name} spelling, whatever stands around it`, () => {
      fc.assert(
        fc.property(secret, around, around, (value, before, after) => {
          const out = buildRedactor([value])(`${before}${spell(value)}${after}`)
          expect(out).toContain('[redacted]')
          const elsewhere = `${before}${after}[redacted]`.includes(spell(value))
          expect(elsewhere || !out.includes(spell(value))).toBe(true)
        }),
      )
    })
  }

  it('takes out a secret that stands anywhere inside a base64 text, in both alphabets', () => {
    fc.assert(
      fc.property(secret, fc.string({ maxLength: 9 }), fc.constantFrom('base64' as const, 'base64url' as const), (value, user, alphabet) => {
        const whole = Buffer.from(`${user}:${value}`).toString(alphabet)
        expect(buildRedactor([value])(`Basic ${whole}`)).toContain('[redacted]')
      }),
    )
  })

  it('leaves a text without secrets as it is', () => {
    expect(buildRedactor(['hunter2hunter2'])('connect ECONNREFUSED 127.0.0.1:9')).toBe('connect ECONNREFUSED 127.0.0.1:9')
    expect(buildRedactor([])('anything')).toBe('anything')
    expect(buildRedactor([''])('anything')).toBe('anything')
  })

  it('covers spellings that overlap or touch with one mark', () => {
    expect(buildRedactor(['abcdef', 'defghi'])('x abcdefghi y')).toBe('x [redacted] y')
    expect(buildRedactor(['secretsecret'])('secretsecretsecret')).toBe('[redacted]')
  })

  it('takes a secret of header size without compiling anything from it', () => {
    const secret = 'Az0-'.repeat(4096)
    expect(buildRedactor([secret])('short')).toBe('short')
    expect(buildRedactor([secret])(`x${secret}y`)).toBe('x[redacted]y')
  })

  it('takes the longer secret when one begins like another', () => {
    expect(buildRedactor(['abcdefgh', 'abcdefghijkl'])('x abcdefghijkl y')).toBe('x [redacted] y')
  })
})

describe('masked values', () => {
  it('are those of credential headers and of the headers a policy names, with and without their scheme', () => {
    const headers: Readonly<Record<string, readonly string[]>> = { authorization: ['Bearer t0ken'], 'x-own': ['own'], accept: ['text/html'] }
    expect(maskedValues((name) => headers[name] ?? [], ['X-Own'])).toEqual(['Bearer t0ken', 't0ken', 'own'])
  })
})
