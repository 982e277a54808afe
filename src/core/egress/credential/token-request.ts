import type { Credential } from '../../model/route.ts'
import type { Token } from '../../token-cache.ts'
import { requestToken as request, type Via } from '../../token-endpoint.ts'

export type OAuth2 = Extract<Credential, { kind: 'oauth2' }>

/**
 * Asks for a token of the gateway's own (RFC 6749 section 4.4), through the same address guard as the target. `insecure` lets a nonprod
 * policy name an `http:` endpoint. @throws Error when there is no usable token; its message holds nothing that was sent or answered.
 */
export function requestToken(credential: OAuth2, clientSecret: string, via: Via): Promise<Token> {
  const parameters = new URLSearchParams()
  if (credential.scope.length > 0) parameters.set('scope', credential.scope.join(' '))
  if (credential.audience !== undefined) parameters.set('audience', credential.audience)
  return request(credential, clientSecret, { type: 'client_credentials', parameters }, via)
}
