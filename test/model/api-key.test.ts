import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isApiKeyId, readApiKey, writeApiKey } from '../../src/core/model/api-key.ts'
import { type ApiKeyRecord, apiKeyObstacle, readApiKeyFile, readApiKeyRecord } from '../../src/core/model/api-key-record.ts'

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((all) => Buffer.from(all).toString('hex'))
const key = fc.tuple(hex(10), hex(25)).map(([id, secret]) => writeApiKey(id, secret))

describe('the text of an API key', () => {
  it('is read back to the id it was written with', () => {
    fc.assert(
      fc.property(key, ({ id, text }) => {
        expect(readApiKey(text)).toEqual({ kind: 'key', id })
        expect(isApiKeyId(id)).toBe(true)
        expect(text).toMatch(/^spk_[a-z2-7]{16}_[a-z2-7]{47}$/)
      }),
    )
  })

  it('differs for different random bytes', () => {
    fc.assert(
      fc.property(hex(10), hex(25), hex(25), (id, one, other) => {
        expect(writeApiKey(id, one).text === writeApiKey(id, other).text).toBe(one === other)
      }),
    )
  })

  it('has one spelling: with any one character changed it is no key', () => {
    fc.assert(
      fc.property(key, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), ({ text }, at, char) => {
        const i = at % text.length
        fc.pre(text[i] !== char)
        expect(readApiKey(text.slice(0, i) + char + text.slice(i + 1)).kind).not.toBe('key')
      }),
    )
  })

  it('that was copied badly is told from one that was made up', () => {
    const { text } = writeApiKey('00'.repeat(10), '01'.repeat(25))
    const last = text.at(-1) === 'a' ? 'b' : 'a'
    expect(readApiKey(text.slice(0, -1) + last)).toEqual({ kind: 'mistyped' })
    for (const other of ['', 'spk_', text.toUpperCase(), ` ${text}`, `${text} `, text.slice(0, -1), `${text}a`, text.replace('spk_', 'sk_')])
      expect(readApiKey(other)).toEqual({ kind: 'malformed' })
  })

  it('is never read out of something else, nor does that make its reader throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(readApiKey(text).kind).not.toBe('key')
      }),
    )
  })

  it('is not made of too few bytes', () => {
    expect(() => writeApiKey('00', '00'.repeat(25))).toThrow(RangeError)
    expect(() => writeApiKey('00'.repeat(10), '00'.repeat(20))).toThrow(RangeError)
  })
})

const stored = { id: 'a'.repeat(16), hash: '0'.repeat(64), owner: 'acme', created: 1 }

describe('the record of an API key', () => {
  it('is read from its JSON, without what it leaves out', () => {
    expect(readApiKeyRecord(stored)).toEqual({
      ...stored,
      clientId: undefined,
      scopes: [],
      claims: {},
      notBefore: undefined,
      expires: undefined,
      revoked: undefined,
      rotatedTo: undefined,
      note: undefined,
    })
  })

  it.each([
    [null, 'not an object'],
    [[], 'not an object'],
    [{ ...stored, id: 'A'.repeat(16) }, 'no proper id'],
    [{ ...stored, hash: 'abc' }, 'no SHA-256'],
    [{ ...stored, owner: undefined }, 'no owner'],
    [{ ...stored, owner: 'a\nb' }, '"owner"'],
    [{ ...stored, owner: ' a' }, '"owner"'],
    [{ ...stored, created: '1' }, '"created"'],
    [{ ...stored, expires: 1.5 }, '"expires"'],
    [{ ...stored, expires: -1 }, '"expires"'],
    [{ ...stored, revoked: true }, '"revoked"'],
    [{ ...stored, scopes: 'a b' }, '"scopes"'],
    [{ ...stored, scopes: ['a b'] }, '"scopes"'],
    [{ ...stored, claims: [] }, '"claims"'],
    [{ ...stored, expired: 5 }, 'unknown member "expired"'],
  ])('is refused when it says %j', (value, problem) => {
    expect(() => readApiKeyRecord(value)).toThrow(problem)
  })

  it('is refused or read, whatever it is made of', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const read = () => {
          try {
            return isApiKeyId(readApiKeyRecord(value).id)
          } catch (error) {
            return error instanceof Error && !(error instanceof TypeError)
          }
        }
        expect(read()).toBe(true)
      }),
    )
  })

  it.each<[Partial<ApiKeyRecord>, string | undefined]>([
    [{}, undefined],
    [{ notBefore: 100 }, undefined],
    [{ notBefore: 101 }, 'not valid yet'],
    [{ expires: 101 }, undefined],
    [{ expires: 100 }, 'expired'],
    [{ expires: 100, rotatedTo: 'b' }, 'expired: another took its place'],
    [{ expires: 101, rotatedTo: 'b' }, undefined],
    [{ revoked: 200 }, 'revoked'],
  ])('with %j is, at second 100, %s', (changes, obstacle) => {
    expect(apiKeyObstacle({ ...readApiKeyRecord(stored), ...changes }, 100_000)).toBe(obstacle)
  })
})

describe('a file of API keys', () => {
  it('is taken as a whole or not at all', () => {
    const file = (keys: unknown) => ({ sallyport: 'api-keys/v1', keys })
    expect([...readApiKeyFile(file([stored])).keys()]).toEqual([stored.id])
    expect(readApiKeyFile(file([])).size).toBe(0)
    expect(() => readApiKeyFile(file([stored, { ...stored, id: 'b'.repeat(16), owner: 7 }]))).toThrow('the key bbbbbbbbbbbbbbbb')
    expect(() => readApiKeyFile(file([stored, stored]))).toThrow('there twice')
    for (const other of [{}, [], null, { keys: [] }, { sallyport: 'v1', keys: [] }, file({})]) expect(() => readApiKeyFile(other)).toThrow('no file of')
  })
})
