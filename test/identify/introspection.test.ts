import { decodeJwt, exportJWK, exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { buildIdentify, introspectionsOf } from '../../src/core/ingress/identify.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Requirement } from '../../src/core/policy/linked/access.ts'
import type { Introspection, Issuer } from '../../src/core/policy/linked/issuers.ts'
import type { FetchRequest, FetchResponse } from '../../src/core/ports.ts'
import { createMemoryShared } from '../../src/node/shared.ts'
import { access, accessPolicy, type MatchedOptions, matched, testRoute } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'
import { dpopClient } from '../support/dpop.ts'
import { issuerDouble } from '../support/issuer.ts'
import { fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'

const endpoint = 'https://idp.example.com/introspect'
const asked: Requirement = { kind: 'introspection', name: 'main' }
const settings: Introspection = {
  url: endpoint,
  clientId: 'gate way',
  auth: 'client_secret_basic',
  credential: 'env:SECRET',
  cacheMs: 30_000,
  timeoutMs: 3000,
  audience: 'required',
  clientAsSubject: false,
}

type Answer = Readonly<Record<string, unknown>>
type Answering = (request: FetchRequest) => Partial<FetchResponse> | Promise<Partial<FetchResponse>>

const json = (answer: Answer): Partial<FetchResponse> => ({ headers: { 'content-type': 'application/json' }, text: JSON.stringify(answer) })

interface HouseOptions {
  readonly settings?: Partial<Introspection>
  readonly issuer?: Partial<Issuer>
  readonly tree?: Requirement
  readonly others?: readonly Issuer[]
}

async function house(options: HouseOptions = {}) {
  const clock = fakeClock(Date.UTC(2026, 0, 1))
  const idp = await issuerDouble(() => clock.now())
  const shared = createMemoryShared(clock)
  const secrets = fakeSecrets({ 'env:SECRET': 's:e cret' })
  const config = idp.config({ introspection: { ...settings, ...options.settings }, ...options.issuer })
  const policy = accessPolicy([access('orders', [], options.tree ?? asked)], [config, ...(options.others ?? [])])
  const seconds = () => Math.floor(clock.now() / 1000)
  const good = (more: Answer = {}): Answer => ({
    active: true,
    iss: idp.url,
    aud: idp.audience,
    sub: 'u1',
    client_id: 'web',
    scope: 'orders:read orders:write',
    exp: seconds() + 300,
    ...more,
  })
  const state: { answer: Answering } = { answer: () => json(good()) }
  const replica = () => {
    const fetch = fakeFetch({
      [endpoint]: (request) => state.answer(request),
      [idp.jwksUrl]: () => ({ text: idp.jwks() }),
      [idp.metadataUrl]: () => ({ text: JSON.stringify({ issuer: idp.url, jwks_uri: idp.jwksUrl, introspection_endpoint: endpoint }) }),
    })
    const ports = fakePorts({ clock, shared, fetch, secrets })
    const room = buildIdentify(policy, ports)
    const ask = async (token: string, more: MatchedOptions['headers'] = [], scheme = 'Bearer') =>
      (await room(matched(['orders'], { headers: [['authorization', `${scheme} ${token}`], ...more] }))).principal
    return { ports, fetch, room, ask, questions: () => fetch.requests.filter(({ url }) => url === endpoint) }
  }
  return { clock, idp, shared, secrets, policy, state, good, replica, ...replica() }
}

/** Until that many questions reached the endpoint. */
const under = (questions: () => readonly unknown[], count: number) => vi.waitFor(() => expect(questions()).toHaveLength(count), { interval: 1 })

async function refusal(asking: Promise<unknown>): Promise<Fault> {
  const error = await asking.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Fault)) throw new Error('it was not refused')
  return error
}

describe('an opaque token', () => {
  it('becomes what its issuer says of it', async () => {
    const { ask, questions } = await house()
    const principal = await ask('opaque-1')
    expect(principal).toMatchObject({ kind: 'subject', by: 'introspection', issuer: 'main', subject: 'u1', clientId: 'web' })
    expect(principal.kind === 'subject' && [...principal.scopes]).toEqual(['orders:read', 'orders:write'])
    const [request] = questions()
    expect(request).toMatchObject({ method: 'POST', timeoutMs: 3000, limit: 65_536 })
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({ token: 'opaque-1', token_type_hint: 'access_token' })
    // RFC 6749 section 2.3.1: id and secret are form-encoded first.
    expect(atob(request?.headers['authorization']?.slice('Basic '.length) ?? '')).toBe('gate+way:s%3Ae+cret')
  })

  it.each<readonly [string, Answer]>([
    ['is not active', { active: false }],
    ['is of another issuer', { iss: 'https://other.example.com' }],
    ['is meant for another audience', { aud: 'https://other.example.com' }],
    ['is meant for nobody', { aud: undefined }],
    ['has an audience that is no text', { aud: [7] }],
    ['has no subject', { sub: undefined }],
    ['has a subject that is no text', { sub: 7 }],
    ['has a subject with a line break', { sub: 'a\nb' }],
    ['has expired', { exp: Date.UTC(2026, 0, 1) / 1000 - 31 }],
    ['has an end in milliseconds', { exp: Date.UTC(2026, 0, 2) }],
    ['has an end that is text', { exp: '1' }],
    ['lives too long', { exp: Date.UTC(2026, 0, 3) / 1000 }],
    ['is not valid yet', { nbf: Date.UTC(2026, 0, 1) / 1000 + 60 }],
    ['was issued in the future', { iat: Date.UTC(2026, 0, 1) / 1000 + 60 }],
    ['has scopes that are none', { scope: 'a"b' }],
    ['is a refresh token', { token_type: 'refresh_token' }],
    ['is bound in an unknown way', { cnf: { jwk: {} } }],
    ['says it is bound to a key, and is not', { token_type: 'DPoP' }],
    ['has an id that is no text', { jti: {} }],
  ])('that %s is refused', async (_, more) => {
    const { ask, state, good } = await house()
    state.answer = () => json(good(more))
    const fault = await refusal(ask('t'))
    expect([fault.code, fault.status]).toEqual(['token_invalid', 401])
    expect(fault.detail.headers?.[0]?.[1]).toContain('error="invalid_token"')
  })

  it.each([
    ['its route gives it', { deadline: Number.POSITIVE_INFINITY, timeoutMs: 500 }],
    ['its caller gives it', { deadline: 500, timeoutMs: 15_000 }],
  ])('keeps a request no longer than %s', async (_, { deadline, timeoutMs }) => {
    const { clock, room, state, questions } = await house()
    state.answer = () => new Promise(() => {})
    const request = matched([], { route: testRoute(['orders'], { timeoutMs }), headers: [['authorization', 'Bearer slow']] })
    const now = clock.ticks()
    const asking = refusal(Promise.resolve(room(Object.assign(request, { receivedAt: now, deadline: now + deadline }))))
    await under(questions, 1)
    clock.advance(500)
    expect(await asking).toMatchObject({ code: 'deadline_exceeded' })
  })

  it('without an end is taken: its issuer says that it is good now', async () => {
    const { ask, state, good } = await house()
    state.answer = () => json(good({ exp: undefined, iss: undefined }))
    expect(await ask('t')).toMatchObject({ subject: 'u1' })
  })

  it('without an audience is taken where the policy says so, and one for another still is not', async () => {
    const { ask, state, good } = await house({ settings: { audience: 'optional' } })
    state.answer = () => json(good({ aud: undefined }))
    expect(await ask('t')).toMatchObject({ subject: 'u1' })
    state.answer = () => json(good({ aud: 'https://other.example.com' }))
    expect((await refusal(ask('u'))).code).toBe('token_invalid')
  })

  it('of a client stands for that client where the policy says so', async () => {
    const { ask, state, good } = await house({ settings: { clientAsSubject: true } })
    state.answer = () => json(good({ sub: undefined }))
    expect(await ask('t')).toMatchObject({ subject: 'web', clientId: 'web' })
    state.answer = () => json(good({ sub: undefined, client_id: undefined }))
    expect((await refusal(ask('u'))).code).toBe('token_invalid')
  })

  it('is longer than any token, and nobody is asked', async () => {
    const { ask, questions } = await house()
    expect((await refusal(ask('a'.repeat(8193)))).code).toBe('token_invalid')
    expect(questions()).toHaveLength(0)
  })

  it('is missing, and the answer is a plain challenge', async () => {
    const { room } = await house()
    await expect(async () => room(matched(['orders']))).rejects.toMatchObject({
      code: 'unauthenticated',
      detail: { headers: [['www-authenticate', 'Bearer realm="sallyport"']] },
    })
  })
})

describe('a bound opaque token', () => {
  it('needs the proof of its key', async () => {
    const { ask, state, good, clock } = await house()
    const client = await dpopClient()
    state.answer = () => json(good({ token_type: 'DPoP', cnf: { jkt: client.thumbprint } }))
    const proof = await client.proof({ url: 'https://api.example.com/v1/orders/7', token: 't', now: clock.now() })
    expect(await ask('t', [['dpop', proof]], 'DPoP')).toMatchObject({ subject: 'u1' })
    expect((await refusal(ask('t', [['dpop', proof]], 'DPoP'))).detail.internal).toBe('used before')
    expect((await refusal(ask('t'))).code).toBe('token_invalid')
  })
})

describe('which way a token goes', () => {
  const both: Requirement = { kind: 'anyOf', of: [{ kind: 'jwt', name: 'main' }, asked] }

  it('a JWT of an issuer whose JWTs are taken is verified, and everything else is asked about', async () => {
    const { ask, idp, questions } = await house({ tree: both })
    expect(await ask(await idp.token())).toMatchObject({ by: 'jwt' })
    expect(questions()).toHaveLength(0)
    const foreign = await issuerDouble(() => Date.UTC(2026, 0, 1), 'https://foreign.example.com')
    for (const token of ['opaque', await foreign.token(), 'a.b.c', `${await idp.token()}=`]) expect(await ask(token)).toMatchObject({ by: 'introspection' })
    expect(questions()).toHaveLength(4)
  })

  it('a JWT that is not good is refused, and nobody is asked', async () => {
    const { ask, idp, questions } = await house({ tree: both })
    const token = await idp.token({ exp: 1 })
    expect((await refusal(ask(token))).code).toBe('token_invalid')
    expect(questions()).toHaveLength(0)
  })

  it('where no JWTs are taken, they are asked about too, and no keys are fetched', async () => {
    const { ask, idp, fetch } = await house()
    expect(await ask(await idp.token())).toMatchObject({ by: 'introspection' })
    expect(fetch.requests.map(({ url }) => url)).toEqual([endpoint])
  })

  it('of several issuers each is asked in turn, and one that is named alone', async () => {
    const other = await issuerDouble(() => Date.UTC(2026, 0, 1), 'https://other.example.com', 'other')
    const elsewhere = 'https://other.example.com/introspect'
    const tree: Requirement = { kind: 'anyOf', of: [{ kind: 'introspection', name: 'other' }, asked] }
    const { ask, fetch, idp } = await house({ tree, others: [other.config({ introspection: { ...settings, url: elsewhere } })] })
    fetch.on(elsewhere, () => json({ active: false }))
    expect(await ask('t')).toMatchObject({ issuer: 'main' })
    expect(fetch.requests.map(({ url }) => url)).toEqual([elsewhere, endpoint])
    expect(await ask(await idp.token())).toMatchObject({ issuer: 'main' })
    expect(fetch.requests.map(({ url }) => url)).toEqual([elsewhere, endpoint, endpoint])
    // One who might know is down: nobody can tell.
    fetch.on(elsewhere, new Error('down'))
    fetch.on(endpoint, () => json({ active: false }))
    expect((await refusal(ask('u'))).code).toBe('idp_unavailable')
  })
})

describe('the endpoint', () => {
  it('is discovered once', async () => {
    const { ask, fetch, idp } = await house({ settings: { url: undefined } })
    await ask('a')
    await ask('b')
    expect(fetch.requests.map(({ url }) => url)).toEqual([idp.metadataUrl, endpoint, endpoint])
  })

  it.each([
    ['http://idp.example.com/introspect', 'http://127.0.0.1:1'],
    ['http://idp.example.com/introspect', 'https://idp.example.com'],
  ])('is not asked in clear text: %s of %s', async (url, issuer) => {
    const { ask, fetch, questions } = await house({ settings: { url: undefined }, issuer: { issuer } })
    fetch.on(`${issuer}/.well-known/openid-configuration`, () => ({ text: JSON.stringify({ issuer, introspection_endpoint: url }) }))
    expect((await refusal(ask('t'))).detail.internal).toMatch(/not https/)
    expect(questions()).toHaveLength(0)
  })

  const bad: Readonly<Record<string, Answering>> = {
    'cannot be reached': () => Promise.reject(new Error('down')),
    'answers 500': () => ({ status: 500 }),
    'answers 404': () => ({ status: 404 }),
    'answers 429': () => ({ status: 429 }),
    redirects: () => ({ status: 302, headers: { location: 'https://evil.example' } }),
    'answers HTML': () => ({ headers: { 'content-type': 'text/html' }, text: '<p>' }),
    'answers no JSON': () => ({ headers: { 'content-type': 'application/json' }, text: '{' }),
    'answers JSON that two readers read in two ways': () => ({ headers: { 'content-type': 'application/json' }, text: '{"active":false,"active":true}' }),
    'answers a list': () => ({ headers: { 'content-type': 'application/json' }, text: '[]' }),
    'does not say whether the token is active': () => json({ sub: 'u1' }),
    'says it is active in words': () => json({ active: 'true' }),
    'signs its answers': () => ({ headers: { 'content-type': 'application/token-introspection+jwt' }, text: 'e30.e30.e30' }),
    'refuses the gateway itself': () => ({ status: 401 }),
    'never answers': () => new Promise(() => {}),
  }
  it.each(Object.entries(bad))('that %s makes 503 with Retry-After, never 401', async (_, answer) => {
    const { ask, state, clock, ports, questions } = await house()
    state.answer = answer
    const asking = refusal(ask('t'))
    await under(questions, 1)
    clock.advance(3000)
    const fault = await asking
    expect([fault.code, fault.status, fault.detail.headers]).toEqual(['idp_unavailable', 503, [['retry-after', '1']]])
    const outcome = answer === bad['refuses the gateway itself'] ? 'unauthorized' : 'failed'
    expect(ports.meter.total('sallyport_introspections_total', { issuer: 'https://idp.example.com', outcome })).toBe(1)
  })

  it('that refuses the gateway itself is named so in the record', async () => {
    const { ask, state } = await house()
    state.answer = () => ({ status: 401, text: 'secret words' })
    expect((await refusal(ask('t'))).detail.internal).toBe("https://idp.example.com: the introspection endpoint refuses the gateway's own client (401)")
  })

  it('makes 503 where the secret is missing', async () => {
    const { ask } = await house({ settings: { credential: 'env:OTHER' } })
    expect((await refusal(ask('t'))).code).toBe('idp_unavailable')
  })

  it('is not asked for a second after five failures, then by one request, then by all', async () => {
    const { ask, state, clock, questions, good } = await house()
    state.answer = () => ({ status: 500 })
    for (let i = 0; i < 5; i++) await refusal(ask(`t${i}`))
    expect((await refusal(ask('held'))).detail).toMatchObject({ headers: [['retry-after', '1']], internal: expect.stringContaining('5 failures in a row') })
    expect(questions()).toHaveLength(5)
    clock.advance(1000)
    let answer: (value: Partial<FetchResponse>) => void = () => {}
    state.answer = () => new Promise((resolve) => (answer = resolve))
    const probe = ask('probe')
    await under(questions, 6)
    expect((await refusal(ask('other'))).code).toBe('idp_unavailable')
    expect(questions()).toHaveLength(6)
    answer(json(good()))
    expect(await probe).toMatchObject({ subject: 'u1' })
    state.answer = () => json(good())
    expect(await ask('other')).toMatchObject({ subject: 'u1' })
  })

  it('stays in use when it refuses odd tokens', async () => {
    const { ask, state, questions } = await house()
    state.answer = () => ({ status: 400 })
    for (let i = 0; i < 8; i++) await refusal(ask(`t${i}`))
    expect(questions()).toHaveLength(8)
  })

  it('has a hundred calls under way at most', async () => {
    const { ask, state, clock, questions } = await house()
    state.answer = () => new Promise(() => {})
    const asking = Array.from({ length: 120 }, (_, i) => refusal(ask(`t${i}`)))
    await under(questions, 100)
    clock.advance(3000)
    const faults = await Promise.all(asking)
    expect(questions()).toHaveLength(100)
    expect(faults.every(({ code }) => code === 'idp_unavailable')).toBe(true)
  })
})

describe('what is remembered', () => {
  it('is an active token, for as long as the policy says and no longer', async () => {
    const { ask, clock, questions, ports } = await house({ settings: { cacheMs: 10_000 } })
    for (const [wait, times] of [
      [0, 1],
      [9_900, 1],
      [200, 2],
    ] as const) {
      clock.advance(wait)
      await ask('t')
      expect(questions()).toHaveLength(times)
    }
    expect(ports.meter.total('sallyport_introspections_total', { outcome: 'remembered' })).toBe(1)
  })

  it('is nothing past the end of the token', async () => {
    const { ask, clock, questions, state, good } = await house()
    const exp = clock.now() / 1000 + 5
    state.answer = () => json(good({ exp }))
    await ask('t')
    clock.advance(5000)
    state.answer = () => json({ active: false })
    expect((await refusal(ask('t'))).code).toBe('token_invalid')
    expect(questions()).toHaveLength(2)
  })

  it('is nothing where the policy says so', async () => {
    const { ask, questions } = await house({ settings: { cacheMs: 0 } })
    await ask('t')
    await ask('t')
    expect(questions()).toHaveLength(2)
  })

  it('is a refused token, for three seconds', async () => {
    const { ask, clock, questions, state, good } = await house()
    state.answer = () => json({ active: false })
    await refusal(ask('t'))
    await refusal(ask('t'))
    expect(questions()).toHaveLength(1)
    clock.advance(3000)
    state.answer = () => json(good())
    expect(await ask('t')).toMatchObject({ subject: 'u1' })
  })

  it('is no failure: the next request asks again', async () => {
    const { ask, state, good } = await house()
    state.answer = () => ({ status: 500 })
    await refusal(ask('t'))
    state.answer = () => json(good())
    expect(await ask('t')).toMatchObject({ subject: 'u1' })
  })

  it('is asked for once at a time', async () => {
    const { ask, questions } = await house()
    await Promise.all(Array.from({ length: 50 }, () => ask('t')))
    expect(questions()).toHaveLength(1)
  })

  it('outlives a reload of the same settings, and not of others', async () => {
    const { ask, questions, policy, ports, room } = await house()
    await ask('t')
    const again = buildIdentify(structuredClone(policy), ports)
    room.close()
    const request = () => matched(['orders'], { headers: [['authorization', 'Bearer t']] })
    await again(request())
    expect(questions()).toHaveLength(1)
    const [main] = Object.values(policy.issuers)
    if (main === undefined) throw new Error('no issuer')
    const stricter = buildIdentify({ ...policy, issuers: { main: { ...main, audiences: ['https://elsewhere.example.com'] } } }, ports)
    expect((await refusal(Promise.resolve(stricter(request())))).code).toBe('token_invalid')
    expect(questions()).toHaveLength(2)
  })

  it('is forgotten on every replica when one is told to', async () => {
    const { ask, replica, ports, questions, clock, state } = await house()
    const other = replica()
    await ask('t')
    await other.ask('t')
    await introspectionsOf(ports).clear()
    state.answer = () => json({ active: false })
    expect((await refusal(ask('t'))).code).toBe('token_invalid')
    clock.advance(1000)
    expect((await refusal(other.ask('t'))).code).toBe('token_invalid')
    expect([questions().length, other.questions().length]).toEqual([2, 2])
  })

  it('does not come back with an answer that was asked for before', async () => {
    const { ask, ports, state, good, questions } = await house()
    let answer: (value: Partial<FetchResponse>) => void = () => {}
    state.answer = () => new Promise((resolve) => (answer = resolve))
    const slow = ask('t')
    await under(questions, 1)
    await introspectionsOf(ports).clear()
    answer(json(good()))
    await slow
    state.answer = () => json({ active: false })
    expect((await refusal(ask('t'))).code).toBe('token_invalid')
    expect(questions()).toHaveLength(2)
  })

  it('does not count while nobody can tell whether it was revoked', async () => {
    const { ask, shared, clock, questions } = await house()
    await ask('t')
    Object.assign(shared, { get: () => Promise.reject(new Error('gone')) })
    clock.advance(1000)
    await ask('t')
    expect(questions()).toHaveLength(2)
  })
})

describe('the gateway proves itself', () => {
  const sent = (request: FetchRequest | undefined) => Object.fromEntries(new URLSearchParams(request?.body))

  it('with its secret in the body', async () => {
    const { ask, questions } = await house({ settings: { auth: 'client_secret_post' } })
    await ask('t')
    expect(sent(questions()[0])).toMatchObject({ client_id: 'gate way', client_secret: 's:e cret' })
    expect(questions()[0]?.headers['authorization']).toBeUndefined()
  })

  it.each([
    ['ES256', 'jwk'],
    ['PS256', 'jwk'],
    ['EdDSA', 'jwk'],
    ['ES256', 'pem'],
    ['RS256', 'pem'],
    ['EdDSA', 'pem'],
    ['ES384', 'pem'],
  ])('with an assertion signed by its key: %s as %s', async (alg, form) => {
    const { ask, questions, secrets, clock } = await house({ settings: { auth: 'private_key_jwt' } })
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    secrets.on('env:SECRET', form === 'pem' ? await exportPKCS8(privateKey) : JSON.stringify({ ...(await exportJWK(privateKey)), kid: 'k1', alg }))
    await ask('t')
    const body = sent(questions()[0])
    expect(body).toMatchObject({ client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' })
    const assertion = body['client_assertion'] ?? ''
    const { protectedHeader } = await jwtVerify(assertion, publicKey, {
      currentDate: new Date(clock.now()),
      audience: 'https://idp.example.com',
      subject: 'gate way',
      issuer: 'gate way',
    })
    expect(protectedHeader).toEqual({ alg, ...(form === 'jwk' ? { kid: 'k1' } : {}) })
    expect(decodeJwt(assertion)).toMatchObject({ iat: clock.now() / 1000, exp: clock.now() / 1000 + 60, jti: expect.any(String) })
  })

  it.each(['{}', '{"kty":"oct","k":"AAAA"}', '{"kty":"EC","crv":"secp256k1","d":"AA","x":"AA","y":"AA"}', '{"d":"x"', 'words', ''])(
    'with no key at all: %s',
    async (text) => {
      const { ask, secrets } = await house({ settings: { auth: 'private_key_jwt' } })
      secrets.on('env:SECRET', text)
      const fault = await refusal(ask('t'))
      expect(fault.code).toBe('idp_unavailable')
      expect(fault.detail.internal).not.toContain(text === '' ? 'undefined' : text)
    },
  )
})
