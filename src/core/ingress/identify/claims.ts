import type { Subject } from '../../model/principal.ts'
import type { Issuer } from '../../policy/linked/issuers.ts'
import { tokenInvalid } from './answers.ts'
import { isPrintable, type OpenedToken } from './gate.ts'
import type { Json, JsonObject } from './strict-json.ts'

/** Whatever the policies say: never `none`, and never a shared secret, which a public key could be taken for (RFC 8725 section 3.1). */
const asymmetric: ReadonlySet<string> = new Set(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])

/** NumericDate values from here on are milliseconds written where seconds belong, or nonsense (year 36,812). */
const numericDateEnd = 2 ** 40

/**
 * Holds a token's type, algorithm and claims against its issuer's configuration (RFC 7519 section 4.1, RFC 8725, RFC 9068 section 4).
 * @throws Fault `token_invalid`.
 */
export function judgeClaims(issuer: Issuer, token: OpenedToken, now: number): void {
  const { claims } = token
  if (!asymmetric.has(token.alg) || !issuer.algorithms.includes(token.alg)) throw tokenInvalid('an algorithm that this issuer does not use')
  if (!issuer.tokenTypes.includes(token.typ)) throw tokenInvalid(`a token of type "${token.typ.slice(0, 40)}"`)
  if (claims['exp'] === undefined) throw tokenInvalid('no expiry')
  judgeTimes(issuer, claims, now)
  judgeAudience(issuer, claims)
  printableClaim(claims, 'sub')
  optionalPrintable(claims, 'jti')
}

/** @throws Fault `token_invalid` unless one of the issuer's audiences is named. */
export function judgeAudience(issuer: Issuer, claims: JsonObject): void {
  if (!audiencesOf(claims['aud']).some((audience) => issuer.audiences.includes(audience))) throw tokenInvalid('meant for another audience')
}

/** Types and bounds of `exp`, `iat` and `nbf`, those that are there. @throws Fault `token_invalid` */
export function judgeTimes(issuer: Issuer, claims: JsonObject, now: number): void {
  const exp = numericDate(claims, 'exp')
  const iat = numericDate(claims, 'iat')
  const nbf = numericDate(claims, 'nbf')
  if (nbf !== undefined && nbf > now + issuer.clockSkewMs) throw tokenInvalid('not valid yet')
  if (iat !== undefined && iat > now + issuer.clockSkewMs) throw tokenInvalid('issued in the future')
  if (exp === undefined) return
  if (now >= exp + issuer.clockSkewMs) throw tokenInvalid('expired')
  if (iat !== undefined && exp <= iat) throw tokenInvalid('expired before it was issued')
  // Without iat the most that is known of its life is what is left of it.
  const lifetime = iat === undefined ? exp - now - issuer.clockSkewMs : exp - iat
  if (lifetime > issuer.maxLifetimeMs) throw tokenInvalid('lives longer than this issuer may let it')
}

/** The principal that a token's claims describe. @throws Fault `token_invalid` where a claim has the wrong type. */
export function principalFrom(issuer: Issuer, claims: JsonObject): Subject {
  return principalOf(issuer, claims, 'jwt', printableClaim(claims, 'sub'))
}

/**
 * The same for what the issuer answered about a token (RFC 7662 section 2.2). A token without `sub` stands for its client only where the issuer's
 * settings say so. @throws Fault `token_invalid`
 */
export function principalFromAnswer(issuer: Issuer, claims: JsonObject): Subject {
  const { clientAsSubject } = issuer.introspection ?? { clientAsSubject: false }
  const subject = optionalPrintable(claims, 'sub') ?? (clientAsSubject ? optionalPrintable(claims, 'client_id') : undefined)
  if (subject === undefined) throw tokenInvalid(clientAsSubject ? 'no "sub" and no "client_id"' : 'no "sub"')
  return principalOf(issuer, claims, 'introspection', subject)
}

function principalOf(issuer: Issuer, claims: JsonObject, by: Subject['by'], subject: string): Subject {
  return Object.freeze({
    kind: 'subject',
    by,
    issuer: issuer.name,
    subject,
    clientId: optionalPrintable(claims, 'client_id') ?? optionalPrintable(claims, 'azp'),
    scopes: scopesOf(issuer, claims),
    claims,
  })
}

/** When the token ends, in milliseconds since the epoch, tolerance included. */
export function endOf(issuer: Issuer, claims: JsonObject): number {
  return (numericDate(claims, 'exp') ?? 0) + issuer.clockSkewMs
}

export function numericDate(claims: JsonObject, name: string): number | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || value < 0 || value >= numericDateEnd) throw tokenInvalid(`"${name}" is not a time in seconds`)
  return value * 1000
}

function audiencesOf(aud: Json | undefined): readonly string[] {
  const list = typeof aud === 'string' ? [aud] : aud
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) throw tokenInvalid('"aud" is not a string or a list of strings')
  return list
}

function printableClaim(claims: JsonObject, name: string): string {
  const value = optionalPrintable(claims, name)
  if (value === undefined) throw tokenInvalid(`no "${name}"`)
  return value
}

export function optionalPrintable(claims: JsonObject, name: string): string | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !isPrintable(value)) throw tokenInvalid(`"${name}" is not a printable string of at most 255 characters`)
  return value
}

// RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

function scopesOf(issuer: Issuer, claims: JsonObject): ReadonlySet<string> {
  const name = issuer.scopeClaims.find((claim) => claims[claim] !== undefined)
  if (name === undefined) return new Set()
  const value = claims[name]
  const list = typeof value === 'string' ? value.split(' ').filter((one) => one !== '') : value
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string' && scopeToken.test(one))) throw tokenInvalid(`"${name}" is not a list of scopes`)
  return new Set(list as readonly string[]) // every item was seen to be a string
}
