import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK, SignJWT } from 'jose'
import type { Vouch } from '../core/edge.ts'
import { digest } from './ports/digest.ts'

/** The key by which the gateway behind knows this edge. */
export interface EdgeKey {
  /** The public half, as a key set (RFC 7517). */
  readonly jwks: { readonly keys: readonly JWK[] }
  /** Signs as `issuer` for the gateway whose origin is `audience`. */
  voucher(issuer: string, audience: string): Vouch
}

/** Long enough for a slow hop, too short to be worth stealing. Seconds. */
const lifetime = 60

/**
 * Reads the private key: an ES256 JWK as JSON text. Its `kid` is its own, else its thumbprint (RFC 7638).
 * @throws Error that says nothing of the key.
 */
export async function readEdgeKey(text: string): Promise<EdgeKey> {
  const jwk = parse(text)
  const key = await importJWK(jwk, 'ES256').catch(() => undefined)
  if (key === undefined || key instanceof Uint8Array || key.type !== 'private') throw new Error('it is not a private ES256 key in JWK form')
  const { kty, crv, x, y } = jwk
  const kid = jwk.kid ?? (await calculateJwkThumbprint(jwk))
  const known: JWK = { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } as JWK // importJWK took these members
  return { jwks: { keys: [known] }, voucher: (issuer, audience) => (facts) => sign(key, kid, { issuer, audience, ...facts }) }
}

function parse(text: string): JWK {
  try {
    const jwk: unknown = JSON.parse(text)
    if (typeof jwk === 'object' && jwk !== null && 'kty' in jwk && jwk.kty === 'EC' && 'crv' in jwk && jwk.crv === 'P-256' && 'd' in jwk) return jwk as JWK
  } catch {
    // Said below, without the text.
  }
  throw new Error('it is not a private ES256 key in JWK form')
}

type Claims = Parameters<Vouch>[0] & { readonly issuer: string; readonly audience: string }

/**
 * A token of type `sallyport-edge+jwt` for one request: `req` is the SHA-256, in hex, of the method, one space and the canonical path, so
 * that a token taken from one request vouches for no other.
 */
async function sign(key: CryptoKey, kid: string, { issuer, audience, id, method, path }: Claims): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ req: await digest(`${method} ${path}`) })
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'sallyport-edge+jwt' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setJti(id)
    .setIssuedAt(now)
    .setExpirationTime(now + lifetime)
    .sign(key)
}
