import * as oauth from 'oauth4webapi'
import { type ClientProof, clientProof } from './client-proof.ts'
import { Fault } from './model/fault.ts'
import type { Vet } from './model/vet.ts'
import type { Clock, Fetch, FetchTls } from './ports.ts'
import type { Token } from './token-cache.ts'

/** Where tokens are asked for, and as whom. */
export interface TokenEndpoint extends ClientProof {
  readonly tokenUrl: string
  readonly clientId: string
}

/** What is asked for (RFC 6749 section 4.5). */
export interface Grant {
  readonly type: string
  readonly parameters: URLSearchParams
}

/** How the endpoint is reached. `insecure` lets it be an `http:` one. */
export interface Via {
  readonly fetch: Fetch
  readonly vet: Vet | undefined
  readonly tls?: FetchTls | undefined
  /** Of assertions. */
  readonly clock: Pick<Clock, 'now'>
  readonly insecure: boolean
}

/** There is no usable token. The message holds nothing that was sent or answered. */
export class TokenRequestError extends Error {
  override readonly name = 'TokenRequestError'
  /** The endpoint said no to this grant; otherwise it is the endpoint that is in trouble. */
  readonly refused: boolean

  constructor(message: string, refused: boolean) {
    super(message)
    this.refused = refused
  }
}

const timeoutMs = 5_000
const answerLimit = 64 * 1024
/** `b64token` of RFC 6750 section 2.1: what may stand behind `Bearer`. */
const bearer = /^[A-Za-z0-9\-._~+/]{1,8192}=*$/

/** Asks a token endpoint for a bearer token. `secret` is what `clientProof` makes of it. @throws TokenRequestError */
export async function requestToken(endpoint: TokenEndpoint, secret: string, grant: Grant, via: Via): Promise<Token> {
  const server: oauth.AuthorizationServer = { issuer: endpoint.tokenUrl, token_endpoint: endpoint.tokenUrl }
  const client: oauth.Client = { client_id: endpoint.clientId }
  const options = { [oauth.customFetch]: fetchThrough(via), [oauth.allowInsecureRequests]: via.insecure }
  try {
    const proof = await clientProof(endpoint, secret, via.clock).catch((error: unknown) => {
      throw new TokenProblem(error instanceof Error ? error.message : 'the key cannot be used')
    })
    const response = await oauth.genericTokenEndpointRequest(server, client, proof, grant.type, grant.parameters, options)
    return tokenOf(await oauth.processGenericTokenEndpointResponse(server, client, response))
  } catch (error) {
    // oxlint-disable-next-line preserve-caught-error -- the library's errors carry the answer, and with it what was sent
    throw new TokenRequestError(reasonOf(error), error instanceof oauth.ResponseBodyError && error.status < 500)
  }
}

function tokenOf(answer: oauth.TokenEndpointResponse): Token {
  if (answer.token_type !== 'bearer') throw new TokenProblem('the token is not a bearer token')
  if (!bearer.test(answer.access_token)) throw new TokenProblem('the token holds characters that no bearer token has')
  if (answer.expires_in === undefined) return { value: answer.access_token, lifetimeMs: undefined }
  if (!(answer.expires_in > 0)) throw new TokenProblem('the token has expired already')
  return { value: answer.access_token, lifetimeMs: answer.expires_in * 1000 }
}

/** Something in our own words about a token, or what it is asked for with. */
class TokenProblem extends Error {
  override readonly name = 'TokenProblem'
}

function fetchThrough({ fetch, vet, tls }: Via): (url: string, options: oauth.CustomFetchOptions<'POST', URLSearchParams>) => Promise<Response> {
  return async (url, options) => {
    const answer = await fetch({ url, method: 'POST', headers: options.headers, body: options.body.toString(), timeoutMs, limit: answerLimit, vet, tls })
    return new Response(answer.text, { status: answer.status, headers: answer.headers })
  }
}

/** The OAuth error code or the kind of failure: an issuer's free text may echo what it was sent. */
function reasonOf(error: unknown): string {
  if (error instanceof TokenProblem) return error.message
  if (error instanceof oauth.ResponseBodyError) {
    return `the token endpoint answered ${error.status} ${/^[a-z_]{1,40}$/.test(error.error) ? error.error : 'with an error'}`
  }
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return `the token endpoint's answer is no token (${error.code ?? error.name})`
  }
  // A fault is the channel's own word: nobody answered, or the address guard refused.
  return `the token endpoint cannot be reached${error instanceof Fault ? ` (${error.code}: ${error.detail.internal ?? error.message})` : ''}`
}
