import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as openid from 'openid-client'
import { beforeAll, describe, expect, it } from 'vitest'
import { http1 } from '../../support/clients.ts'
import { type Gateway, openGateway } from '../../support/gateway.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { accessToken, clientOf, signIn } from '../../support/oauth.ts'
import { exchangeGrant, resources } from '../../support/provider/plan.ts'
import { type IdentityProvider, startProviders } from '../../support/provider.ts'
import { house, openHttp } from '../../support/shop.ts'

const keep = untilTheEnd()
let idp: IdentityProvider
let lax: IdentityProvider
let gateway: Gateway
const reached: string[] = []

const policies = (issuer: string, lax: string, web: number) => `sallyport: v1
issuers:
  strict: { issuer: "${issuer}", audiences: [https://api.example.com], algorithms: [ES256], tokenTypes: [at+jwt] }
  # As for a provider that does not follow RFC 9068; this one also takes tokens that are meant for the client app.
  lax: { issuer: "${lax}", audiences: [https://api.example.com, app], algorithms: [ES256] }
clusters:
  web: { address: "127.0.0.1:${web}" }
access:
  orders:
    authenticate: { jwt: strict }
    rules: [{ id: read, allow: { scopes: [orders:read] } }]
  written:
    authenticate: { jwt: strict }
    rules: [{ id: write, allow: { scopes: [orders:write] } }]
  people:
    authenticate: { jwt: strict }
    rules: [{ id: ada, allow: { claims: { sub: ada } } }]
  machines:
    authenticate: { jwt: strict }
    rules: [{ id: assertion, allow: { clients: [assertion] } }]
  lax:
    authenticate: { jwt: lax }
    rules: [{ id: read, allow: { scopes: [orders:read] } }]
routes:
  orders: { match: { path: /orders }, access: orders, to: web }
  written: { match: { path: /written }, access: written, to: web }
  people: { match: { path: /people }, access: people, to: web }
  machines: { match: { path: /machines }, access: machines, to: web }
  lax: { match: { path: /lax }, access: lax, to: web }
`

beforeAll(async () => {
  const providers = await startProviders(keep)
  idp = await providers.open()
  lax = await providers.open()
  const web = await openHttp(keep, (request, response) => {
    reached.push(request.url ?? '')
    response.end('web')
  })
  gateway = await openGateway(keep, { 'house.yaml': house, 'web.yaml': policies(idp.url, lax.url, web) })
})

const ask = (path: string, token: string) => http1(gateway.port('public'), { path, headers: [['authorization', `Bearer ${token}`]] })

/** The answer to a token that is not accepted, whatever is wrong with it, and the reason in the record. */
async function refusal(path: string, token: string): Promise<unknown> {
  const before = reached.length
  const { status, headers, text } = await ask(path, token)
  expect([status, text]).toEqual([401, expect.stringContaining('token_invalid')])
  expect(headers['www-authenticate']).toBe('Bearer realm="sallyport", error="invalid_token", error_description="the access token is not valid"')
  expect(reached).toHaveLength(before)
  const record = await gateway.entry(({ id }) => id === headers['x-request-id'])
  return (record['refusal'] as { readonly reason: unknown }).reason
}

describe('a token by client credentials is taken', () => {
  it.each(['basic', 'post', 'assertion'] as const)('whichever way the client said who it is: %s', async (name) => {
    const token = await accessToken(await clientOf(idp, name))
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
    expect((await ask('/orders', token)).status).toBe(200)
    const { status, headers } = await ask('/written', token)
    expect([status, headers['www-authenticate']]).toEqual([403, 'Bearer realm="sallyport", error="insufficient_scope", scope="orders:write"'])
    expect((await ask('/written', await accessToken(await clientOf(idp, name), { scope: 'orders:write' }))).status).toBe(200)
    expect((await ask('/machines', token)).status).toBe(name === 'assertion' ? 200 : 403)
  })

  it('and none is given to a client that is not who it says', async () => {
    const impostor = await openid.discovery(new URL(idp.url), 'basic', {}, openid.ClientSecretBasic('a guess'), { execute: [openid.allowInsecureRequests] })
    await expect(accessToken(impostor)).rejects.toMatchObject({ cause: [{ scheme: 'basic', parameters: { error: 'invalid_client' } }] })
  })
})

describe('after a login', () => {
  it('the access token is taken and says who logged in; the others are for other uses and are refused', async () => {
    const { access, id, refresh } = await signIn(idp)
    expect(decodeJwt(access)).toMatchObject({ sub: 'ada', client_id: 'app', aud: resources.api.url })
    expect((await ask('/people', access)).status).toBe(200)
    expect(decodeJwt(id)).toMatchObject({ sub: 'ada', aud: 'app' })
    expect(await refusal('/orders', id)).toBe('a token of type "jwt"')
    expect(await refusal('/orders', refresh)).toBe('not three segments of base64url')
  })

  it('a refreshed access token is taken', async () => {
    const { refresh, access } = await signIn(idp)
    const client = await clientOf(idp, 'app')
    const again = await openid.refreshTokenGrant(client, refresh, { resource: resources.api.url })
    expect(again.access_token).not.toBe(access)
    expect((await ask('/people', again.access_token)).status).toBe(200)
  })

  it('a logout token is refused, even where its audience would do', async () => {
    const token = await idp.logoutToken('app', 'ada')
    expect(decodeJwt(token)).toMatchObject({ aud: 'app', events: { 'http://schemas.openid.net/event/backchannel-logout': {} } })
    expect(await refusal('/orders', token)).toBe('a token of type "logout+jwt"')
    expect((await ask('/lax', (await signIn(lax)).access)).status).toBe(200)
    expect(await refusal('/lax', await lax.logoutToken('app', 'ada'))).toBe('a token of type "logout+jwt"')
  })
})

describe('a token for somebody else is refused', () => {
  it('when it is for another resource', async () => {
    const token = await accessToken(await clientOf(idp, 'basic'), { resource: 'other' })
    expect(await refusal('/orders', token)).toBe('meant for another audience')
  })

  it('when it is opaque, though its issuer knows it', async () => {
    const client = await clientOf(idp, 'gateway')
    const token = await accessToken(client, { resource: 'opaque' })
    expect(await openid.tokenIntrospection(client, token)).toMatchObject({ active: true, client_id: 'gateway', aud: resources.opaque.url })
    expect(await refusal('/orders', token)).toBe('not three segments of base64url')
    await openid.tokenRevocation(client, token)
    expect(await openid.tokenIntrospection(client, token)).toEqual({ active: false })
  })

  it('and taken once it was exchanged for one that is for this API', async () => {
    const { access } = await signIn(idp)
    const client = await clientOf(idp, 'gateway')
    const exchange = (audience: string, subject: string) =>
      openid.genericGrantRequest(client, exchangeGrant, {
        subject_token: subject,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        audience,
      })
    const there = await exchange(resources.other.url, access)
    expect(await refusal('/people', there.access_token)).toBe('meant for another audience')
    const back = await exchange(resources.api.url, there.access_token)
    expect(decodeJwt(back.access_token)).toMatchObject({ sub: 'ada', act: { sub: 'gateway' } })
    expect((await ask('/people', back.access_token)).status).toBe(200)
  })
})
