import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { errors, type GrantContext, Provider } from 'oidc-provider'
import { type ClientName, callbackUrl, exchangeGrant, type IssuerPlan, resources, secretOf } from './plan.ts'

/** Hears what the provider posts to a client. */
type Post = (body: string) => void

/** A provider for this plan. Whoever logs in is `ada`; nobody is asked. */
export function makeProvider(issuer: string, plan: IssuerPlan, post: Post): Provider {
  const provider = new Provider(issuer, configurationOf(plan, post))
  const handler = (context: GrantContext) => exchange(provider, plan, context)
  provider.registerGrantType(exchangeGrant, handler, ['subject_token', 'subject_token_type', 'audience', 'scope'])
  return provider
}

function configurationOf(plan: IssuerPlan, post: Post): Readonly<Record<string, unknown>> {
  return {
    jwks: { keys: plan.keys },
    clients: clientsOf(plan),
    scopes: ['openid', 'offline_access'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none'],
    cookies: { keys: ['only-for-tests'] },
    ttl: { AccessToken: 300, ClientCredentials: 300, IdToken: 300, RefreshToken: 600, Session: 600, Grant: 600, Interaction: 60, AuthorizationCode: 60 },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    loadExistingGrant: grantEverything,
    issueRefreshToken: () => true,
    extraTokenClaims: actorOf,
    interactions: { url: (_context: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
    features: featuresOf(plan),
    ...(plan.tls === undefined ? {} : { discovery: { mtls_endpoint_aliases: { token_endpoint: `https://127.0.0.1:${plan.tlsPort}/token` } } }),
    fetch: async (_url: unknown, { body }: { readonly body?: URLSearchParams }) => {
      post(body?.toString() ?? '')
      return new Response(null, { status: 204 })
    },
  }
}

function featuresOf(plan: IssuerPlan): object {
  return {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    backchannelLogout: { enabled: true },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => plan.nonce },
    mTLS: { enabled: true, certificateBoundAccessTokens: true, getCertificate: certificateOf, ...tlsClientAuth },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resources.api.url,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context: unknown, url: string) => resourceServer(url),
    },
  }
}

function clientsOf(plan: IssuerPlan): readonly object[] {
  const machine = (client_id: ClientName, more: object) => ({ client_id, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], ...more })
  const secret = (name: ClientName, method = 'client_secret_basic') => ({ client_secret: secretOf(name), token_endpoint_auth_method: method })
  return [
    machine('basic', secret('basic')),
    machine('post', secret('post', 'client_secret_post')),
    machine('assertion', { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [plan.clientKey] } }),
    machine('bound', { ...secret('bound'), dpop_bound_access_tokens: true }),
    machine('certified', { ...secret('certified'), tls_client_certificate_bound_access_tokens: true }),
    machine('mutual', { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'client.test' }),
    machine('gateway', { ...secret('gateway'), grant_types: ['client_credentials', exchangeGrant] }),
    {
      client_id: 'app',
      ...secret('app'),
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [callbackUrl],
      backchannel_logout_uri: 'https://app.example.com/logout',
    },
  ]
}

/** The verified or unverified certificate of the connection: RFC 8705 binds to either. */
function certificateOf({ req }: { readonly req: IncomingMessage }): unknown {
  return req.socket instanceof TLSSocket ? req.socket.getPeerX509Certificate() : undefined
}

/** RFC 8705 section 2.1: a certificate that the listener's authority signed, with the name that the client registered. */
const tlsClientAuth = {
  tlsClientAuth: true,
  certificateAuthorized: ({ req }: { readonly req: IncomingMessage }) => req.socket instanceof TLSSocket && req.socket.authorized,
  certificateSubjectMatches: ({ req }: { readonly req: IncomingMessage }, _property: string, expected: string) =>
    req.socket instanceof TLSSocket && (req.socket.getPeerX509Certificate()?.subjectAltName ?? '').split(', ').includes(`DNS:${expected}`),
}

function resourceServer(url: string): object {
  const resource = Object.values(resources).find((one) => one.url === url)
  if (resource === undefined) throw new errors.InvalidTarget('nobody knows that resource')
  const { scope, format } = resource
  return { scope, audience: url, accessTokenFormat: format, accessTokenTTL: 300, ...(format === 'jwt' ? { jwt: { sign: { alg: 'ES256' } } } : {}) }
}

interface ConsentContext {
  readonly oidc: {
    readonly provider: Provider
    readonly client: { readonly clientId: string }
    readonly session: { readonly accountId: string }
  }
}

async function grantEverything({ oidc }: ConsentContext): Promise<object> {
  const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId })
  grant.addOIDCScope('openid offline_access')
  for (const { url, scope } of Object.values(resources)) grant.addResourceScope(url, scope)
  await grant.save()
  return grant
}

/** RFC 8693 section 4.1: in an exchanged token, who acts for the subject. */
function actorOf({ oidc }: GrantContext): object | undefined {
  return oidc.params['grant_type'] === exchangeGrant ? { act: { sub: oidc.client.clientId } } : undefined
}

/** RFC 8693 for JWTs of this very issuer: the same subject for another audience, with the client as actor. */
async function exchange(provider: Provider, plan: IssuerPlan, context: GrantContext): Promise<void> {
  const { client, params } = context.oidc
  const { payload } = await jwtVerify(params['subject_token'] ?? '', createLocalJWKSet({ keys: plan.keys.map(({ d: _secret, ...shown }) => shown) }), {
    issuer: provider.issuer,
  }).catch(() => {
    throw new errors.InvalidGrant('the subject token is not good')
  })
  const resource = Object.values(resources).find(({ url }) => url === params['audience'])
  if (resource === undefined) throw new errors.InvalidTarget('nobody knows that audience')
  const token = new provider.AccessToken({ client, accountId: payload.sub, scope: params['scope'] ?? resource.scope })
  token.resourceServer = new provider.ResourceServer(resource.url, resourceServer(resource.url))
  context.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: token.scope,
  }
}
