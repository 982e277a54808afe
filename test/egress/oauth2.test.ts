import { decodeJwt, decodeProtectedHeader, exportPKCS8, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { buildAnswer } from '../../src/core/egress/answer.ts'
import { buildCredential } from '../../src/core/egress/credential.ts'
import { openExchange, type PlacedLive } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { FetchRequest, FetchResponse } from '../../src/core/ports.ts'
import { arrival } from '../support/arrival.ts'
import { oauth2 as anOAuth2, egressPolicy, linked, live, type OAuth2, secretRule, service } from '../support/egress.ts'
import { fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'

const tokenUrl = 'https://auth.crm.example/token'
const json = { 'content-type': 'application/json' }

const oauth2 = (rest: Partial<OAuth2> = {}): OAuth2 => anOAuth2(tokenUrl, 'env:CRM', { scope: ['read', 'write'], ...rest })

/** An issuer that hands out t1, t2, … until it is told otherwise. */
function bench(
  given: {
    credential?: OAuth2
    secrets?: Readonly<Record<string, string>>
    answer?: (request: FetchRequest, count: number) => Partial<FetchResponse> | Promise<Partial<FetchResponse>>
  } = {},
) {
  let count = 0
  let answer =
    given.answer ??
    ((_: FetchRequest, n: number) => ({ headers: json, text: JSON.stringify({ access_token: `t${n}`, token_type: 'Bearer', expires_in: 100 }) }))
  const fetch = fakeFetch({ [given.credential?.tokenUrl ?? tokenUrl]: (request) => answer(request, ++count) })
  const ports = fakePorts({ fetch, secrets: fakeSecrets({ 'env:CRM': 'p/w+1', 'env:OTHER': 'other', ...given.secrets }) })
  const build = (environment = 'test', credential = given.credential ?? oauth2(), name = 'crm', environmentClass: 'nonprod' | 'prod' = 'nonprod') => {
    const target = live(environment, 'https://api.crm.example', { credential })
    const of = service(name)
    const vet = () => undefined
    const room = buildCredential(egressPolicy({ services: [linked(of, target)], environmentClass }), ports)
    const open = () => {
      const request = { method: 'GET', target: { path: '/', query: '', encodedSlash: false, semicolon: false }, headers: new FieldList(), body: undefined }
      // Only the slots that the room reads are filled.
      return Object.assign(openExchange(arrival('GET', '/'), 'rev-1'), {
        request,
        service: of,
        target,
        vet,
        deadline: Infinity,
        id: 'r1',
      }) as unknown as PlacedLive
    }
    const send = async (x = open()) => room(x)
    const token = async () => (await send()).call.headers.get('authorization')
    return { send, token, open, vet }
  }
  return { ports, fetch, build, answerWith: (next: NonNullable<typeof given.answer>) => (answer = next) }
}

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(Fault)
  return error as Fault
}

describe('an OAuth2 token', () => {
  it('is asked for with the client’s secret, through the guard of the target', async () => {
    const { build, fetch } = bench()
    const { send, vet } = build()
    const sent = await send()
    expect(sent.call.headers.get('authorization')).toBe('Bearer t1')
    expect(sent.secrets).toEqual(['t1'])
    const [request] = fetch.requests
    expect(request).toMatchObject({ url: tokenUrl, method: 'POST', vet })
    expect(request?.headers['authorization']).toBe(`Basic ${btoa('shop:p%2Fw%2B1')}`)
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({ grant_type: 'client_credentials', scope: 'read write' })
  })

  it('is asked for in the body where the client proves itself there', async () => {
    const { build, fetch } = bench({ credential: oauth2({ auth: 'client_secret_post', scope: [], audience: 'https://api.crm.example' }) })
    await build().send()
    expect(fetch.requests[0]?.headers['authorization']).toBeUndefined()
    expect(Object.fromEntries(new URLSearchParams(fetch.requests[0]?.body))).toEqual({
      grant_type: 'client_credentials',
      audience: 'https://api.crm.example',
      client_id: 'shop',
      client_secret: 'p/w+1',
    })
  })

  it('is asked for with an assertion that names its key and for whom it is', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const credential = oauth2({ auth: 'private_key_jwt', secret: secretRule('env:KEY', { lines: true }), keyId: 'k1', issuer: 'https://auth.crm.example' })
    const { build, fetch } = bench({ credential, secrets: { 'env:KEY': await exportPKCS8(privateKey) } })
    await build().send()
    const assertion = new URLSearchParams(fetch.requests[0]?.body).get('client_assertion') ?? ''
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'ES256', kid: 'k1' })
    expect(decodeJwt(assertion)).toMatchObject({ iss: 'shop', sub: 'shop', aud: 'https://auth.crm.example', jti: expect.any(String) })
  })

  it('is asked for with every place where it is to be used', async () => {
    const { build, fetch } = bench({ credential: oauth2({ resource: ['https://a.example', 'https://b.example'] }) })
    await build().send()
    expect(new URLSearchParams(fetch.requests[0]?.body).getAll('resource')).toEqual(['https://a.example', 'https://b.example'])
  })

  it('is asked for once, however many wait', async () => {
    const { build, fetch } = bench()
    const { token } = build()
    expect(new Set(await Promise.all(Array.from({ length: 20 }, token)))).toEqual(new Set(['Bearer t1']))
    expect(fetch.requests.length).toBe(1)
  })

  it.each([
    ['at 80 % of its life', 80_000, 't1'],
    ['after its end', 100_000, 't2'],
  ])('is asked for once more %s, however many find out', async (_, ms, value) => {
    const { build, ports, fetch } = bench()
    const { token } = build()
    await token()
    ports.clock.advance(ms)
    expect(new Set(await Promise.all(Array.from({ length: 1_000 }, token)))).toEqual(new Set([`Bearer ${value}`]))
    await expect.poll(() => token()).toBe('Bearer t2')
    expect(fetch.requests.length).toBe(2)
  })

  it('outlives a reload', async () => {
    const { build, fetch } = bench()
    await build().send()
    expect(await build().token()).toBe('Bearer t1')
    expect(fetch.requests.length).toBe(1)
  })

  it.each([
    ['another environment', (build: ReturnType<typeof bench>['build']) => build('dev')],
    ['another service', (build: ReturnType<typeof bench>['build']) => build('test', oauth2(), 'crm2')],
    ['another client', (build: ReturnType<typeof bench>['build']) => build('test', oauth2({ clientId: 'shop2' }))],
    ['another secret reference', (build: ReturnType<typeof bench>['build']) => build('test', oauth2({ secret: secretRule('env:OTHER') }))],
    ['another scope', (build: ReturnType<typeof bench>['build']) => build('test', oauth2({ scope: ['read write'] }))],
    ['another audience', (build: ReturnType<typeof bench>['build']) => build('test', oauth2({ audience: 'a' }))],
  ])('is never shared with %s', async (_, other) => {
    const { build } = bench()
    expect(await build().token()).toBe('Bearer t1')
    expect(await other(build).token()).toBe('Bearer t2')
  })

  it('is renewed at 80 % of its life while the old one serves', async () => {
    const { build, ports, fetch } = bench()
    const { token } = build()
    await token()
    ports.clock.advance(79_999)
    expect(await token()).toBe('Bearer t1')
    expect(fetch.requests.length).toBe(1)
    ports.clock.advance(1)
    expect(await token()).toBe('Bearer t1')
    await Promise.resolve()
    await expect.poll(() => token()).toBe('Bearer t2')
    expect(fetch.requests.length).toBe(2)
  })

  it('is not used past its life, nor past an hour whatever its issuer says', async () => {
    const { build, ports, answerWith } = bench()
    const { token } = build()
    expect(await token()).toBe('Bearer t1')
    answerWith((_, n) => ({ headers: json, text: JSON.stringify({ access_token: `t${n}`, token_type: 'bearer', expires_in: 1e9 }) }))
    ports.clock.advance(95_000)
    expect(await token()).toBe('Bearer t2')
    ports.clock.advance(3_600_000)
    expect(await token()).toBe('Bearer t3')
  })

  it('lives five minutes when its issuer does not say', async () => {
    const { build, ports } = bench({ answer: (_, n) => ({ headers: json, text: JSON.stringify({ access_token: `t${n}`, token_type: 'bearer' }) }) })
    const { token } = build()
    await token()
    ports.clock.advance(200_000)
    expect(await token()).toBe('Bearer t1')
    ports.clock.advance(100_000)
    expect(await token()).toBe('Bearer t2')
  })
})

describe('an issuer that fails', () => {
  it.each([
    ['is down', () => Promise.reject(new Error('connect ECONNREFUSED'))],
    ['answers 500', () => ({ status: 500, text: 'oops' })],
    ['redirects', () => ({ status: 302, headers: { location: 'https://evil.example/' }, text: '' })],
    ['refuses the client', () => ({ status: 401, headers: json, text: '{"error":"invalid_client","error_description":"secret p/w+1 is wrong"}' })],
    ['answers HTML', () => ({ headers: { 'content-type': 'text/html' }, text: '<html>' })],
    ['answers no token', () => ({ headers: json, text: '{"token_type":"bearer"}' })],
    ['answers an empty token', () => ({ headers: json, text: '{"access_token":"","token_type":"bearer"}' })],
    ['answers a token of another kind', () => ({ headers: json, text: '{"access_token":"t","token_type":"mac"}' })],
    ['answers a token with a line end', () => ({ headers: json, text: '{"access_token":"t\\r\\nx: y","token_type":"bearer"}' })],
    ['answers an expired token', () => ({ headers: json, text: '{"access_token":"t","token_type":"bearer","expires_in":0}' })],
    ['answers a life that is no number', () => ({ headers: json, text: '{"access_token":"t","token_type":"bearer","expires_in":"soon"}' })],
  ])('because it %s refuses the call, which goes nowhere', async (_, answer) => {
    const fault = await faultOf(bench({ answer }).build().send())
    expect(fault.code).toBe('credential_unavailable')
    expect(fault.status).toBe(503)
    expect(fault.detail.internal).not.toContain('p/w+1')
    expect([fault.message, fault.detail.cause]).toEqual(['the credential of this service is not available', undefined])
  })

  it('at an address that the guard refuses is named in the record', async () => {
    const denied = new Fault('address_denied', 'this address is not allowed', { internal: '10.0.0.1 is not a public address (private)' })
    const fault = await faultOf(
      bench({ answer: () => Promise.reject(denied) })
        .build()
        .send(),
    )
    expect([fault.code, fault.detail.internal]).toEqual([
      'credential_unavailable',
      'the token endpoint cannot be reached (address_denied: 10.0.0.1 is not a public address (private))',
    ])
  })

  it('is left alone for a second, then two, and asked again', async () => {
    const { build, ports, fetch, answerWith } = bench({ answer: () => ({ status: 503, text: '' }) })
    const { send, token } = build()
    await faultOf(send())
    await faultOf(send())
    expect(fetch.requests.length).toBe(1)
    ports.clock.advance(1_000)
    await faultOf(send())
    expect(fetch.requests.length).toBe(2)
    ports.clock.advance(1_000)
    await faultOf(send())
    expect(fetch.requests.length).toBe(2)
    ports.clock.advance(1_000)
    answerWith(() => ({ headers: json, text: '{"access_token":"back","token_type":"bearer"}' }))
    expect(await token()).toBe('Bearer back')
  })

  it('while a token is at hand costs nothing until it expires', async () => {
    const { build, ports, answerWith } = bench()
    const { send, token } = build()
    await send()
    answerWith(() => Promise.reject(new Error('down')))
    ports.clock.advance(85_000)
    for (let i = 0; i < 3; i++) expect(await token()).toBe('Bearer t1')
    ports.clock.advance(10_000)
    expect((await faultOf(send())).code).toBe('credential_unavailable')
  })

  it('by never answering does not hold a request whose downstream went away', async () => {
    const { build } = bench({ answer: () => new Promise(() => {}) })
    const { send, open } = build()
    const x = open()
    const waiting = faultOf(send(x))
    x.lifeline.end(new Fault('client_closed', 'gone'))
    expect((await waiting).code).toBe('client_closed')
  })

  it('is not asked over http in prod', async () => {
    const credential = oauth2({ tokenUrl: 'http://auth.crm.example/token' })
    const { build, fetch } = bench({ credential })
    expect((await faultOf(build('prod', credential, 'crm', 'prod').send())).code).toBe('credential_unavailable')
    expect(fetch.requests).toEqual([])
    expect(await build('test', credential).token()).toBe('Bearer t1')
  })
})

describe('a vendor that answers 401', () => {
  const answer = buildAnswer()
  const unauthorized = { kind: 'http', status: 401, headers: new FieldList(), body: undefined } as const

  it('makes us forget the token; its answer goes to the caller', async () => {
    const { build, ports } = bench()
    const { send, token } = build()
    const sent = await send()
    ports.clock.advance(10_000)
    expect(answer(sent, unauthorized).status).toBe(401)
    expect(await token()).toBe('Bearer t2')
  })

  it('about a fresh token does not make us ask for one per call', async () => {
    const { build, fetch } = bench()
    const { send } = build()
    for (let i = 0; i < 10; i++) answer(await send(), unauthorized)
    expect(fetch.requests.length).toBe(2)
  })

  it('about an old token does not cost the new one', async () => {
    const { build, ports } = bench()
    const { send, token } = build()
    const old = await send()
    ports.clock.advance(96_000)
    expect(await token()).toBe('Bearer t2')
    ports.clock.advance(15_000)
    answer(old, unauthorized)
    expect(await token()).toBe('Bearer t2')
  })
})
