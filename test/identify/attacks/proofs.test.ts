import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { type DpopClient, dpopClient, type ProofAbout } from '../../support/dpop.ts'
import { always, forge, hmac } from '../../support/forge.ts'
import { type Attack, atHouse, attackGroup, both, deliver, flawsOf, h2c, http1, type Message, type Refused, refusals } from './attack.ts'
import type { House } from './house.ts'

let client: DpopClient
let other: DpopClient

beforeAll(async () => {
  client = await dpopClient()
  other = await dpopClient('ES384')
})

const house = atHouse()
const audience = 'https://bound.example.com'
const authority = 'api.example'
const path = '/bound/7'
const url = `http://${authority}${path}`

/** A token that is bound to the client's key. */
const boundToken = (at: House, claims: Readonly<Record<string, unknown>> = {}) => at.bound.token({ aud: audience, cnf: { jkt: client.thumbprint }, ...claims })

interface Made {
  readonly token: string
  readonly proof: (about?: Partial<ProofAbout>) => Promise<string>
}

/** A request with this token and these proofs. */
const asked = (token: string, proofs: readonly string[], more: { method?: string; path?: string; host?: string; scheme?: string } = {}) => ({
  method: more.method ?? 'GET',
  path: more.path ?? path,
  headers: [
    ['host', more.host ?? authority] as const,
    ['authorization', `${more.scheme ?? 'DPoP'} ${token}`] as const,
    ...proofs.map((proof) => ['dpop', proof] as const),
  ],
})

const made = async (at: House): Promise<Made> => {
  const token = await boundToken(at)
  return { token, proof: (about = {}) => client.proof({ url, token, now: Date.now(), ...about }) }
}

type Change = (at: House, made: Made) => Partial<ProofAbout> | Promise<Partial<ProofAbout>>

/** A proof that says something else, over both protocols. */
function proving(name: string, source: string, why: string, change: Change): Attack {
  const send = async (at: House) => {
    const all = await made(at)
    // A proof is good once: each message brings its own.
    return [http1(asked(all.token, [await all.proof(await change(at, all))])), h2c(asked(all.token, [await all.proof(await change(at, all))]))]
  }
  return { name, source, why, as: refusals.badProof, send }
}

/** A text in place of the proof. */
function inPlace(name: string, source: string, why: string, make: (at: House, made: Made) => string | Promise<string>): Attack {
  const send = async (at: House) => {
    const all = await made(at)
    return both(asked(all.token, [await make(at, all)]))
  }
  return { name, source, why, as: refusals.badProof, send }
}

const check = (number: number) => `RFC 9449 section 4.3, check ${number}`
const claimed = (claims: Readonly<Record<string, unknown>>) => ({ claims })
const headed = (header: Readonly<Record<string, unknown>>) => ({ header })
const ath = (token: string) => createHash('sha256').update(token).digest('base64url')
const claimsOf = (token: string) => JSON.stringify({ htm: 'GET', htu: url, iat: Math.floor(Date.now() / 1000), jti: randomUUID(), ath: ath(token) })

attackGroup(
  'a proof about this request and this token, by the key of the token',
  house,
  [
    {
      name: 'a good proof',
      send: async (at) => {
        const { token, proof } = await made(at)
        return [http1(asked(token, [await proof()])), h2c(asked(token, [await proof()]))]
      },
      saw: ({ fields }) => fields.every(([name]) => name !== 'authorization' && name !== 'dpop'),
    },
    {
      name: 'a URL in another spelling, with a query',
      send: async (at) => {
        const { token, proof } = await made(at)
        return [http1(asked(token, [await proof({ url: `HTTP://API.example:80/bound/%37?a=1#b` })], { path: `${path}?b=2` }))]
      },
    },
    {
      name: 'another method, where the request has it too',
      send: async (at) => {
        const { token, proof } = await made(at)
        return [http1(asked(token, [await proof({ method: 'DELETE' })], { method: 'DELETE' }))]
      },
    },
  ],
  [
    proving('another method', check(8), 'htm', () => ({ method: 'POST' })),
    proving('a method in lower case', check(8), 'htm', () => ({ method: 'get' })),
    proving('no method', check(3), 'htm', () => claimed({ htm: undefined })),
    proving('a list of methods', check(8), 'htm', () => claimed({ htm: ['GET'] })),
    proving('another path', check(9), 'htu', () => ({ url: `${url}8` })),
    proving('a path in other case', check(9), 'htu', () => ({ url: url.replace('bound', 'BOUND') })),
    proving('a shorter path', check(9), 'htu', () => ({ url: `http://${authority}/bound` })),
    proving('a slash behind the path', check(9), 'htu', () => ({ url: `${url}/` })),
    proving('dot segments', check(9), 'htu', () => ({ url: `http://${authority}/bound/x/../7` })),
    proving('another host', check(9), 'htu', () => ({ url: url.replace(authority, 'evil.example') })),
    proving('a longer host', check(9), 'htu', () => ({ url: url.replace(authority, `${authority}.evil.example`) })),
    proving('a host with a dot behind', check(9), 'htu', () => ({ url: url.replace(authority, `${authority}.`) })),
    proving('another port', check(9), 'htu', () => ({ url: url.replace(authority, `${authority}:8080`) })),
    proving('another scheme', check(9), 'htu', () => ({ url: url.replace('http:', 'https:') })),
    proving('userinfo', check(9), 'htu', () => ({ url: url.replace(authority, `user@${authority}`) })),
    proving('the host as userinfo of another', check(9), 'htu', () => ({ url: url.replace(authority, `${authority}@evil.example`) })),
    proving('a backslash', check(9), 'htu', () => ({ url: `http://${authority}\\@evil.example${path}` })),
    proving('a path alone', check(9), 'htu', () => ({ url: path })),
    proving('no URL', check(3), 'htu', () => claimed({ htu: undefined })),
    proving('a list of URLs', check(9), 'htu', () => claimed({ htu: [url] })),
    proving('an empty URL', check(9), 'htu', () => ({ url: '' })),
    proving('another token', check(11), 'ath', () => ({ token: 'x' })),
    proving('no token', check(11), 'ath', () => claimed({ ath: undefined })),
    proving('the hash of a token in hexadecimal', check(11), 'ath', (_, { token }) => claimed({ ath: createHash('sha256').update(token).digest('hex') })),
    proving('the hash of a token with padding', check(11), 'ath', (_, { token }) => claimed({ ath: `${ath(token)}=` })),
    proving('no id', check(3), 'jti', () => claimed({ jti: undefined })),
    proving('an id that is a number', check(3), 'jti', () => claimed({ jti: 7 })),
    proving('an empty id', check(3), 'jti', () => claimed({ jti: '' })),
    proving('an id of 256 characters', 'RFC 9449 section 11.1 (size of jti)', 'jti', () => claimed({ jti: 'j'.repeat(256) })),
    proving('no time', check(3), 'iat', () => claimed({ iat: undefined })),
    proving('a time in text', check(12), 'iat', () => claimed({ iat: `${Math.floor(Date.now() / 1000)}` })),
    proving('a time in milliseconds', check(12), 'iat', () => claimed({ iat: Date.now() * 1000 })),
    proving('a time in the future', check(12), 'in the future', () => ({ now: Date.now() + 120_000 })),
    proving('a time long ago', check(12), 'too old', () => ({ now: Date.now() - 600_000 })),
    proving('the type of an access token', check(4), 'dpop+jwt', () => headed({ typ: 'at+jwt' })),
    proving('the type JWT', check(4), 'dpop+jwt', () => headed({ typ: 'JWT' })),
    proving('no type', check(4), 'dpop+jwt', () => headed({ typ: undefined })),
    proving('no key', check(6), 'no public key', () => headed({ jwk: undefined })),
    proving('a private key', check(7), 'no public key', () => headed({ jwk: { ...client.jwk, d: 'AAAA' } })),
    proving('a shared secret as key', check(5), 'no public key', () => headed({ jwk: { kty: 'oct', k: 'AAAA' } })),
    proving('a key that is a text', check(6), 'no public key', () => headed({ jwk: 'key' })),
    proving('a key in a list', check(6), 'no public key', () => headed({ jwk: [client.jwk] })),
    proving('a key without y', check(6), 'no public key', () => headed({ jwk: { ...client.jwk, y: undefined } })),
    proving('a key on no curve', check(6), '', () => headed({ jwk: { ...client.jwk, x: client.jwk.y } })),
    proving('a key id beside the key', check(2), '"kid" is refused', () => headed({ kid: 'k' })),
    proving('a key set beside the key', check(2), '"jku" is refused', () => headed({ jku: 'https://evil.example' })),
    proving('certificates beside the key', check(2), '"x5c" is refused', () => headed({ x5c: [] })),
    proving('the signature of another key', check(6), 'signature verification failed', () => ({
      key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey as never,
    })),
    inPlace('another key, with its own signature', 'RFC 9449 section 6.1', 'another key', (_, { token }) => other.proof({ url, token, now: Date.now() })),
    inPlace('no signature', check(5), 'not three', (_, { token }) =>
      forge(JSON.stringify({ alg: 'none', typ: 'dpop+jwt', jwk: client.jwk }), claimsOf(token), always(Buffer.of())),
    ),
    inPlace('algorithm none', check(5), 'an algorithm', (_, { token }) =>
      forge(JSON.stringify({ alg: 'none', typ: 'dpop+jwt', jwk: client.jwk }), claimsOf(token), always(Buffer.of(1))),
    ),
    inPlace('algorithm HS256 with the key as secret', check(5), 'an algorithm', (_, { token }) =>
      forge(JSON.stringify({ alg: 'HS256', typ: 'dpop+jwt', jwk: client.jwk }), claimsOf(token), hmac(JSON.stringify(client.jwk))),
    ),
    inPlace('r and s zero', 'CVE-2022-21449', 'signature verification failed', (_, { token }) =>
      forge(JSON.stringify({ alg: 'ES256', typ: 'dpop+jwt', jwk: client.jwk }), claimsOf(token), always(Buffer.alloc(64))),
    ),
    inPlace('a member twice', 'RFC 7519 section 4', 'given twice', (_, { token }) =>
      forge(JSON.stringify({ alg: 'ES256', typ: 'dpop+jwt', jwk: client.jwk }), claimsOf(token).replace('{', '{"htm":"POST",'), always(Buffer.alloc(64))),
    ),
    inPlace('the access token itself', check(2), '"kid" is refused', (_, { token }) => token),
    inPlace('two proofs behind a comma', check(1), 'not three', async (_, { proof }) => `${await proof()}, ${await proof()}`),
    inPlace('text that is no JWS', check(2), 'not three', () => 'proof'),
    inPlace('an empty header', check(1), 'not three', () => ''),
    inPlace('9 KiB', 'design, Identify', 'longer than', () => 'a'.repeat(9216)),
  ],
)

/** A request that is made by hand from a token and a way to proofs. */
const unproved = (
  name: string,
  source: string,
  as: Refused,
  why: string | undefined,
  send: (made: Made, at: House) => Promise<readonly Message[]>,
): Attack => ({
  name,
  source,
  as,
  ...(why === undefined ? {} : { why }),
  send: async (at) => send(await made(at), at),
})

attackGroup(
  'a bound token without its proof',
  house,
  [{ name: 'a good proof', send: async (at) => [http1(asked(...(await whole(at))))] }],
  [
    unproved('no proof', check(1), refusals.badProof, 'no DPoP header', async ({ token }) => both(asked(token, []))),
    unproved('as bearer token', 'RFC 9449 section 7.2 (downgrade)', refusals.badToken, 'without the scheme DPoP', async ({ token }) =>
      both(asked(token, [], { scheme: 'Bearer' })),
    ),
    unproved('as bearer token with a good proof', 'RFC 9449 section 7.2 (downgrade)', refusals.badToken, 'without the scheme DPoP', async ({ token, proof }) =>
      both(asked(token, [await proof()], { scheme: 'Bearer' })),
    ),
    unproved('two proofs', check(1), refusals.severalProofs, undefined, async ({ token, proof }) => both(asked(token, [await proof(), await proof()]))),
    unproved('one proof twice', check(1), refusals.severalProofs, undefined, async ({ token, proof }) => {
      const one = await proof()
      return both(asked(token, [one, one]))
    }),
    unproved('a token that is bound to nothing', 'RFC 9449 section 7.1', refusals.badToken, 'not bound to', async ({ proof }, at) => {
      const token = await at.bound.token({ aud: audience })
      return [http1(asked(token, [await proof({ token })])), http1(asked(token, [], { scheme: 'Bearer' }))]
    }),
    unproved('a token of the attacker with the proof of the victim', 'RFC 9449 section 11.2', refusals.badProof, 'ath', async ({ proof }, at) =>
      both(asked(await boundToken(at, { sub: 'mallory', cnf: { jkt: other.thumbprint } }), [await proof()])),
    ),
    unproved('another token of the same key', 'RFC 9449 section 11.7', refusals.badProof, 'ath', async ({ proof }, at) =>
      both(asked(await boundToken(at, { sub: 'u2' }), [await proof()])),
    ),
    unproved('a proof for one host behind the Host of another', check(9), refusals.badProof, 'htu', async ({ token, proof }) =>
      both(asked(token, [await proof()], { host: 'evil.example' })),
    ),
    unproved('a proof for the host of X-Forwarded-Host', check(9), refusals.badProof, 'htu', async ({ token, proof }) => {
      const { headers, ...rest } = asked(token, [await proof()], { host: 'evil.example' })
      const forwarded = [
        ['x-forwarded-host', authority],
        ['forwarded', `host=${authority}`],
        ['x-original-url', url],
      ] as const
      return both({ ...rest, headers: [...headers, ...forwarded] })
    }),
    unproved('a proof for https behind X-Forwarded-Proto', check(9), refusals.badProof, 'htu', async ({ token, proof }) => {
      const { headers, ...rest } = asked(token, [await proof({ url: url.replace('http:', 'https:') })])
      return both({ ...rest, headers: [...headers, ['x-forwarded-proto', 'https'] as const] })
    }),
    unproved('a proof for GET with a method override', check(8), refusals.badProof, 'htm', async ({ token, proof }) => {
      const { headers, ...rest } = asked(token, [await proof()], { method: 'POST' })
      return both({ ...rest, headers: [...headers, ['x-http-method-override', 'GET'] as const] })
    }),
    unproved('a port in Host that the proof has not', check(9), refusals.badProof, 'htu', async ({ token, proof }) =>
      both(asked(token, [await proof()], { host: `${authority}:81` })),
    ),
  ],
)

async function whole(at: House): Promise<readonly [string, readonly string[]]> {
  const { token, proof } = await made(at)
  return [token, [await proof()]]
}

describe('a proof that was used', () => {
  it.each([
    ['over the same protocol', http1, http1],
    ['over another protocol', http1, h2c],
  ])('is refused %s (RFC 9449 section 11.1)', async (_, first, second) => {
    const [token, proofs] = await whole(house())
    const before = house().upstream.requests.length
    expect((await deliver(house().port, first(asked(token, proofs)))).status).toBe(200)
    for (let i = 0; i < 3; i++) expect(await flawsOf(house(), second(asked(token, proofs)), { as: refusals.badProof, why: 'used before' })).toEqual([])
    // Neither a query nor the spelling of the path makes it new.
    expect(await flawsOf(house(), second(asked(token, proofs, { path: `${path}?again=1` })), { as: refusals.badProof, why: 'used before' })).toEqual([])
    expect(await flawsOf(house(), second(asked(token, proofs, { path: '/bound/%37' })), { as: refusals.badProof, why: 'used before' })).toEqual([])
    expect(house().upstream.requests.length - before).toBe(1)
  })

  it('is used by one of twenty that come at once (RFC 9449 section 11.1)', async () => {
    const [token, proofs] = await whole(house())
    const before = house().upstream.requests.length
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => deliver(house().port, (i % 2 === 0 ? http1 : h2c)(asked(token, proofs)))))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 19 }, () => 401)])
    expect(house().upstream.requests.length - before).toBe(1)
  })

  it('is used up by the id alone, whatever its signature (RFC 9449 section 11.1)', async () => {
    const { token, proof } = await made(house())
    const jti = randomUUID()
    expect((await deliver(house().port, http1(asked(token, [await proof({ claims: { jti } })])))).status).toBe(200)
    expect(await flawsOf(house(), http1(asked(token, [await proof({ claims: { jti } })])), { as: refusals.badProof, why: 'used before' })).toEqual([])
  })

  it('is used up by a good request alone: a refused one costs its owner nothing', async () => {
    const { token, proof } = await made(house())
    const one = await proof()
    expect(await flawsOf(house(), http1(asked(token, [one], { method: 'POST' })), { as: refusals.badProof, why: 'htm' })).toEqual([])
    expect((await deliver(house().port, http1(asked(token, [one])))).status).toBe(200)
  })
})
