import type { Fields } from '../../model/wire.ts'

/** What stands in the Authorization header. */
export type Offered =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'token'; readonly token: string }
  /** A scheme other than Bearer. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'malformed'; readonly why: string }

// RFC 6750 section 2.1: credentials = "Bearer" 1*SP b64token. A list of two tokens holds a comma and is no b64token.
const shape = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i
const scheme = /^bearer(?: |$)/i

/** Reads the bearer token (RFC 6750 section 2.1). Tokens in the query or in a form body are never read. */
export function readBearer(headers: Fields): Offered {
  const first = headers.get('authorization')
  if (first === undefined) return { kind: 'nothing' }
  if (headers.all('authorization').length > 1) return { kind: 'malformed', why: 'more than one Authorization header' }
  const token = shape.exec(first)?.[1]
  if (token !== undefined) return { kind: 'token', token }
  return scheme.test(first) ? { kind: 'malformed', why: 'the Authorization header holds no single bearer token' } : { kind: 'foreign' }
}
