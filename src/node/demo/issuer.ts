import { Hono } from 'hono'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type Served, serveApp } from './serve-app.ts'

/** The demo's clients: what each may ask for; `guest-<n>` may read. The secret of every one is `demo-secret`. */
const clients: Readonly<Record<string, { readonly scope: string; readonly tenant: string }>> = {
  ada: { scope: 'orders:read orders:write', tenant: 'red' },
  bob: { scope: 'profile', tenant: 'red' },
}

const guest = { scope: 'orders:read', tenant: 'red' }

export interface Issuer extends Served {
  readonly url: string
  /** Signs a token as the token endpoint would, for a subject of its own. */
  mint(subject: string, claims: { readonly scope: string; readonly tenant?: string }): Promise<string>
}

/**
 * A small but real OAuth2 issuer: discovery (RFC 8414), a key set, and a token endpoint for client credentials (RFC 6749
 * section 4.4) that gives RFC 9068 access tokens. Keys are made anew at every start.
 */
export async function startIssuer(port: number): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const kid = crypto.randomUUID()
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }
  const app = new Hono()
  const served = await serveApp(app, port)
  const url = `http://127.0.0.1:${served.port}`

  const mint: Issuer['mint'] = (subject, claims) =>
    new SignJWT({ ...claims, client_id: subject })
      .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt' })
      .setIssuer(url)
      .setSubject(subject)
      .setAudience('https://api.shop.example')
      .setIssuedAt()
      .setJti(crypto.randomUUID())
      .setExpirationTime('1h')
      .sign(privateKey)

  const metadata = {
    issuer: url,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/jwks.json`,
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
  }
  app.get('/.well-known/openid-configuration', (c) => c.json(metadata))
  app.get('/.well-known/oauth-authorization-server', (c) => c.json(metadata))
  app.get('/jwks.json', (c) => c.json({ keys: [jwk] }, 200, { 'cache-control': 'max-age=300' }))
  app.post('/token', async (c) => {
    const client = authenticate(c.req.header('authorization'))
    if (client === undefined) return c.json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="demo"' })
    const form = await c.req.parseBody()
    if (form['grant_type'] !== 'client_credentials') return c.json({ error: 'unsupported_grant_type' }, 400)
    const granted = clients[client] ?? guest
    const asked = typeof form['scope'] === 'string' ? form['scope'].split(' ') : granted.scope.split(' ')
    const scope = asked.filter((one) => granted.scope.split(' ').includes(one)).join(' ')
    return c.json({ access_token: await mint(client, { scope, tenant: granted.tenant }), token_type: 'Bearer', expires_in: 3600, scope }, 200, {
      'cache-control': 'no-store',
    })
  })
  return { ...served, url, mint }
}

function authenticate(authorization: string | undefined): string | undefined {
  const [scheme, value] = authorization?.split(' ') ?? []
  if (scheme?.toLowerCase() !== 'basic' || value === undefined) return undefined
  const [id, secret] = Buffer.from(value, 'base64').toString().split(':')
  return id !== undefined && secret === 'demo-secret' && (Object.hasOwn(clients, id) || /^guest-\d{1,4}$/.test(id)) ? id : undefined
}
