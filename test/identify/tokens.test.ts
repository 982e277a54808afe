import { createHmac, generateKeyPairSync } from 'node:crypto'
import * as fc from 'fast-check'
import { base64url, exportJWK, importJWK, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildIdentify } from '../../src/core/ingress/identify.ts'
import type { Fault } from '../../src/core/model/fault.ts'
import type { Principal } from '../../src/core/model/principal.ts'
import type { Issuer } from '../../src/core/policy/linked/issuers.ts'
import { access, accessPolicy, matched, testRoute } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'
import { type IssuerDouble, issuerDouble } from '../support/issuer.ts'
import { fakeFetch, fakePorts } from '../support/ports.ts'

const clock = fakeClock()
const now = Math.floor(clock.now() / 1000)
let idp: IssuerDouble
let other: IssuerDouble
let identify: (token: string | undefined, changes?: Partial<Issuer>) => Promise<Principal>

beforeAll(async () => {
  idp = await issuerDouble(clock.now)
  await idp.addKey('RS256')
  await idp.addKey('EdDSA')
  await idp.addKey('ES256')
  other = await issuerDouble(clock.now, 'https://other.example.com', 'other')
  const fetch = fakeFetch({ [idp.metadataUrl]: { text: idp.metadata() }, [idp.jwksUrl]: { text: idp.jwks() } })
  const ports = fakePorts({ clock, fetch })
  identify = async (token, changes = {}) => {
    const room = buildIdentify(accessPolicy([access('orders', [])], [idp.config(changes), other.config()]), ports)
    const headers = token === undefined ? [] : [['authorization', `Bearer ${token}`] as const]
    const { principal } = await room(matched(['orders'], { headers }))
    return principal
  }
})

/** Signs header and payload text as they stand. */
async function signText(header: string, payload: string): Promise<string> {
  const key = idp.keys[0]
  if (key === undefined) throw new Error('no key')
  const input = `${base64url.encode(header)}.${base64url.encode(payload)}`
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, new TextEncoder().encode(input))
  return `${input}.${base64url.encode(new Uint8Array(signature))}`
}

const header = () => JSON.stringify({ alg: 'ES256', kid: idp.keys[0]?.kid, typ: 'at+jwt' })
const payload = (more = '') => `{"iss":"https://idp.example.com","aud":"https://api.example.com","sub":"u1","iat":${now},"exp":${now + 300}${more}}`

async function refusal(work: Promise<unknown>): Promise<Fault> {
  return work.then(
    () => {
      throw new Error('the token passed')
    },
    (error: unknown) => error as Fault,
  )
}

describe('a good token', () => {
  it('becomes a principal with scopes, client and claims', async () => {
    const principal = await identify(await idp.token({ client_id: 'c1', scope: 'orders:read  orders:write', org: { id: 'o1' } }))
    expect(principal).toMatchObject({ kind: 'subject', issuer: 'main', subject: 'u1', clientId: 'c1', claims: { org: { id: 'o1' } } })
    expect(principal.kind === 'subject' && [...principal.scopes]).toEqual(['orders:read', 'orders:write'])
  })

  it.each([0, 1, 2, 3])('passes with key %i of the set', async (i) => {
    const key = idp.keys[i]
    if (key === undefined) throw new Error('no such key')
    await expect(identify(await idp.token({}, { key }))).resolves.toMatchObject({ subject: 'u1' })
  })

  it('signed by the test itself passes, so that the attacks below fail for their own reason', async () => {
    await expect(identify(await signText(header(), payload()))).resolves.toMatchObject({ subject: 'u1' })
    await expect(identify(await signText(header(), payload(',"\\u0061":1')))).resolves.toMatchObject({ claims: { a: 1 } })
  })

  it('without a key id passes when one of the keys made it', async () => {
    const [first] = idp.keys
    if (first === undefined) throw new Error('no key')
    await expect(identify(await idp.token({}, { key: first, header: { kid: undefined } }))).resolves.toMatchObject({ subject: 'u1' })
  })

  it.each([
    ['an audience among others', { aud: ['https://elsewhere.example', 'https://api.example.com'] }],
    ['no iat', { iat: undefined }],
    ['expired within the skew', { iat: now - 400, exp: now - 29 }],
    ['not yet valid within the skew', { nbf: now + 29 }],
    ['a typed jti', { jti: 'id-1' }],
  ])('passes with %s', async (_, claims) => {
    await expect(identify(await idp.token(claims))).resolves.toMatchObject({ subject: 'u1' })
  })

  it.each([
    ['a media type', { typ: 'application/at+jwt' }],
    ['capitals', { typ: 'JWT' }],
    ['none', { typ: undefined }],
  ])('passes with %s as its type', async (_, changes) => {
    await expect(identify(await idp.token({}, { header: changes }))).resolves.toMatchObject({ subject: 'u1' })
  })

  it('takes scopes from the first scope claim that is there', async () => {
    const scopes = async (claims: Readonly<Record<string, unknown>>) => {
      const principal = await identify(await idp.token(claims))
      return principal.kind === 'subject' ? [...principal.scopes] : undefined
    }
    expect(await scopes({ scope: undefined, scp: ['a', 'b'] })).toEqual(['a', 'b'])
    expect(await scopes({ scope: 'a', scp: ['b'] })).toEqual(['a'])
    expect(await scopes({ scope: undefined })).toEqual([])
  })

  it('gives claims that are frozen and have no prototype', async () => {
    const principal = await identify(await signText(header(), payload(',"__proto__":{"admin":true},"list":[{"a":1}]')))
    if (principal.kind !== 'subject') throw new Error('not a subject')
    const { claims } = principal
    expect(Object.getPrototypeOf(claims)).toBeNull()
    expect('admin' in claims).toBe(false)
    expect(Object.isFrozen(claims) && Object.isFrozen(claims['list']) && Object.isFrozen((claims['list'] as readonly unknown[])[0])).toBe(true)
  })
})

describe('claims of the wrong kind are refused', () => {
  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['another issuer', { iss: 'https://evil.example' }, 'not accepted here'],
    ['the issuer with a slash', { iss: 'https://idp.example.com/' }, 'not accepted here'],
    ['an issuer that this route does not accept', { iss: 'https://other.example.com' }, 'not accepted here'],
    ['an issuer list', { iss: ['https://idp.example.com'] }, 'no issuer'],
    ['no issuer', { iss: undefined }, 'no issuer'],
    ['another audience', { aud: 'https://elsewhere.example' }, 'audience'],
    ['an audience prefix', { aud: 'https://api.example.com.evil.example' }, 'audience'],
    ['no audience', { aud: undefined }, 'aud'],
    ['an audience number', { aud: 7 }, 'aud'],
    ['an audience list with a number', { aud: ['https://api.example.com', 7] }, 'aud'],
    ['an empty audience list', { aud: [] }, 'audience'],
    ['no expiry', { exp: undefined }, 'no expiry'],
    ['an expiry as text', { exp: `${now + 300}` }, 'exp'],
    ['an expiry in milliseconds', { exp: (now + 300) * 1000 }, 'exp'],
    ['an expiry ten years off', { exp: now + 315_360_000 }, 'lives longer'],
    ['an expiry ten years off, without iat', { exp: now + 315_360_000, iat: undefined }, 'lives longer'],
    ['a past expiry', { iat: now - 400, exp: now - 31 }, 'expired'],
    ['an expiry before its issue', { iat: now + 20, exp: now + 10 }, 'before it was issued'],
    ['an expiry at its issue', { iat: now + 20, exp: now + 20 }, 'before it was issued'],
    ['a negative expiry', { exp: -1 }, 'exp'],
    ['an issue in the future', { iat: now + 31 }, 'future'],
    ['an issue as text', { iat: 'now' }, 'iat'],
    ['a start in the future', { nbf: now + 31 }, 'not valid yet'],
    ['a start as null', { nbf: null }, 'nbf'],
    ['a start that is an object', { nbf: {} }, 'nbf'],
    ['no subject', { sub: undefined }, 'no "sub"'],
    ['an empty subject', { sub: '' }, 'sub'],
    ['a number as subject', { sub: 1 }, 'sub'],
    ['an object as subject', { sub: { id: 'u1' } }, 'sub'],
    ['a subject with a line break', { sub: 'u1\r\nx-admin: 1' }, 'sub'],
    ['a subject with NUL', { sub: 'u1\u0000' }, 'sub'],
    ['a subject with an invisible character', { sub: 'u1\u200b' }, 'sub'],
    ['a subject of 256 characters', { sub: 'u'.repeat(256) }, 'sub'],
    ['a number as jti', { jti: 5 }, 'jti'],
    ['a list as client', { client_id: ['c1'] }, 'client_id'],
    ['a bound token (mTLS)', { cnf: { 'x5t#S256': 'abc' } }, 'cnf'],
    ['a bound token (DPoP)', { cnf: { jkt: 'abc' } }, 'cnf'],
    ['an unknown binding', { cnf: { new: 1 } }, 'cnf'],
    ['a null binding', { cnf: null }, 'cnf'],
    ['scopes as an object', { scope: { 'orders:read': true } }, 'scope'],
    ['scopes as a number', { scope: 1 }, 'scope'],
    ['a list of scopes with a number', { scope: ['orders:read', 1] }, 'scope'],
    ['a list of scopes with a space', { scope: ['orders:read admin'] }, 'scope'],
    ['a list of scopes with a list', { scope: [['orders:read']] }, 'scope'],
  ])('%s', async (_, claims, reason) => {
    const fault = await refusal(identify(await idp.token(claims)))
    expect(fault).toMatchObject({ code: 'token_invalid', message: 'the access token is not valid' })
    expect(fault.detail.internal).toContain(reason)
    expect(fault.detail.headers).toEqual([
      ['www-authenticate', 'Bearer realm="sallyport", error="invalid_token", error_description="the access token is not valid"'],
    ])
  })
})

describe('headers of the wrong kind are refused', () => {
  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['another type', { typ: 'id+jwt' }, 'type'],
    ['a DPoP proof', { typ: 'dpop+jwt' }, 'type'],
    ['a type as a list', { typ: ['at+jwt'] }, 'type'],
    ['a key set URL', { jku: 'https://evil.example/jwks' }, 'jku'],
    ['a certificate URL', { x5u: 'https://evil.example/x' }, 'x5u'],
    ['a key of its own', { jwk: { kty: 'EC' } }, 'jwk'],
    ['a certificate of its own', { x5c: ['MII'] }, 'x5c'],
    ['compression', { zip: 'DEF' }, 'zip'],
    ['an unknown key id', { kid: 'nobody' }, 'key id'],
    ['another key of the set', { kid: 'main-1' }, 'signature'],
    ['a key id as a number', { kid: 1 }, 'key id'],
    ['a key id as a path', { kid: '../../dev/null' }, 'key id'],
    ['a key id with a line break', { kid: 'a\nb' }, 'key id'],
    ['a header of 2 KiB', { filler: 'x'.repeat(2048) }, '1024'],
  ])('%s', async (_, changes, reason) => {
    const fault = await refusal(identify(await idp.token({}, { header: changes })))
    expect(fault.code).toBe('token_invalid')
    expect(fault.detail.internal).toContain(reason)
  })

  it('critical extensions, with b64 or unknown', async () => {
    for (const text of ['"crit":["b64"],"b64":false', '"b64":false', '"b64":true', '"crit":["exp"]', '"crit":[]']) {
      const fault = await refusal(identify(await signText(`${header().slice(0, -1)},${text}}`, payload())))
      expect(fault.detail.internal).toContain('is refused')
    }
  })

  it.each(['none', 'None', 'NONE', 'HS256', 'RS1', 'RSA1_5', 'dir'])('algorithm %s, whatever the signature', async (alg) => {
    for (const signature of ['AA', 'c2lnbmF0dXJl']) {
      const token = `${base64url.encode(JSON.stringify({ alg, typ: 'at+jwt' }))}.${base64url.encode(payload())}.${signature}`
      await expect(identify(token)).rejects.toMatchObject({ code: 'token_invalid' })
      await expect(identify(token, { algorithms: [alg, 'ES256'] })).rejects.toMatchObject({
        code: 'token_invalid',
        detail: { internal: 'an algorithm that this issuer does not use' },
      })
    }
  })

  it('a public key used as a shared secret', async () => {
    const rsa = idp.keys[1]
    const input = `${base64url.encode(JSON.stringify({ alg: 'HS256', kid: rsa?.kid, typ: 'at+jwt' }))}.${base64url.encode(payload())}`
    const signature = createHmac('sha256', JSON.stringify(rsa?.jwk)).update(input).digest()
    await expect(identify(`${input}.${base64url.encode(signature)}`, { algorithms: ['HS256', 'RS256'] })).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it('an algorithm that is real but not on the list of this issuer', async () => {
    const token = await idp.token({}, { key: idp.keys[1] ?? never() })
    await expect(identify(token)).resolves.toMatchObject({ subject: 'u1' })
    await expect(identify(token, { algorithms: ['ES256'] })).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it('a key of somebody else under a known key id', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = await importJWK(await exportJWK(privateKey), 'ES256')
    const token = await new SignJWT(JSON.parse(payload())).setProtectedHeader({ alg: 'ES256', kid: idp.keys[0]?.kid ?? never(), typ: 'at+jwt' }).sign(key)
    const fault = await refusal(identify(token))
    expect(fault.detail.internal).toContain('signature')
  })
})

describe('forms that are not the one form are refused', () => {
  it.each<[string, (parts: readonly [string, string, string]) => string]>([
    ['two segments', ([h, p]) => `${h}.${p}`],
    ['four segments', ([h, p, s]) => `${h}.${p}.${s}.${s}`],
    ['five segments', ([h, p, s]) => `${h}.${p}.${s}.${s}.${s}`],
    ['an empty signature', ([h, p]) => `${h}.${p}.`],
    ['an empty payload', ([h, , s]) => `${h}..${s}`],
    ['padding', ([h, p, s]) => `${h}.${p}.${s}==`],
    ['plain base64', ([h, p, s]) => `${h}.${p}.+/${s.slice(2)}`],
    ['a tilde', ([h, p, s]) => `${h}.${p}.${s}~`],
    ['non-zero trailing bits', ([h, p, s]) => `${h}.${p}.${s.slice(0, -1)}${String.fromCharCode(s.charCodeAt(s.length - 1) + 1)}`],
    ['a longer signature', ([h, p, s]) => `${h}.${p}.${s}AAAA`],
    ['a signature of zeros', ([h, p]) => `${h}.${p}.${base64url.encode(new Uint8Array(64))}`],
    ['the payload of another token', ([h, , s]) => `${h}.${base64url.encode(payload(',"x":1'))}.${s}`],
  ])('%s', async (_, change) => {
    // A 64 byte signature ends in two unused bits.
    const parts = (await idp.token()).split('.') as unknown as readonly [string, string, string]
    await expect(identify(change(parts))).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it.each<[string, string]>([
    ['a duplicate member', ',"sub":"admin"'],
    ['a duplicate member in escapes', ',"\\u0073ub":"admin"'],
    ['a nested duplicate', ',"org":{"id":1,"id":2}'],
    ['an infinite number', ',"n":1e999'],
    ['a lone surrogate', ',"n":"\\ud800"'],
    ['a control character', ',"n":"\u0001"'],
    ['a trailing comma', ','],
    ['nine levels', `,"n":${'['.repeat(8)}${']'.repeat(8)}`],
    ['3,000 levels', `,"n":${'['.repeat(3000)}${']'.repeat(3000)}`],
    ['single quotes', ",'n':1"],
    ['a hexadecimal number', ',"n":0x10'],
    ['a leading zero', ',"n":01'],
    ['NaN', ',"n":NaN'],
    ['9 KiB', `,"n":"${'x'.repeat(9000)}"`],
  ])('a payload with %s', async (_, more) => {
    await expect(identify(await signText(header(), payload(more)))).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it('an expiry at infinity', async () => {
    const text = payload().replace(`"exp":${now + 300}`, '"exp":1e999')
    await expect(identify(await signText(header(), text))).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it.each([
    ['a byte order mark', `\ufeff${payload()}`],
    ['a list', `[${payload()}]`],
    ['text', '"token"'],
    ['null', 'null'],
    ['something behind it', `${payload()} x`],
    ['nothing', ' '],
  ])('%s instead of a payload', async (_, text) => {
    await expect(identify(await signText(header(), text))).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it.each(['{"alg":"ES256","alg":"none"}', '{"alg":"ES256","\\u0061lg":"none"}', '{"alg":["ES256"]}', '{}', '[]', 'null'])('the header %s', async (text) => {
    await expect(identify(await signText(text, payload()))).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it('payloads that are not UTF-8', async () => {
    const bytes = new Uint8Array([...new TextEncoder().encode(payload(',"n":"')), 0xff, 0x22, 0x7d])
    const token = `${base64url.encode(header())}.${base64url.encode(bytes)}.AAAA`
    await expect(identify(token)).rejects.toMatchObject({ code: 'token_invalid' })
  })
})

describe('the Authorization header', () => {
  const room = () => buildIdentify(accessPolicy([access('orders', [])], [idp.config()]), fakePorts({ clock }))
  const offer = async (...values: readonly string[]) =>
    refusal((async () => room()(matched(['orders'], { headers: values.map((value) => ['authorization', value] as const) })))())

  it('that is absent gets a challenge without an error code', async () => {
    const fault = await offer()
    expect(fault).toMatchObject({ code: 'unauthenticated', detail: { headers: [['www-authenticate', 'Bearer realm="sallyport"']] } })
  })

  it.each(['Basic dTpw', 'Digest x', 'Bearerx abc', 'token'])('of another scheme gets the same challenge: %s', async (value) => {
    const fault = await offer(value)
    expect(fault).toMatchObject({ code: 'unauthenticated', detail: { headers: [['www-authenticate', 'Bearer realm="sallyport"']] } })
  })

  it.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a, Bearer b', 'Bearer "a"', 'bearer \u00e9'])('that cannot be read is 400: %s', async (value) => {
    const fault = await offer(value)
    expect(fault.code).toBe('credential_invalid')
    expect(fault.detail.headers?.[0]?.[1]).toContain('error="invalid_request"')
  })

  it('that comes twice is 400, even when both are the same', async () => {
    const token = await idp.token()
    await expect(offer(`Bearer ${token}`, `Bearer ${token}`)).resolves.toMatchObject({ code: 'credential_invalid' })
    await expect(offer(`Bearer ${token}`, 'Basic dTpw')).resolves.toMatchObject({ code: 'credential_invalid' })
  })

  it('is the only place where a token is read', async () => {
    const token = await idp.token()
    const x = matched(['orders'], {
      query: `access_token=${token}`,
      headers: [
        ['x-access-token', token],
        ['cookie', `access_token=${token}`],
      ],
    })
    await expect(refusal((async () => room()(x))())).resolves.toMatchObject({ code: 'unauthenticated' })
  })
})

describe('the requirement tree', () => {
  const run = async (trees: Readonly<Record<string, Parameters<typeof access>[2]>>, token: string | undefined) => {
    const policies = Object.entries(trees).map(([name, tree]) => access(name, [], tree))
    const fetch = fakeFetch({
      [idp.metadataUrl]: { text: idp.metadata() },
      [idp.jwksUrl]: { text: idp.jwks() },
      [other.metadataUrl]: { text: other.metadata() },
      [other.jwksUrl]: { text: other.jwks() },
    })
    const room = buildIdentify(accessPolicy(policies, [idp.config(), other.config()]), fakePorts({ clock, fetch }))
    const headers = token === undefined ? [] : [['authorization', `Bearer ${token}`] as const]
    try {
      const { principal } = await room(matched(Object.keys(trees), { headers }))
      return principal.kind === 'subject' ? principal.issuer : principal.kind
    } catch (error) {
      return (error as Fault).code
    }
  }
  const main = { kind: 'jwt', name: 'main' } as const
  const second = { kind: 'jwt', name: 'other' } as const
  const none = { kind: 'none' } as const
  const either = { kind: 'anyOf', of: [main, second] } as const
  const optional = { kind: 'optional', of: main } as const

  it('none does not look at the header at all', async () => {
    expect(await run({ a: none }, undefined)).toBe('anonymous')
    expect(await run({ a: none }, 'rubbish')).toBe('anonymous')
    expect(await run({ a: none }, await idp.token())).toBe('anonymous')
  })

  it('jwt takes its issuer alone', async () => {
    expect(await run({ a: main }, await idp.token())).toBe('main')
    expect(await run({ a: main }, await other.token())).toBe('token_invalid')
    expect(await run({ a: main }, undefined)).toBe('unauthenticated')
  })

  it('anyOf takes either', async () => {
    expect(await run({ a: either }, await idp.token())).toBe('main')
    expect(await run({ a: either }, await other.token())).toBe('other')
    expect(await run({ a: either }, undefined)).toBe('unauthenticated')
    expect(await run({ a: { kind: 'anyOf', of: [main, none] } }, undefined)).toBe('anonymous')
  })

  it('optional takes none, but never a bad one', async () => {
    expect(await run({ a: optional }, undefined)).toBe('anonymous')
    expect(await run({ a: optional }, await idp.token())).toBe('main')
    expect(await run({ a: optional }, 'rubbish')).toBe('token_invalid')
    expect(await run({ a: optional }, await other.token())).toBe('token_invalid')
    expect(await run({ a: optional }, 'a b')).toBe('credential_invalid')
  })

  it('of several policies must all be met', async () => {
    expect(await run({ a: none, b: main }, undefined)).toBe('unauthenticated')
    expect(await run({ a: optional, b: main }, undefined)).toBe('unauthenticated')
    expect(await run({ a: either, b: main }, await idp.token())).toBe('main')
    expect(await run({ a: either, b: main }, await other.token())).toBe('token_invalid')
    expect(await run({ a: main, b: second }, await idp.token())).toBe('token_invalid')
  })

  it('that is missing or quarantined closes the route', async () => {
    const room = buildIdentify(accessPolicy([{ ...access('broken', [], none), quarantined: 'a typo' }]), fakePorts({ clock }))
    expect(() => room(matched(['broken']))).toThrow('this route is quarantined')
    expect(() => room(matched(['nowhere']))).toThrow('this route is quarantined')
    expect(room(matched([], { route: testRoute([]) }))).toMatchObject({ principal: { kind: 'anonymous' } })
  })
})

describe('10,000 mutated tokens', () => {
  it('never pass', async () => {
    const good = [await idp.token(), await signText(header(), payload())]
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.='
    const mutated = fc
      .tuple(
        fc.constantFrom(...good),
        fc.array(fc.tuple(fc.constantFrom('set', 'cut', 'add', 'swap'), fc.nat(), fc.constantFrom(...alphabet.split(''))), { minLength: 1, maxLength: 4 }),
      )
      .map(([token, changes]) => changes.reduce(mutate, token))
      .filter((token) => !good.includes(token))
    const refused = fc.asyncProperty(mutated, async (token) => {
      const fault = await refusal(identify(token))
      return fault.code === 'token_invalid' || fault.code === 'credential_invalid'
    })
    await expect(fc.assert(refused, { numRuns: 10_000 })).resolves.toBeUndefined()
    await expect(identify(good[0])).resolves.toMatchObject({ subject: 'u1' })
  }, 60_000)
})

function mutate(token: string, [kind, place, char]: readonly [string, number, string]): string {
  const at = place % token.length
  if (kind === 'set') return token.slice(0, at) + char + token.slice(at + 1)
  if (kind === 'cut') return token.slice(0, at) + token.slice(at + 1)
  if (kind === 'add') return token.slice(0, at) + char + token.slice(at)
  const parts = token.split('.')
  return [...parts.slice(at % parts.length), ...parts.slice(0, at % parts.length)].join('.')
}

function never(): never {
  throw new Error('the double has too few keys')
}
