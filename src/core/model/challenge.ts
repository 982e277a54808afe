import { proofAlgorithms } from './proof-algorithms.ts'

/** `ApiKey` is not registered: keys have a header of their own, and an answer with 401 names a scheme all the same (RFC 9110 section 11.6.1). */
export type Scheme = 'Bearer' | 'DPoP' | 'ApiKey'

/** What a challenge says beside its scheme; every value is the gateway's own text, or scope tokens, which hold no quote (RFC 6749 section 3.3). */
export interface ChallengeMembers {
  readonly error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'invalid_dpop_proof' | 'use_dpop_nonce'
  readonly error_description?: string
  readonly scope?: string
}

// A constant: a realm made from the request would say what the caller wants it to say.
const realm = 'realm="sallyport"'
const algorithms = `algs="${proofAlgorithms.join(' ')}"`

/** A `WWW-Authenticate` value (RFC 6750 section 3, RFC 9449 section 7.1). The one place where challenges are written. */
export function challenge(scheme: Scheme, { error, error_description: description, scope }: ChallengeMembers = {}): string {
  // A proof is refused as it is in the examples of RFC 9449: the token's realm has been told.
  const isOfProof = error === 'invalid_dpop_proof' || error === 'use_dpop_nonce'
  const members = [
    ...(isOfProof ? [] : [realm]),
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(description === undefined ? [] : [`error_description="${description}"`]),
    ...(scope === undefined ? [] : [`scope="${scope}"`]),
    ...(scheme === 'DPoP' ? [algorithms] : []),
  ]
  return `${scheme} ${members.join(', ')}`
}

/**
 * What a request without a token is asked for, by what the issuers demand that tokens be bound to: DPoP alone where bearer tokens cannot do, both
 * where they can (RFC 9449 section 7.1).
 */
export function tokenChallenges(required: readonly ('none' | 'any' | 'dpop' | 'certificate')[]): readonly string[] {
  const bearer = required.length > 0 && required.every((one) => one === 'dpop') ? [] : [challenge('Bearer')]
  return required.some((one) => one === 'dpop' || one === 'any') ? [...bearer, challenge('DPoP')] : bearer
}

/** What these challenges ask for, in words: `a bearer token`. Without a scheme to name, what is asked for is no token. */
export function wantedBy(challenges: readonly string[]): string {
  const keys = challenges.filter((value) => value.startsWith('ApiKey ')).length
  if (challenges.length === 0 || (keys > 0 && keys < challenges.length)) return 'a credential'
  return keys === 0 ? 'a bearer token' : 'an API key'
}

/** The challenge with where to learn more (RFC 9728 section 5.1); one of another scheme as it is. */
export function withResourceMetadata(value: string, url: string): string {
  return /^(?:Bearer|DPoP)(?: |$)/.test(value) ? `${value}${value.includes(' ') ? ',' : ''} resource_metadata="${url}"` : value
}
