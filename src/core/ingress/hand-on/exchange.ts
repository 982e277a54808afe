import { EndpointStandings } from '../../endpoint-standings.ts'
import type { Steered } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import type { TokenExchange } from '../../policy/linked/tokens.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import { type Token, TokenCache } from '../../token-cache.ts'
import { requestToken } from '../../token-endpoint.ts'
import { tokenKinds } from './token-kinds.ts'

export type ExchangePorts = Pick<Ports, 'clock' | 'fetch' | 'secrets' | 'digest' | 'lasting'>

/** A token of the exchange for the downstream's; undefined when it came with none that was verified. @throws Error when there is none to be had. */
export type Exchange = (name: string, x: Steered, subject: Subject) => Promise<string | undefined>

/** Used as long as can be; as many as there are downstreams at a time. */
const exchangedRules = { refreshShare: 0.8, usableShare: 0.9, marginMs: 5_000, most: 10_000 }

/** Builds what exchanges tokens (RFC 8693): one request per token and target at a time, its answer used until its end or the end of the token it was given for. */
export function buildExchange(policy: Policy, ports: ExchangePorts): Exchange {
  const cache = ports.lasting('tokens.exchanged', () => new TokenCache(ports.clock, exchangedRules))
  const standings = new EndpointStandings(ports.clock)
  return async (name, x, subject) => {
    const exchange = policy.exchanges[name]
    if (exchange === undefined) throw new Error(`no exchange ${name}`)
    const given = tokenOf(x, subject)
    if (given === undefined) return undefined
    const key = JSON.stringify([exchange, await ports.digest(given.token)])
    return cache.get(key, () => standings.run(exchange.tokenUrl, () => ask(exchange, given, ports)))
  }
}

interface Given {
  readonly token: string
  /** Seconds since the epoch; undefined where the token does not say. */
  readonly exp: number | undefined
}

/** The token that proved the subject, and no other that stands there unread. */
function tokenOf({ request }: Steered, subject: Subject): Given | undefined {
  const proved = exchangeable(subject)
  const [, token] = /^(?:bearer|dpop) +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
  if (proved === undefined || token === undefined) return undefined
  const exp = proved.claims['exp']
  return { token, exp: typeof exp === 'number' ? exp : undefined }
}

/** Who of those that were proved came with a token: nothing else can be exchanged. */
export function exchangeable(subject: Subject): Subject | undefined {
  return [subject, ...(subject.also ?? [])].find(({ by }) => tokenKinds.has(by))
}

async function ask(exchange: TokenExchange, { token, exp }: Given, { clock, fetch, secrets }: ExchangePorts): Promise<Token> {
  const leftMs = exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000 - clock.now()
  const parameters = new URLSearchParams({
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  })
  if (exchange.audience !== undefined) parameters.set('audience', exchange.audience)
  if (exchange.resource !== undefined) parameters.set('resource', exchange.resource)
  if (exchange.scope.length > 0) parameters.set('scope', exchange.scope.join(' '))
  const secret = await secrets.read(exchange.clientSecret)
  const grant = { type: 'urn:ietf:params:oauth:grant-type:token-exchange', parameters }
  // http is for loopback alone, which the loader has seen to.
  const insecure = exchange.tokenUrl.startsWith('http:')
  const { value, lifetimeMs } = await requestToken(exchange, secret, grant, { fetch, vet: undefined, clock, insecure })
  const bounded = Math.min(lifetimeMs ?? Number.POSITIVE_INFINITY, leftMs)
  return { value, lifetimeMs: Number.isFinite(bounded) ? bounded : undefined }
}
