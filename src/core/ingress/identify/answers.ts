import { challenge, wantedBy } from '../../model/challenge.ts'
import { Fault } from '../../model/fault.ts'

export const realm = challenge('Bearer')

/** 401 without an error code: no credential, or none of a kind that is accepted (RFC 6750 section 3.1). */
export function credentialMissing(challenges: readonly string[], internal?: string): Fault {
  return new Fault('unauthenticated', `${wantedBy(challenges)} is required`, {
    headers: challenges.map((challenge) => ['www-authenticate', challenge] as const),
    ...(internal === undefined ? {} : { internal }),
  })
}

/** 400: the credential cannot be read, or there are several (RFC 6750 section 3.1). */
export function credentialMalformed(why: string): Fault {
  return new Fault('credential_invalid', why, {
    headers: [['www-authenticate', challenge('Bearer', { error: 'invalid_request', error_description: why })]],
  })
}

/** 401: one answer for every bad token; the reason goes to the record only. */
export function tokenInvalid(reason: string): Fault {
  return new Fault('token_invalid', 'the access token is not valid', {
    headers: [['www-authenticate', challenge('Bearer', { error: 'invalid_token', error_description: 'the access token is not valid' })]],
    internal: reason,
  })
}

/** The same where these challenges ask for tokens: bearer tokens, unless only those that are bound to a key will do. */
export function tokenInvalidFor(challenges: readonly string[], fault: Fault): Fault {
  const takesBound = challenges.some((value) => value.startsWith('DPoP '))
  if (!takesBound || challenges.some((value) => value.startsWith('Bearer '))) return fault
  const asked = challenge('DPoP', { error: 'invalid_token', error_description: fault.message })
  return new Fault('token_invalid', fault.message, { ...fault.detail, headers: [['www-authenticate', asked]] })
}

/** 403: there is no scheme that a challenge could ask for a better certificate with. The reason goes to the record only. */
export function certificateInvalid(reason: string): Fault {
  return new Fault('certificate_invalid', 'the client certificate is not accepted', { internal: reason })
}

/** 503: the token may well be good, but there are no keys to tell. */
export function idpUnavailable(retryAfterMs: number, reason: string): Fault {
  return new Fault('idp_unavailable', 'the identity provider cannot be reached', {
    headers: [['retry-after', `${Math.max(1, Math.ceil(retryAfterMs / 1000))}`]],
    internal: reason,
  })
}
