import { createHash } from 'node:crypto'
import { generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { buildIdentify } from '../../src/core/ingress/identify.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Issuer } from '../../src/core/policy/linked/issuers.ts'
import { createMemoryShared } from '../../src/node/shared.ts'
import { access, accessPolicy, type MatchedOptions, matched } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'
import { type DpopClient, dpopClient, type ProofAbout } from '../support/dpop.ts'
import { issuerDouble } from '../support/issuer.ts'
import { fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'

const url = 'https://api.example.com/v1/orders/7'
const nonceKey = 'n'.repeat(32)

async function house(rules: Partial<Issuer['proof']> = {}) {
  const clock = fakeClock(Date.UTC(2026, 0, 1))
  const idp = await issuerDouble(() => clock.now())
  const shared = createMemoryShared(clock)
  const client = await dpopClient()
  const token = await idp.token({ cnf: { jkt: client.thumbprint } })
  const config = idp.config({ proof: { required: 'none', maxAgeMs: 60_000, nonceKey: undefined, ...rules } })
  const policy = accessPolicy([access('orders', [])], [config])
  /** One replica of several: they have the shared facts in common and nothing else. */
  const replica = () => {
    const fetch = fakeFetch({ [idp.jwksUrl]: () => ({ text: idp.jwks() }), [idp.metadataUrl]: () => ({ text: idp.metadata() }) })
    return buildIdentify(policy, fakePorts({ clock, shared, fetch, secrets: fakeSecrets({ 'env:NONCE': nonceKey }) }))
  }
  const identify = replica()
  const proof = (about: Partial<ProofAbout> = {}) => client.proof({ url, token, now: clock.now(), ...about })
  const ask = async (headers: MatchedOptions['headers'], options: MatchedOptions = {}, room = identify) =>
    (await room(matched(['orders'], { headers: headers ?? [], ...options }))).principal
  return { clock, idp, client, token, identify, replica, proof, ask, shared }
}

const with_ = (token: string, proof: string) =>
  [
    ['authorization', `DPoP ${token}`],
    ['dpop', proof],
  ] as const

async function refusal(asked: Promise<unknown>): Promise<Fault> {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Fault)) throw new Error('it was not refused')
  return error
}

describe('a token bound to a key', () => {
  it('is taken with a proof of its key', async () => {
    const { ask, token, proof } = await house()
    expect(await ask(with_(token, await proof()))).toMatchObject({ kind: 'subject', subject: 'u1' })
  })

  it('needs a new proof for each request', async () => {
    const { ask, token, proof } = await house()
    const used = await proof()
    await ask(with_(token, used))
    expect((await refusal(ask(with_(token, used)))).detail.internal).toBe('used before')
    expect(await ask(with_(token, await proof()))).toMatchObject({ subject: 'u1' })
  })

  it('has its proof remembered by every replica', async () => {
    const { ask, token, proof, replica } = await house()
    const used = await proof()
    await ask(with_(token, used))
    expect((await refusal(ask(with_(token, used), {}, replica()))).detail.internal).toBe('used before')
  })

  it('cannot be used while nobody can tell whether its proof was used before', async () => {
    const { ask, token, proof, shared } = await house()
    Object.assign(shared, { claim: () => Promise.reject(new Error('gone')) })
    expect((await refusal(ask(with_(token, await proof())))).code).toBe('proof_store_unavailable')
  })

  it('is no bearer token', async () => {
    const { ask, token, proof } = await house()
    const bearer = [['authorization', `Bearer ${token}`]] as const
    expect((await refusal(ask(bearer))).code).toBe('token_invalid')
    expect((await refusal(ask([...bearer, ['dpop', await proof()]]))).code).toBe('token_invalid')
  })

  it('may name its URL in any spelling of the same, with or without query', async () => {
    const { ask, token, proof } = await house()
    for (const htu of [`${url}?a=1#b`, 'HTTPS://API.example.com:443/v1/orders/%37']) {
      expect(await ask(with_(token, await proof({ url: htu })), { query: 'x=2' })).toMatchObject({ subject: 'u1' })
    }
  })

  const wrong: Readonly<Record<string, (all: Awaited<ReturnType<typeof house>>) => Partial<ProofAbout> | Promise<Partial<ProofAbout>>>> = {
    'another method (htm)': () => ({ method: 'POST' }),
    'a method in lower case': () => ({ method: 'get' }),
    'another path (htu)': () => ({ url: `${url}8` }),
    'another host': () => ({ url: url.replace('api.', 'evil.') }),
    'another scheme': () => ({ url: url.replace('https', 'http') }),
    'another port': () => ({ url: url.replace('.com', '.com:8443') }),
    'userinfo in its URL': () => ({ url: url.replace('https://', 'https://u@') }),
    'dot segments in its URL': () => ({ url: url.replace('/orders', '/x/../orders') }),
    'no URL': () => ({ claims: { htu: undefined } }),
    'a list of URLs': () => ({ claims: { htu: [url] } }),
    'another token (ath)': () => ({ token: 'x' }),
    'no token (ath)': () => ({ claims: { ath: undefined } }),
    'no id': () => ({ claims: { jti: undefined } }),
    'an id that is no text': () => ({ claims: { jti: 7 } }),
    'an id without end': () => ({ claims: { jti: 'a'.repeat(256) } }),
    'no time': () => ({ claims: { iat: undefined } }),
    'a time in the future': ({ clock }) => ({ now: clock.now() + 31_000 }),
    'a time too long ago': ({ clock }) => ({ now: clock.now() - 91_000 }),
    'a time in milliseconds': ({ clock }) => ({ claims: { iat: clock.now() * 1000 } }),
    'the type of an access token': () => ({ header: { typ: 'at+jwt' } }),
    'no type': () => ({ header: { typ: undefined } }),
    'no key in its header': () => ({ header: { jwk: undefined } }),
    'a private key in its header': ({ client }) => ({ header: { jwk: { ...client.jwk, d: 'AAAA' } } }),
    'a key reference beside the key': () => ({ header: { kid: 'k' } }),
    'critical headers': () => ({ header: { 'x-own': 1, jku: 'https://evil.example' } }),
    'the signature of another key': async () => ({ key: (await generateKeyPair('ES256')).privateKey }),
    'another key than the token': async () => {
      const other: DpopClient = await dpopClient()
      return { header: { jwk: other.jwk }, key: other.privateKey }
    },
  }
  it.each(Object.entries(wrong))('is refused with a proof of %s', async (_, change) => {
    const all = await house()
    const fault = await refusal(all.ask(with_(all.token, await all.proof(await change(all)))))
    expect([fault.code, fault.status]).toEqual(['proof_invalid', 401])
    expect(fault.detail.headers?.[0]?.[1]).toContain('DPoP error="invalid_dpop_proof"')
    // And nothing of it was remembered: the same request with a good proof passes.
    expect(await all.ask(with_(all.token, await all.proof()))).toMatchObject({ subject: 'u1' })
  })

  it('is refused without a proof, with two, and with one that is no JWS', async () => {
    const { ask, token, proof } = await house()
    const scheme = ['authorization', `DPoP ${token}`] as const
    const one = await proof()
    for (const proofs of [[], [one, await proof()], [`${one}.x`], [one.slice(0, -2)], ['e30.e30.'], ['']]) {
      expect((await refusal(ask([scheme, ...proofs.map((text) => ['dpop', text] as const)]))).code).toBe('proof_invalid')
    }
  })
})

describe('a token that is bound to nothing', () => {
  it('does not come with the scheme DPoP', async () => {
    const { ask, idp, proof } = await house()
    const token = await idp.token()
    expect((await refusal(ask(with_(token, await proof({ token }))))).code).toBe('token_invalid')
  })

  it.each(['any', 'dpop', 'certificate'] as const)('is refused where its issuer asks for %s', async (required) => {
    const { ask, idp } = await house({ required })
    expect((await refusal(ask([['authorization', `Bearer ${await idp.token()}`]]))).code).toBe('token_invalid')
  })
})

it.each([{ jkt: 'short' }, { jkt: 7 }, {}, { 'x5t#S512': 'a' }, { jwk: {} }, 'text', null])('a binding of an unknown kind is refused: %j', async (cnf) => {
  const { ask, idp } = await house()
  expect((await refusal(ask([['authorization', `Bearer ${await idp.token({ cnf })}`]]))).code).toBe('token_invalid')
})

describe('nonces', () => {
  it('are asked for, and a proof with the one that was given passes on any replica', async () => {
    const { ask, token, proof, replica } = await house({ nonceKey: 'env:NONCE' })
    const fault = await refusal(ask(with_(token, await proof())))
    const headers = Object.fromEntries(fault.detail.headers ?? [])
    expect([fault.status, headers['www-authenticate']]).toEqual([401, expect.stringContaining('DPoP error="use_dpop_nonce"')])
    const nonce = headers['dpop-nonce']
    expect(await ask(with_(token, await proof({ claims: { nonce } })), {}, replica())).toMatchObject({ subject: 'u1' })
  })

  it('grow old, and cannot be made up', async () => {
    const { ask, token, proof, clock } = await house({ nonceKey: 'env:NONCE' })
    const given = Object.fromEntries((await refusal(ask(with_(token, await proof())))).detail.headers ?? [])['dpop-nonce']
    clock.advance(250_000)
    expect(await ask(with_(token, await proof({ claims: { nonce: given } })))).toMatchObject({ subject: 'u1' })
    clock.advance(400_000)
    for (const nonce of [given, 'made-up', 'eyJhbGciOiJub25lIn0.MQ.', 7]) {
      expect((await refusal(ask(with_(token, await proof({ claims: { nonce } }))))).code).toMatch(/token_invalid|proof_invalid/)
    }
  })
})

it('challenges say what the route takes', async () => {
  const none = await refusal((await house()).ask([]))
  expect(none.detail.headers).toEqual([['www-authenticate', 'Bearer realm="sallyport"']])
  const only = await refusal((await house({ required: 'dpop' })).ask([]))
  expect(only.detail.headers).toEqual([['www-authenticate', expect.stringMatching(/^DPoP realm="sallyport", algs="ES256 /)]])
  const both = await refusal((await house({ required: 'any' })).ask([]))
  expect(both.detail.headers).toHaveLength(2)
})

describe('a token bound to a client certificate', () => {
  const certificate = Uint8Array.from([1, 2, 3])
  const thumbprint = createHash('sha256').update(certificate).digest('base64url')

  async function askWith(cnf: unknown, der: Uint8Array | undefined, rules: Partial<Issuer['proof']> = {}) {
    const { identify, idp } = await house(rules)
    const x = matched(['orders'], { headers: [['authorization', `Bearer ${await idp.token({ cnf })}`]] })
    return identify(Object.assign(x, { client: { ...x.client, certificate: der } }))
  }

  it.each(['none', 'any', 'certificate'] as const)('is taken over a connection with it, where its issuer asks for %s', async (required) => {
    expect((await askWith({ 'x5t#S256': thumbprint }, certificate, { required })).principal).toMatchObject({ subject: 'u1' })
  })

  it('is refused over any other connection, and where a key is asked for', async () => {
    expect((await refusal(askWith({ 'x5t#S256': thumbprint }, Uint8Array.from([1])))).code).toBe('token_invalid')
    expect((await refusal(askWith({ 'x5t#S256': thumbprint }, undefined))).code).toBe('token_invalid')
    expect((await refusal(askWith({ 'x5t#S256': thumbprint }, certificate, { required: 'dpop' }))).code).toBe('token_invalid')
  })
})
