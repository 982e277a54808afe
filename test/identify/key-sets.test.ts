import { generateKeyPairSync } from 'node:crypto'
import { exportJWK, type JWK } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { metadataUrls } from '../../src/core/ingress/identify/fetch-keys.ts'
import { usableKeys } from '../../src/core/ingress/identify/jwk.ts'
import { KeySet } from '../../src/core/ingress/identify/key-set.ts'
import { buildIdentify, keySetsOf } from '../../src/core/ingress/identify.ts'
import type { Fault } from '../../src/core/model/fault.ts'
import type { Issuer } from '../../src/core/policy/linked/issuers.ts'
import type { FetchResponse } from '../../src/core/ports.ts'
import { access, accessPolicy, matched } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'
import { issuerDouble } from '../support/issuer.ts'
import { subject } from '../support/metering.ts'
import { fakeFetch, fakePorts } from '../support/ports.ts'

const minute = 60_000
const hour = 60 * minute
const url = 'https://idp.example.com/jwks'

let one: JWK
let two: JWK

beforeAll(async () => {
  one = await newKey('k1')
  two = await newKey('k2')
})

async function newKey(kid: string): Promise<JWK> {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }
}

/** A key set over a scripted endpoint and a fake clock. */
function setUp(staleKeysForMs = 24 * hour) {
  const ports = fakePorts()
  const answerWith = (answer: Parameters<typeof ports.fetch.on>[1]) => ports.fetch.on(url, answer)
  const serve = (keys: readonly JWK[], headers: Readonly<Record<string, string>> = {}) => answerWith({ text: JSON.stringify({ keys }), headers })
  const source = { issuer: 'https://idp.example.com', jwks: url, staleKeysForMs }
  const set = new KeySet(source, ports)
  const kind = async (kid: string | undefined) => (await set.lookup(kid)).kind
  return { ports, set, kind, serve, answerWith, source, fetches: () => ports.fetch.requests.length }
}

/** Lets every promise that can go on go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve()
}

const broken: readonly [string, Partial<FetchResponse> | Error][] = [
  ['a refused connection', new Error('connection refused')],
  ['500', { status: 500 }],
  ['a redirect', { status: 302, headers: { location: 'https://evil.example/jwks' } }],
  ['HTML', { text: '<html>maintenance</html>' }],
  ['an empty set', { text: '{"keys":[]}' }],
  ['no set', { text: '{}' }],
  ['a list', { text: '[]' }],
  ['null', { text: 'null' }],
  ['nothing', { text: '' }],
  ['only a symmetric key', { text: '{"keys":[{"kty":"oct","k":"AAAA","kid":"k1"}]}' }],
  ['more than 1 MiB', { text: `{"keys":[]}${' '.repeat(1_100_000)}` }],
  ['10,000 keys', { text: JSON.stringify({ keys: Array.from({ length: 10_000 }, () => ({ kty: 'EC' })) }) }],
  ['304 to an unconditional request', { status: 304 }],
]

describe('a key set', () => {
  it('is fetched once for a hundred requests at once, and not again while it is fresh', async () => {
    const { serve, kind, fetches, ports } = setUp()
    serve([one])
    expect(await Promise.all(Array.from({ length: 100 }, () => kind('k1')))).toEqual(Array.from({ length: 100 }, () => 'found'))
    expect(fetches()).toBe(1)
    ports.clock.advance(5 * minute)
    expect(await kind('k1')).toBe('found')
    expect(fetches()).toBe(1)
    expect(ports.fetch.requests[0]).toMatchObject({ method: 'GET', timeoutMs: 3000, limit: 1_048_576, body: undefined })
  })

  it('answers without waiting once it is there', async () => {
    const { serve, kind, set } = setUp()
    serve([one])
    await kind('k1')
    expect(set.lookup('k1')).toMatchObject({ kind: 'found' })
    expect(set.lookup(undefined)).toMatchObject({ kind: 'found' })
  })

  it.each([
    ['max-age=3600', hour],
    ['public, max-age=7200, must-revalidate', 2 * hour],
    ['max-age=5', minute],
    ['no-store', minute],
    ['max-age=99999999', 24 * hour],
    ['', 10 * minute],
  ])('with "%s" is refreshed ahead, between 75 and 85 %% of its time', async (control, maxAge) => {
    const { serve, kind, fetches, ports } = setUp()
    serve([one], control === '' ? {} : { 'cache-control': control })
    await kind('k1')
    ports.clock.advance(maxAge * 0.749)
    await settle()
    expect(fetches()).toBe(1)
    ports.clock.advance(maxAge * 0.102)
    await settle()
    expect(fetches()).toBe(2)
  })

  it('is confirmed by ETag without being read again', async () => {
    const { serve, answerWith, kind, ports, fetches } = setUp()
    serve([one], { etag: '"v1"' })
    await kind('k1')
    answerWith(({ headers }) => (headers['if-none-match'] === '"v1"' ? { status: 304 } : { status: 500 }))
    for (let i = 0; i < 3; i++) {
      ports.clock.advance(9 * minute)
      await settle()
    }
    expect(fetches()).toBe(4)
    expect(await kind('k1')).toBe('found')
  })

  it.each(broken)('serves on while the issuer answers %s, up to staleKeysFor, and then says 503', async (_, answer) => {
    const { serve, answerWith, kind, set, ports } = setUp(hour)
    serve([one])
    await kind('k1')
    answerWith(answer)
    for (let passed = 0; passed < 69 * minute; passed += minute) {
      ports.clock.advance(minute)
      await settle()
      expect(set.lookup('k1')).toMatchObject({ kind: 'found' })
    }
    expect(set.status().state).toBe('stale')
    ports.clock.advance(2 * minute)
    await settle()
    expect(await kind('k1')).toBe('unavailable')
    serve([one])
    ports.clock.advance(minute)
    await settle()
    expect(await kind('k1')).toBe('found')
    expect(set.status()).toMatchObject({ state: 'fresh', keys: 1, problem: undefined })
  })

  it.each(broken)('that was never there is unavailable while the issuer answers %s, with one fetch per back-off', async (_, answer) => {
    const { answerWith, kind, set, fetches, ports } = setUp()
    answerWith(answer)
    for (let i = 0; i < 50; i++) expect(await kind('k1')).toBe('unavailable')
    expect(fetches()).toBe(1)
    expect(await set.lookup('k1')).toMatchObject({ retryAfterMs: 1000 })
    const pauses: number[] = []
    for (let i = 0, last = ports.clock.ticks(); i < 240; i++) {
      const before = fetches()
      ports.clock.advance(1000)
      await settle()
      if (fetches() > before) {
        pauses.push((ports.clock.ticks() - last) / 1000)
        last = ports.clock.ticks()
      }
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  })

  it('is not waited for longer than three seconds when the issuer hangs, and never once it is there', async () => {
    const { serve, answerWith, set, ports } = setUp()
    const hang = () => new Promise<FetchResponse>(() => {})
    answerWith(hang)
    const first = set.lookup('k1')
    await settle()
    ports.clock.advance(3000)
    expect(await first).toMatchObject({ kind: 'unavailable' })
    serve([one])
    ports.clock.advance(1000)
    await settle()
    answerWith(hang)
    ports.clock.advance(9 * minute)
    await settle()
    expect(set.lookup('k1')).toMatchObject({ kind: 'found' })
    ports.clock.advance(9 * minute)
    await settle()
    expect(set.lookup('k1')).toMatchObject({ kind: 'found' })
  })

  it('asks first when it lapsed because no timer ran', async () => {
    const { serve, kind, set, ports } = setUp()
    serve([one])
    await kind('k1')
    set.close()
    serve([two])
    ports.clock.advance(hour)
    expect(await kind('k1')).toBe('unknown')
    expect(await kind('k2')).toBe('found')
  })
})

describe('a key id nobody knows', () => {
  it('is looked for once: a new key works at the first token that names it', async () => {
    const { serve, kind, fetches, ports } = setUp()
    serve([one])
    await kind('k1')
    ports.clock.advance(10_000)
    serve([one, two])
    expect(await kind('k2')).toBe('found')
    expect(fetches()).toBe(2)
  })

  it('is looked for right after a fetch too: a key that is rotated in then works at once', async () => {
    const { serve, kind, fetches } = setUp()
    serve([one])
    await kind('k1')
    serve([one, two])
    expect(await kind('k2')).toBe('found')
    expect(fetches()).toBe(2)
    expect(await kind('k3')).toBe('unknown')
    expect(fetches()).toBe(2)
  })

  it('costs at most one fetch in ten seconds, 10,000 of them included', async () => {
    const { serve, kind, fetches, ports } = setUp()
    serve([one])
    await kind('k1')
    for (let i = 0; i < 10_000; i++) {
      expect(await kind(`random-${i}`)).toBe('unknown')
      ports.clock.advance(10)
    }
    expect(fetches()).toBeLessThanOrEqual(1 + 10)
    expect(fetches()).toBeGreaterThan(5)
  })

  it('does not keep a new key out for long under such a flood', async () => {
    const { serve, kind, ports } = setUp()
    serve([one])
    await kind('k1')
    for (let i = 0; i < 1000; i++) {
      await kind(`random-${i}`)
      ports.clock.advance(10)
      if (i === 500) serve([one, two])
    }
    ports.clock.advance(10_000)
    expect(await kind('k2')).toBe('found')
  })

  it('is remembered for a minute once its issuer did not have it', async () => {
    const { serve, kind, fetches, ports } = setUp()
    serve([one], { 'cache-control': 'max-age=86400' })
    await kind('k1')
    ports.clock.advance(10_000)
    await kind('gone')
    expect(fetches()).toBe(2)
    for (let i = 0; i < 5; i++) {
      ports.clock.advance(11_000)
      expect(await kind('gone')).toBe('unknown')
    }
    expect(fetches()).toBe(2)
    ports.clock.advance(11_000)
    await kind('gone')
    expect(fetches()).toBe(3)
  })

  it('is no verdict while the issuer cannot be asked', async () => {
    const { serve, answerWith, kind, ports } = setUp()
    serve([one])
    await kind('k1')
    answerWith(new Error('down'))
    ports.clock.advance(10_000)
    expect(await kind('k2')).toBe('unavailable')
    expect(await kind('k1')).toBe('found')
  })
})

describe('the last good keys', () => {
  it('outlive the process while the issuer is down', async () => {
    const first = setUp()
    first.serve([one])
    await first.kind('k1')
    await settle()
    first.ports.clock.advance(hour)
    first.answerWith(new Error('down'))
    const second = new KeySet(first.source, first.ports)
    expect(await second.lookup('k1')).toMatchObject({ kind: 'found' })
    expect(second.status()).toMatchObject({ state: 'stale', ageMs: hour })
  })

  it('have an age in whole milliseconds, though the clock is finer', async () => {
    const { ports, source, serve } = setUp()
    const ticks = () => ports.clock.ticks() + 0.062
    let fine = false
    const keys = new KeySet(source, { ...ports, clock: { ...ports.clock, ticks: () => (fine ? ticks() : ports.clock.ticks()) } })
    serve([one])
    await keys.warm()
    fine = true
    ports.clock.advance(5)
    expect(keys.status().ageMs).toBe(5)
  })

  it('spare a cold start the fetch while they are fresh', async () => {
    const first = setUp()
    first.serve([one])
    await first.kind('k1')
    await settle()
    const second = new KeySet(first.source, first.ports)
    expect(await second.lookup('k1')).toMatchObject({ kind: 'found' })
    expect(first.fetches()).toBe(1)
  })

  it('are not used beyond staleKeysFor', async () => {
    const first = setUp(hour)
    first.serve([one])
    await first.kind('k1')
    await settle()
    first.ports.clock.advance(71 * minute)
    first.answerWith(new Error('down'))
    expect(await new KeySet(first.source, first.ports).lookup('k1')).toMatchObject({ kind: 'unavailable' })
  })

  it.each(['not JSON', '{}', '{"at":1,"maxAgeMs":1,"uri":"x","keys":[]}', '{"at":"x","maxAgeMs":1,"uri":"x","keys":[{}]}'])(
    'are ignored when the store gives %s',
    async (text) => {
      const { source, ports, serve } = setUp()
      serve([one])
      const set = new KeySet(source, { ...ports, store: { get: async () => text, set: async () => {} } })
      expect(await set.lookup('k1')).toMatchObject({ kind: 'found' })
    },
  )

  it('do not depend on the store', async () => {
    const { source, ports, serve } = setUp()
    serve([one])
    const failing = { get: () => Promise.reject(new Error('no store')), set: () => Promise.reject(new Error('no store')) }
    expect(await new KeySet(source, { ...ports, store: failing }).lookup('k1')).toMatchObject({ kind: 'found' })
    const hanging = { get: () => new Promise<undefined>(() => {}), set: () => new Promise<void>(() => {}) }
    const lookup = new KeySet(source, { ...ports, store: hanging }).lookup('k1')
    await settle()
    ports.clock.advance(500)
    expect(await lookup).toMatchObject({ kind: 'found' })
  })
})

describe('keys of a set', () => {
  const rsa = async (bits: number, exponent = 65_537) => ({
    ...(await exportJWK(generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: exponent }).publicKey)),
    kid: 'rsa',
  })
  const kids = (keys: readonly unknown[]) => {
    try {
      return usableKeys(JSON.stringify({ keys })).map((key) => key.kid)
    } catch (error) {
      return (error as Error).message
    }
  }

  it('that are weak, private, symmetric, for encryption or unknown are dropped', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const secret = { ...(await exportJWK(privateKey)), kid: 'private' }
    const strong = await rsa(2048)
    const bad: readonly unknown[] = [
      secret,
      await rsa(1024),
      { ...strong, e: 'AQ' },
      { ...strong, e: 'Ag' },
      { ...strong, e: 'AA' },
      { ...strong, n: `${'A'.repeat(200)}${(strong.n ?? '').slice(0, 160)}` },
      { ...strong, n: 'not base64!' },
      { ...strong, n: undefined },
      { kty: 'oct', k: 'AAAA' },
      { ...one, use: 'enc' },
      { ...one, key_ops: ['encrypt'] },
      { ...one, key_ops: 'verify' },
      { ...one, crv: 'secp256k1' },
      { ...one, kid: 7 },
      { ...one, y: undefined },
      { kty: 'constructor' },
      { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' },
      null,
      'key',
      [],
    ]
    expect(bad.filter((key) => kids([key]) !== 'the key set has no usable key')).toEqual([])
    expect(kids([...bad, one, { ...two, key_ops: ['verify'] }, strong])).toEqual(['k1', 'k2', 'rsa'])
  })

  it('are refused together when there are more than 200', () => {
    expect(kids(Array.from({ length: 200 }, () => one))).toHaveLength(200)
    expect(kids(Array.from({ length: 201 }, () => one))).toBe('the key set has more than 200 keys')
  })

  it('are not read from an answer beyond 1 MiB, even where the ground let it through', async () => {
    const { answerWith, kind } = setUp()
    answerWith({ text: `${JSON.stringify({ keys: [one] })}${' '.repeat(1_048_576)}` })
    expect(await kind('k1')).toBe('unavailable')
  })

  it('keep their public members alone', () => {
    expect(Object.keys(usableKeys(JSON.stringify({ keys: [{ ...one, x5c: ['MII'], evil: 1 }] }))[0] ?? {}).sort()).toEqual([
      'alg',
      'crv',
      'kid',
      'kty',
      'use',
      'x',
      'y',
    ])
  })
})

describe('discovery', () => {
  it.each([
    ['https://idp.example.com', ['https://idp.example.com/.well-known/openid-configuration', 'https://idp.example.com/.well-known/oauth-authorization-server']],
    [
      'https://idp.example.com/',
      ['https://idp.example.com/.well-known/openid-configuration', 'https://idp.example.com/.well-known/oauth-authorization-server'],
    ],
    [
      'https://idp.example.com/a/b',
      ['https://idp.example.com/a/b/.well-known/openid-configuration', 'https://idp.example.com/.well-known/oauth-authorization-server/a/b'],
    ],
  ])('of %s asks OpenID Connect first, then RFC 8414', (issuer, urls) => {
    expect(metadataUrls(issuer)).toEqual(urls)
  })

  it.each(['urn:issuer', 'idp', 'https://idp.example.com?x=1', 'ftp://idp.example.com'])('of %s is impossible', (issuer) => {
    expect(() => metadataUrls(issuer)).toThrow('no URL to discover from')
  })

  const issuer = 'https://idp.example.com/a'
  const [oidc = '', oauth = ''] = metadataUrls(issuer)
  const discover = async (answers: Parameters<typeof fakeFetch>[0]) => {
    const ports = fakePorts({ fetch: fakeFetch({ [url]: { text: JSON.stringify({ keys: [one] }) }, ...answers }) })
    const set = new KeySet({ issuer, jwks: undefined, staleKeysForMs: hour }, ports)
    const { kind } = await set.lookup('k1')
    return { kind, problem: set.status().problem, asked: ports.fetch.requests.map((request) => request.url) }
  }
  const metadata = (changes: Readonly<Record<string, unknown>> = {}) => ({ text: JSON.stringify({ issuer, jwks_uri: url, ...changes }) })

  it('takes the first document that speaks of this issuer', async () => {
    expect(await discover({ [oidc]: metadata() })).toMatchObject({ kind: 'found', asked: [oidc, url] })
    expect(await discover({ [oidc]: { status: 404 }, [oauth]: metadata() })).toMatchObject({ kind: 'found', asked: [oidc, oauth, url] })
    expect(await discover({ [oidc]: metadata({ issuer: 'https://evil.example' }), [oauth]: metadata() })).toMatchObject({
      kind: 'found',
      asked: [oidc, oauth, url],
    })
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['another issuer', { issuer: 'https://evil.example' }],
    ['the issuer with a slash', { issuer: `${issuer}/` }],
    ['no key set', { jwks_uri: undefined }],
    ['a key set over plaintext', { jwks_uri: 'http://idp.example.com/jwks' }],
    ['a key set in a file', { jwks_uri: 'file:///etc/passwd' }],
    ['a key set that is no URL', { jwks_uri: 'jwks' }],
  ])('refuses a document with %s', async (_, changes) => {
    const { kind, asked } = await discover({ [oidc]: metadata(changes), [oauth]: metadata(changes) })
    expect(kind).toBe('unavailable')
    expect(asked).not.toContain('http://idp.example.com/jwks')
  })

  it('keeps within three seconds, key set included', async () => {
    const ports = fakePorts()
    ports.fetch.on(oidc, async () => {
      ports.clock.advance(2000)
      return metadata()
    })
    ports.fetch.on(url, { text: JSON.stringify({ keys: [one] }) })
    await new KeySet({ issuer, jwks: undefined, staleKeysForMs: hour }, ports).lookup('k1')
    expect(ports.fetch.requests.map((request) => request.timeoutMs)).toEqual([3000, 1000])
  })

  it('is asked again after a failure, in case the keys moved', async () => {
    const ports = fakePorts()
    ports.fetch.on(oidc, metadata())
    ports.fetch.on(url, { text: JSON.stringify({ keys: [one] }) })
    const set = new KeySet({ issuer, jwks: undefined, staleKeysForMs: hour }, ports)
    await set.lookup('k1')
    ports.fetch.on(url, { status: 410 })
    ports.fetch.on(oidc, metadata({ jwks_uri: `${url}2` }))
    ports.fetch.on(`${url}2`, { text: JSON.stringify({ keys: [two] }) })
    ports.clock.advance(10 * minute)
    await settle()
    ports.clock.advance(2000)
    await settle()
    expect(await set.lookup('k2')).toMatchObject({ kind: 'found' })
  })
})

describe('what outlives a snapshot', () => {
  async function house() {
    const clock = fakeClock()
    const idp = await issuerDouble(clock.now)
    const ports = fakePorts({ clock, fetch: fakeFetch({ [idp.metadataUrl]: { text: idp.metadata() }, [idp.jwksUrl]: () => ({ text: idp.jwks() }) }) })
    return { clock, idp, ports, build: (changes?: Partial<Issuer>) => buildIdentify(accessPolicy([access('orders', [])], [idp.config(changes)]), ports) }
  }
  const bring = async (room: ReturnType<typeof buildIdentify>, token: string) => {
    try {
      const { principal } = await room(matched(['orders'], { headers: [['authorization', `Bearer ${token}`]] }))
      return principal.kind
    } catch (error) {
      return (error as Fault).code
    }
  }
  const isSync = (room: ReturnType<typeof buildIdentify>, token: string) =>
    !(room(matched(['orders'], { headers: [['authorization', `Bearer ${token}`]] })) instanceof Promise)

  it('a reload neither fetches again nor forgets a token', async () => {
    const { idp, ports, build } = await house()
    const token = await idp.token()
    const first = build()
    expect(await bring(first, token)).toBe('subject')
    const second = build()
    first.close()
    expect(isSync(second, token)).toBe(true)
    expect(ports.fetch.requests).toHaveLength(2)
    expect(keySetsOf(ports).status()).toMatchObject([{ issuer: idp.url, state: 'fresh', keys: 1 }])
    second.close()
    second.close()
    expect(keySetsOf(ports).status()).toEqual([])
    expect(ports.clock.pending).toBe(0)
  })

  it('a verified token is taken from memory for a minute, and then looked at again', async () => {
    const { clock, idp, build } = await house()
    const token = await idp.token()
    const room = build()
    await bring(room, token)
    clock.advance(59_000)
    expect(isSync(room, token)).toBe(true)
    clock.advance(1000)
    expect(isSync(room, token)).toBe(false)
  })

  it('but never beyond its own end', async () => {
    const { clock, idp, build } = await house()
    const token = await idp.token({ exp: Math.floor(clock.now() / 1000) + 10 })
    const room = build({ clockSkewMs: 0 })
    expect(await bring(room, token)).toBe('subject')
    clock.advance(9_900)
    expect(await bring(room, token)).toBe('subject')
    clock.advance(100)
    expect(await bring(room, token)).toBe('token_invalid')
  })

  it('nor when the wall clock jumps past its end', async () => {
    const { clock, idp, build } = await house()
    const token = await idp.token()
    const room = build()
    await bring(room, token)
    clock.step(hour)
    expect(await bring(room, token)).toBe('token_invalid')
  })

  it('nor when its key left the key set; tokens of other keys stay', async () => {
    const { clock, idp, build } = await house()
    const old = idp.keys[0]
    const room = build()
    const before = await idp.token()
    await bring(room, before)
    const next = await idp.addKey()
    clock.advance(10_000)
    const after = await idp.token({}, { key: next })
    expect(await bring(room, after)).toBe('subject')
    expect(isSync(room, before)).toBe(true)
    await idp.rotate()
    clock.advance(10_000)
    expect(await bring(room, await idp.token())).toBe('subject')
    expect(await bring(room, before)).toBe('token_invalid')
    expect(await bring(room, after)).toBe('token_invalid')
    expect(old?.kid).not.toBe(next.kid)
  })

  it.each<[string, Partial<Issuer>]>([
    ['audiences', { audiences: ['https://elsewhere.example'] }],
    ['algorithms', { algorithms: ['RS256'] }],
    ['types', { tokenTypes: ['jwt'] }],
    ['lifetime', { maxLifetimeMs: 1000 }],
  ])('nor under a configuration with other %s', async (_, changes) => {
    const { idp, build } = await house()
    const token = await idp.token()
    const room = build()
    expect(await bring(room, token)).toBe('subject')
    expect(await bring(build(changes), token)).toBe('token_invalid')
    expect(await bring(room, token)).toBe('subject')
  })

  it('a bad signature is remembered for five seconds', async () => {
    const { clock, idp, ports, build } = await house()
    const stranger = await issuerDouble(clock.now)
    const key = { ...(stranger.keys[0] ?? never()), kid: idp.keys[0]?.kid ?? never() }
    const forged = await stranger.token({}, { key })
    const room = build()
    expect(await bring(room, forged)).toBe('token_invalid')
    const refusals = keySetsOf(ports).acquire(idp.config())
    const digest = ports.digest(forged) as string
    expect(refusals.refusal(digest)).toContain('signature')
    clock.advance(5000)
    expect(refusals.refusal(digest)).toBeUndefined()
  })

  it('no keys is 503 with Retry-After, never 401', async () => {
    const { idp, ports, build } = await house()
    ports.fetch.on(idp.jwksUrl, { status: 500 })
    const fault = await Promise.resolve(build()(matched(['orders'], { headers: [['authorization', `Bearer ${await idp.token()}`]] }))).catch(
      (error: unknown) => error as Fault,
    )
    expect(fault).toMatchObject({ code: 'idp_unavailable', detail: { headers: [['retry-after', '1']] } })
    expect('detail' in fault && fault.detail.internal).toContain('answered 500')
  })

  it('warms up before the first request', async () => {
    const { idp, ports, build } = await house()
    build()
    await keySetsOf(ports).warm()
    expect(keySetsOf(ports).status()).toMatchObject([{ issuer: idp.url, state: 'fresh' }])
  })

  it('keeps at most 10,000 tokens', async () => {
    const { idp, ports } = await house()
    const share = keySetsOf(ports).acquire(idp.config())
    for (let i = 0; i <= 10_000; i++) share.remember(`d${i}`, subject('u1'), ports.clock.now() + hour, { alive: true })
    expect(share.recall('d0')).toBeUndefined()
    expect(share.recall('d1')).toBeDefined()
    expect(share.recall('d10000')).toBeDefined()
  })
})

function never(): never {
  throw new Error('the double has too few keys')
}
