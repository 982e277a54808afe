import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'

/** What is used here of a package that has no types. */
interface OidcProvider {
  readonly default: new (issuer: string, configuration: object) => { callback(): RequestListener }
}
// A name in a variable keeps the compiler from looking for types.
const providerPackage: string = 'oidc-provider'
const { default: Provider } = (await import(providerPackage)) as OidcProvider

const keep = untilTheEnd()
const audience = 'https://api.example.com'

/** A real identity provider that issues opaque tokens to the client `web`; `gateway` may ask about them. */
async function openProvider(gateway: object) {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const plain = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }
  const web = { ...plain, client_id: 'web', client_secret: 'web-secret', token_endpoint_auth_method: 'client_secret_post' }
  const provider = new Provider(issuer, {
    clients: [web, { ...plain, ...gateway }],
    scopes: ['orders:read'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: 'orders:read',
          audience: resource,
          accessTokenFormat: 'opaque',
          accessTokenTTL: 300,
        }),
      },
    },
  })
  const handle = provider.callback()
  const asked: string[] = []
  server.on('request', (request, response) => {
    asked.push(request.url ?? '')
    handle(request, response)
  })
  keep(
    () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  )
  const post = (path: string, form: Readonly<Record<string, string>>) =>
    fetch(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams({ client_id: 'web', client_secret: 'web-secret', ...form }) })
  return {
    issuer,
    questions: () => asked.filter((url) => url === '/token/introspection').length,
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
    token: async (resource = audience): Promise<string> => {
      const answer = (await (await post('/token', { grant_type: 'client_credentials', scope: 'orders:read', resource })).json()) as { access_token: string }
      return answer.access_token
    },
    revoke: (token: string) => post('/token/revocation', { token }),
  }
}

async function openFor(issuer: string, client: string, variables: Readonly<Record<string, string>>): Promise<Gateway> {
  const upstream = createServer((request, response) => void response.end(JSON.stringify(request.headers)))
  await new Promise<void>((resolve) => void upstream.listen(0, '127.0.0.1', resolve))
  keep(
    () =>
      new Promise<void>((resolve) => {
        upstream.closeAllConnections()
        upstream.close(() => resolve())
      }),
  )
  const policies = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
issuers:
  main: { issuer: "${issuer}", audiences: ["${audience}"], introspection: { clientId: gateway, clientAsSubject: true, ${client} } }
clusters: { web: { address: "127.0.0.1:${(upstream.address() as AddressInfo).port}" } }
access:
  clients: { authenticate: { introspection: main }, rules: [{ id: read, allow: { clients: [web], scopes: ["orders:read"] } }] }
routes:
  orders: { match: { path: /orders }, access: clients, to: web, handOn: { claims: { x-client: client_id } } }
`
  return openGateway(keep, { 'a.yaml': policies }, { variables })
}

const get = (gateway: Gateway, token: string) => fetch(`http://127.0.0.1:${gateway.port('public')}/orders`, { headers: { authorization: `Bearer ${token}` } })

describe.each(['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const)('with a real provider, asked by %s', (auth) => {
  it('opaque tokens are good until they are revoked and the memory is emptied', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    const own =
      auth === 'private_key_jwt'
        ? { jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'g1', use: 'sig', alg: 'ES256' }] }, token_endpoint_auth_signing_alg: 'ES256' }
        : { client_secret: 'g%te way:secret' }
    const provider = await openProvider({ client_id: 'gateway', token_endpoint_auth_method: auth, ...own })
    const client = auth === 'private_key_jwt' ? 'key: "env:E2E_CREDENTIAL"' : `clientSecret: "env:E2E_CREDENTIAL", auth: ${auth}`
    const gateway = await openFor(provider.issuer, client, { E2E_CREDENTIAL: auth === 'private_key_jwt' ? await exportPKCS8(privateKey) : 'g%te way:secret' })

    const token = await provider.token()
    expect(token.split('.')).toHaveLength(1)
    const answer = await get(gateway, token)
    expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ 'x-client': 'web' })])
    expect((await get(gateway, token)).status).toBe(200)
    expect(provider.questions()).toBe(1)
    expect((await get(gateway, `${token}x`)).status).toBe(401)

    await provider.revoke(token)
    const clear = () => fetch(`http://127.0.0.1:${gateway.port('admin')}/introspection/clear`, { method: 'POST' })
    expect((await clear()).status).toBe(200)
    const refused = await get(gateway, token)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('error="invalid_token"')])
  })
})

it('a real provider that refuses the gateway, or is gone, makes 503', async () => {
  const provider = await openProvider({ client_id: 'gateway', client_secret: 'right', token_endpoint_auth_method: 'client_secret_basic' })
  const gateway = await openFor(provider.issuer, 'clientSecret: "env:E2E_CREDENTIAL"', { E2E_CREDENTIAL: 'wrong' })
  const token = await provider.token()
  const answer = await get(gateway, token)
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  const record = await gateway.entry((one) => one['status'] === 503)
  expect(record['refusal']).toMatchObject({ code: 'idp_unavailable', reason: expect.stringContaining("refuses the gateway's own client") })
  await provider.stop()
  expect((await get(gateway, 'other')).status).toBe(503)
})
