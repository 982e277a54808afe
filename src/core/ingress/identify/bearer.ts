import type { Fields } from '../../model/wire.ts'

/** What stands in the Authorization header. */
export type Offered =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'token'; readonly scheme: 'bearer' | 'dpop'; readonly token: string }
  /** A scheme other than Bearer and DPoP. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'malformed'; readonly why: string }

// RFC 6750 section 2.1: credentials = "Bearer" 1*SP b64token. A list of two tokens holds a comma and is no b64token.
// RFC 9449 section 7.1 says the same of DPoP.
const shape = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i
const scheme = /^(?:bearer|dpop)(?: |$)/i

/**
 * What follows `Bearer ` where that is how a single Authorization header begins: to be looked up among tokens that were verified before,
 * which says more about its form than reading it again. Anything else is for `readBearer` to judge.
 */
export function unreadBearer(headers: Fields): string | undefined {
  const first = headers.get('authorization')
  return first?.startsWith('Bearer ') === true && headers.all('authorization').length === 1 ? first.slice('Bearer '.length) : undefined
}

/** Reads the access token (RFC 6750 section 2.1, RFC 9449 section 7.1). Tokens in the query or in a form body are never read. */
export function readBearer(headers: Fields): Offered {
  const first = headers.get('authorization')
  if (first === undefined) return { kind: 'nothing' }
  if (headers.all('authorization').length > 1) return { kind: 'malformed', why: 'more than one Authorization header' }
  const [, said, token] = shape.exec(first) ?? []
  if (token !== undefined) return { kind: 'token', scheme: said?.toLowerCase() === 'dpop' ? 'dpop' : 'bearer', token }
  return scheme.test(first) ? { kind: 'malformed', why: 'the Authorization header holds no single access token' } : { kind: 'foreign' }
}
