import * as openid from 'openid-client'
import { Agent, buildConnector, fetch as undiciFetch } from 'undici'
import type { Keep } from './keep.ts'
import { type ClientName, callbackUrl, resources, secretOf } from './provider/plan.ts'
import type { IdentityProvider } from './provider.ts'

/** A certificate that a client shows in TLS, and the authority it trusts. */
export interface ClientTls {
  readonly ca: string
  readonly certificate?: string
  readonly key?: string
}

/** `openid-client` as this client of the provider, after discovery. `fetch` takes the place of its own. */
export async function clientOf(idp: IdentityProvider, name: ClientName, fetch?: openid.CustomFetch): Promise<openid.Configuration> {
  const metadata = { use_mtls_endpoint_aliases: name === 'certified' }
  const options = { execute: [openid.allowInsecureRequests], ...(fetch === undefined ? {} : { [openid.customFetch]: fetch }) }
  return openid.discovery(new URL(idp.url), name, metadata, authenticationOf(idp, name), options)
}

function authenticationOf(idp: IdentityProvider, name: ClientName): openid.ClientAuth {
  if (name === 'assertion') return openid.PrivateKeyJwt(idp.clientKey)
  return name === 'post' ? openid.ClientSecretPost(secretOf(name)) : openid.ClientSecretBasic(secretOf(name))
}

/** An access token by client credentials (RFC 6749 section 4.4, RFC 8707), for the API unless said otherwise. */
export async function accessToken(
  client: openid.Configuration,
  {
    resource = 'api',
    scope = 'orders:read',
    dpop,
  }: { readonly resource?: keyof typeof resources; readonly scope?: string; readonly dpop?: openid.DPoPHandle } = {},
): Promise<string> {
  const answer = await openid.clientCredentialsGrant(client, { resource: resources[resource].url, scope }, dpop === undefined ? {} : { DPoP: dpop })
  return answer.access_token
}

/** A bearer token of the client `basic`, where it does not matter whose. */
export const someToken = async (idp: IdentityProvider): Promise<string> => accessToken(await clientOf(idp, 'basic'))

/** The same token under another key id, with a signature that no key made for it. */
export function underKeyId(token: string, kid: string): string {
  const [header = '', ...rest] = token.split('.')
  const said = JSON.parse(Buffer.from(header, 'base64url').toString()) as object
  return [Buffer.from(JSON.stringify({ ...said, kid })).toString('base64url'), ...rest].join('.')
}

/** All tokens of a login in a browser: authorization code with PKCE, as the client `app`, for the user `ada`. */
export async function signIn(idp: IdentityProvider): Promise<{ readonly access: string; readonly id: string; readonly refresh: string }> {
  const client = await clientOf(idp, 'app')
  const verifier = openid.randomPKCECodeVerifier()
  const url = openid.buildAuthorizationUrl(client, {
    redirect_uri: callbackUrl,
    scope: 'openid offline_access orders:read',
    resource: resources.api.url,
    prompt: 'consent',
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const back = await browse(url)
  const tokens = await openid.authorizationCodeGrant(client, back, { pkceCodeVerifier: verifier })
  if (tokens.id_token === undefined || tokens.refresh_token === undefined) throw new Error('the provider gave no ID token or no refresh token')
  return { access: tokens.access_token, id: tokens.id_token, refresh: tokens.refresh_token }
}

/** A browser that follows redirects with its cookies until it is sent to the client. */
async function browse(start: URL): Promise<URL> {
  const cookies = new Map<string, string>()
  let url = start
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const set of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`${url.pathname} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`)
    url = new URL(location, url)
    if (url.href.startsWith(callbackUrl)) return url
  }
  throw new Error('too many redirects')
}

/**
 * A fetch for `openid-client` that dials the given port of 127.0.0.1 whatever the URL says, as a name behind a load balancer does, or the URL's
 * own place; with a certificate to show where one is given.
 */
export function dialling(keep: Keep, { port, tls }: { readonly port?: number; readonly tls?: ClientTls }): openid.CustomFetch {
  const dial = buildConnector(tls === undefined ? {} : { ca: tls.ca, cert: tls.certificate, key: tls.key })
  const agent = new Agent({
    connect: (options, callback) =>
      dial(
        port === undefined ? options : { ...options, hostname: '127.0.0.1', port: `${port}`, servername: new URL(`https://${options.host}`).hostname },
        callback,
      ),
  })
  keep(() => agent.destroy())
  return (url, init) => undiciFetch(url, { ...(init as object), dispatcher: agent })
}
