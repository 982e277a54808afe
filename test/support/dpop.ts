import { createHash, randomUUID } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

/** A client with a key of its own, as RFC 9449 has it. */
export interface DpopClient {
  readonly jwk: JWK
  /** For `cnf.jkt`. */
  readonly thumbprint: string
  readonly privateKey: CryptoKey
  /** A proof for a request; `claims` and `header` replace what it says, `undefined` leaves it out. */
  proof(about: ProofAbout): Promise<string>
}

export interface ProofAbout {
  readonly method?: string
  readonly url: string
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly key?: CryptoKey
}

export async function dpopClient(alg = 'ES256'): Promise<DpopClient> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  return {
    jwk,
    privateKey,
    thumbprint: await calculateJwkThumbprint(jwk),
    proof({ method = 'GET', url, token, now, claims = {}, header = {}, key = privateKey }) {
      const ath = createHash('sha256').update(token).digest('base64url')
      const said = { htm: method, htu: url, iat: Math.floor(now / 1000), jti: randomUUID(), ath, ...claims }
      return new SignJWT(said).setProtectedHeader({ alg, typ: 'dpop+jwt', jwk, ...header }).sign(key)
    },
  }
}
