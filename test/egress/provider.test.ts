import { exportJWK, exportPKCS8 } from 'jose'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { found } from '../support/canary.ts'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { resources, secretOf } from '../support/provider/plan.ts'
import { type IdentityProvider, type ProviderProcess, startProviders } from '../support/provider.ts'
import { openHttp } from '../support/shop.ts'

const keep = untilTheEnd()

let certificates: Certificates
let providers: ProviderProcess
let issuer: IdentityProvider
let vendor: number
let pem = ''
/** What the vendor was shown, newest last. */
let shown: string[] = []
/** Tokens that the vendor takes no more. */
const revoked = new Set<string>()

beforeAll(async () => {
  certificates = await makeCertificates()
  providers = await startProviders(keep)
  issuer = await providers.open({ tls: { ca: certificates.ca, ...certificates.server } })
  pem = await exportPKCS8(issuer.clientKey)
  vendor = await openHttp(keep, (request, response) => {
    const token = request.headers.authorization ?? ''
    shown.push(token)
    request.resume()
    if (revoked.has(token)) response.writeHead(401)
    response.end(JSON.stringify({ echo: token }))
  })
})
afterEach(() => {
  shown = []
  revoked.clear()
})

/** A gateway whose service `crm` gets its tokens as said. */
async function open(credential: string, variables: Readonly<Record<string, string>> = {}) {
  const policies = `sallyport: v1
environments: { dev: { class: nonprod }, prod: { class: prod } }
listeners: { egress: { address: "127.0.0.1:0" } }
callers: { shop: { listener: egress } }
egress:
  crm:
    listen: 127.0.0.1:0
    callers: [shop]
    mask: { responses: true }
    environments:
      dev: { target: "http://127.0.0.1:${vendor}", allowAddresses: [127.0.0.1/32], ${credential} }
`
  const gateway = await openGateway(onTestFinished, { 'all.yaml': policies }, { variables, flags: { strict: true } })
  const call = (init: RequestInit = {}) => fetch(`http://127.0.0.1:${gateway.port('egress:crm')}/`, init)
  return { gateway, call }
}

const asked = async () => (await issuer.hits()).paths['/token'] ?? 0
const oauth2 = (rest: string, url = issuer.url) => `oauth2: { tokenUrl: "${url}/token", resource: ["${resources.api.url}"], scope: [orders:read], ${rest} }`
const basic = () => oauth2('clientId: basic, clientSecret: env:CLIENT')
const client = { CLIENT: secretOf('basic') }

describe('a client of a real provider', () => {
  it('that a thousand calls wait for asks for one token', async () => {
    const { call } = await open(basic(), client)
    const before = await asked()
    const answers = await Promise.all(Array.from({ length: 1_000 }, async () => (await call()).status))
    expect(new Set(answers)).toEqual(new Set([200]))
    expect((await asked()) - before).toBe(1)
    expect(new Set(shown).size).toBe(1)
  })

  it.each([
    ['its secret in the body', () => oauth2('clientId: post, clientSecret: env:KEY, auth: client_secret_post'), () => secretOf('post')],
    ['a key that signs for the token endpoint', () => oauth2('clientId: assertion, key: env:KEY'), () => pem],
    ['a key that signs for the issuer', () => oauth2(`clientId: assertion, key: env:KEY, issuer: "${issuer.url}"`), () => pem],
    ['a certificate', () => oauth2('clientId: mutual, certificate: env:CERTIFICATE, key: env:KEY, ca: env:CA', issuer.tlsUrl), () => certificates.client.key],
  ])('proves itself with %s', async (_, credential, key) => {
    const { call, gateway } = await open(credential(), { KEY: key(), CERTIFICATE: certificates.client.certificate, CA: certificates.ca })
    const answer = await call()
    expect([answer.status, shown.length]).toEqual([200, 1])
    expect(shown[0]).toMatch(/^Bearer ey/)
    // The vendor echoes what it was shown.
    const seen = (await answer.text()) + JSON.stringify(gateway.journal)
    expect(found(seen, { token: (shown[0] ?? '').slice(7), key: key().trim().split('\n')[1] ?? key() })).toEqual([])
  })

  it('proves itself with a JWK', async () => {
    const { call } = await open(oauth2('clientId: assertion, key: env:KEY'), { KEY: JSON.stringify(await exportJWK(issuer.clientKey)) })
    expect((await call()).status).toBe(200)
  })

  it.each([
    ['a stranger’s certificate', async () => certificates.stranger],
    ['a certificate of another name', () => certificates.issue({ dns: 'other.test' })],
  ])('gets nothing with %s, and nothing is sent', async (_, pair) => {
    const { certificate, key } = await pair()
    const credential = oauth2('clientId: mutual, certificate: env:CERTIFICATE, key: env:KEY, ca: env:CA', issuer.tlsUrl)
    const { call, gateway } = await open(credential, { KEY: key, CERTIFICATE: certificate, CA: certificates.ca })
    expect(await (await call()).json()).toMatchObject({ status: 503, code: 'credential_unavailable' })
    const record = await gateway.entry((entry) => entry['kind'] !== 'event' && JSON.stringify(entry).includes('invalid_client'))
    expect(JSON.stringify(record)).toContain('the token endpoint answered 401 invalid_client')
    expect(shown).toEqual([])
  })

  it('whose key is none gets nothing, and the record says why without it', async () => {
    const { call, gateway } = await open(oauth2('clientId: assertion, key: env:KEY'), { KEY: 'no-key-at-all-canary' })
    expect((await call()).status).toBe(503)
    await gateway.entry((entry) => JSON.stringify(entry).includes('the key is neither a JWK nor PKCS #8 in PEM'))
    expect(found(JSON.stringify(gateway.journal), { key: 'no-key-at-all-canary' })).toEqual([])
  })

  it('hands its token to a workload that is listed, and it is the one that the vendor sees', async () => {
    const { call, gateway } = await open(`${basic()}, vend: { callers: [shop] }`, client)
    const before = await asked()
    const vended = await fetch(`http://127.0.0.1:${gateway.port('egress:crm')}/.sallyport/credentials`, { headers: { 'x-egress-vend': 'true' } })
    const { access_token, expires_in } = (await vended.json()) as { access_token: string; expires_in: number }
    await call()
    expect([shown, (await asked()) - before]).toEqual([[`Bearer ${access_token}`], 1])
    expect(expires_in).toBeGreaterThan(0)
    await gateway.entry((entry) => JSON.stringify(entry).includes('"vended":"token"'))
    expect(found(JSON.stringify(gateway.journal), { token: access_token })).toEqual([])
  })

  it('asks once more when the vendor takes its token no more, however many calls find out', async () => {
    const { call } = await open(basic(), client)
    await call()
    const before = await asked()
    revoked.add(shown[0] ?? '')
    const answers = await Promise.all(Array.from({ length: 50 }, call.bind(undefined, {})))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect((await asked()) - before).toBe(1)
    expect(answers.every((answer) => ['1', '2'].includes(answer.headers.get('x-egress-attempts') ?? ''))).toBe(true)
  })

  it('does not repeat what may have happened: a POST that was refused gets its 401, the next call a new token', async () => {
    const { call } = await open(basic(), client)
    await call()
    revoked.add(shown[0] ?? '')
    expect((await call({ method: 'POST', body: '{}' })).status).toBe(401)
    expect(shown.length).toBe(2)
    expect((await call({ method: 'POST', body: '{}' })).status).toBe(200)
  })

  it('gets the 401 of a vendor that takes no token at all, after one more try', async () => {
    const { call } = await open(basic(), client)
    const before = await asked()
    const has = revoked.has.bind(revoked)
    revoked.has = () => true
    onTestFinished(() => void (revoked.has = has))
    for (let i = 0; i < 5; i++) expect((await call()).status).toBe(401)
    expect((await asked()) - before).toBe(2)
  })

  it('refuses every call while the provider is down, and goes on when it is back', async () => {
    const { call } = await open(basic(), client)
    await issuer.fail('error')
    onTestFinished(() => issuer.fail(undefined))
    const answer = await call()
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'credential_unavailable' }])
    expect(shown).toEqual([])
    await issuer.fail(undefined)
    await expect.poll(async () => (await call()).status, { timeout: 10_000 }).toBe(200)
  })

  it('waits no longer for it than the call may take', async () => {
    const { call, gateway } = await open(basic(), client)
    providers.freeze()
    onTestFinished(() => providers.thaw())
    const answer = await call({ headers: { 'x-egress-timeout-ms': '200' } })
    providers.thaw()
    expect([answer.status, await answer.json()]).toMatchObject([504, { code: 'deadline_exceeded' }])
    expect([shown, gateway.journal.length > 0]).toEqual([[], true])
  })
})

describe('a token in exchange for the caller’s own', () => {
  const exchange = () =>
    `exchange: { tokenUrl: "${issuer.url}/token", clientId: gateway, clientSecret: env:GATEWAY, audience: "${resources.other.url}", scope: [orders:read] }`
  const gatewaySecret = { GATEWAY: secretOf('gateway') }

  async function someToken(): Promise<string> {
    const answer = await fetch(`${issuer.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`basic:${secretOf('basic')}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: resources.api.url, scope: 'orders:read' }),
    })
    return ((await answer.json()) as { access_token: string }).access_token
  }

  it('is what the vendor sees, one for each of the callers’ tokens', async () => {
    const { call, gateway } = await open(exchange(), gatewaySecret)
    const [ours, theirs] = await Promise.all([someToken(), someToken()])
    const before = await asked()
    for (const token of [ours, ours, theirs]) expect((await call({ headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    expect((await asked()) - before).toBe(2)
    expect(new Set(shown).size).toBe(2)
    expect(shown).not.toContain(`Bearer ${ours}`)
    expect(found(JSON.stringify(gateway.journal), { ours, theirs, shown: (shown[0] ?? '').slice(7) })).toEqual([])
  })

  it('is not to be had without one, nor for one that the provider refuses', async () => {
    const { call } = await open(exchange(), gatewaySecret)
    const none = await call()
    expect([none.status, await none.json()]).toMatchObject([401, { code: 'unauthenticated' }])
    const bad = await call({ headers: { authorization: 'Bearer made-up' } })
    expect([bad.status, await bad.json()]).toMatchObject([503, { code: 'credential_unavailable' }])
    expect(shown).toEqual([])
    // What was made up costs nobody else anything.
    expect((await call({ headers: { authorization: `Bearer ${await someToken()}` } })).status).toBe(200)
  })

  it('is not asked for again and again, whoever calls, while the provider is in trouble', async () => {
    const { call } = await open(exchange(), gatewaySecret)
    await issuer.fail('error')
    onTestFinished(() => issuer.fail(undefined))
    const before = await asked()
    for (let i = 0; i < 10; i++) expect((await call({ headers: { authorization: `Bearer token-${i}` } })).status).toBe(503)
    expect((await asked()) - before).toBeLessThan(10)
  })
})
