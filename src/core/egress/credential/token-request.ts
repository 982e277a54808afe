import { EndpointStandings } from '../../endpoint-standings.ts'
import type { Credential } from '../../model/credential.ts'
import type { PlacedLive } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { inTime } from '../../model/in-time.ts'
import type { Ports } from '../../ports.ts'
import { type Token, TokenCache } from '../../token-cache.ts'
import { type Grant, requestToken } from '../../token-endpoint.ts'
import { type ReadSecret, unavailable } from './secret.ts'

export type OAuth2 = Extract<Credential, { kind: 'oauth2' }>

/** A token for one call. */
export interface CallToken {
  readonly token: string
  /** Values that must not be seen, the token aside: the caller's own token, where this one was given for it. */
  readonly beside: readonly string[]
  /** How long it may be used, milliseconds. */
  readonly leftMs: () => number
  /** The vendor refused it. Whether another one may be had. */
  readonly spoil: () => boolean
}

/** @throws Fault `credential_unavailable`, `unauthenticated` without the token that is to be exchanged, or why the request ended while it waited. */
export type GetToken = (x: PlacedLive, credential: OAuth2) => Promise<CallToken>

type TokenPorts = Pick<Ports, 'clock' | 'fetch' | 'lasting' | 'digest'>

const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
/** Callers' tokens at a time; a client of our own has one per target. */
const mostExchanged = 10_000

/**
 * Builds what gets tokens (RFC 6749 section 4.4, RFC 8693) through the same address guard as the target. One request per token is under way at a time,
 * and everybody waits no longer than the call may take. `insecure` lets a nonprod policy name an `http:` endpoint.
 */
export function buildTokens(readSecret: ReadSecret, insecure: boolean, ports: TokenPorts): GetToken {
  const own = ports.lasting('egress.tokens', () => new TokenCache(ports.clock))
  const exchanged = ports.lasting(
    'egress.exchanged',
    () => new TokenCache(ports.clock, { refreshShare: 0.8, usableShare: 0.9, marginMs: 5_000, most: mostExchanged }),
  )

  const standings = new EndpointStandings(ports.clock)

  async function ask(x: PlacedLive, credential: OAuth2, grant: Grant): Promise<Token> {
    const { ca, certificate, auth, secret: rule, issuer: audience } = credential
    // The connection reads its key itself, when the handshake needs it; here it is held to its rule.
    const secret = await readSecret(rule)
    const key = auth === 'tls_client_auth' ? rule.reference : undefined
    const tls = ca === undefined && certificate === undefined ? undefined : { ca, certificate, key }
    const { tokenUrl, clientId, keyId } = credential
    return requestToken({ tokenUrl, clientId, auth, keyId, audience }, secret, grant, { fetch: ports.fetch, vet: x.vet, tls, clock: ports.clock, insecure })
  }

  return async function getToken(x, credential) {
    const subject = credential.subject === 'caller' ? callersToken(x) : undefined
    const cache = subject === undefined ? own : exchanged
    const key = tokenKey(x, credential, subject === undefined ? undefined : await ports.digest(subject))
    const request = () => ask(x, credential, grantOf(credential, subject))
    // Callers' tokens are many: an endpoint that is in trouble over one is not asked about the next.
    const asked = cache.get(key, () => (subject === undefined ? request() : standings.run(credential.tokenUrl, request)))
    const limits = { lifeline: x.lifeline, deadline: x.deadline, receivedAt: x.receivedAt, route: x.service }
    try {
      const token = await inTime(limits, asked, ports.clock)
      return { token, beside: subject === undefined ? [] : [subject], leftMs: () => cache.leftMs(key, token), spoil: () => cache.spoil(key, token) }
    } catch (error) {
      throw error instanceof Fault ? error : unavailable(error instanceof Error ? error.message : 'no token')
    }
  }
}

/** Nobody here verified it: the endpoint does, and says no to what is not good. */
export function callersToken({ request }: PlacedLive): string {
  const said = request.headers.all('authorization')
  const [, token] = /^bearer +([A-Za-z0-9\-._~+/]{1,8192}=*)$/i.exec(said.length === 1 ? (said[0] ?? '') : '') ?? []
  if (token === undefined) throw new Fault('unauthenticated', 'this service needs the bearer token of whom it is called for')
  return token
}

function grantOf({ scope, audience, resource }: OAuth2, subject: string | undefined): Grant {
  const parameters = new URLSearchParams(
    subject === undefined ? {} : { subject_token: subject, subject_token_type: accessToken, requested_token_type: accessToken },
  )
  if (scope.length > 0) parameters.set('scope', scope.join(' '))
  if (audience !== undefined) parameters.set('audience', audience)
  for (const one of resource) parameters.append('resource', one)
  return { type: subject === undefined ? 'client_credentials' : 'urn:ietf:params:oauth:grant-type:token-exchange', parameters }
}

/** Everything that makes two tokens differ: none crosses services, environments, clients or callers. */
function tokenKey(x: PlacedLive, credential: OAuth2, subject: string | undefined): string {
  return JSON.stringify([x.service.name, x.target.environment, x.target.origin, credential, subject])
}
