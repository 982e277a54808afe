import * as oauth from 'oauth4webapi'
import { readClientKey } from './client-key.ts'
import type { ClientAuth } from './model/client-auth.ts'
import type { Clock } from './ports.ts'

/** How the gateway proves to an authorization server who it is. */
export interface ClientProof {
  readonly auth: ClientAuth
  /** Names the key of `private_key_jwt` where the key itself does not. */
  readonly keyId?: string | undefined
  /** For whom an assertion is made; undefined: the issuer that the request names. */
  readonly audience?: string | undefined
}

/** Seconds that an assertion is good for. */
const assertionSeconds = 60

/**
 * Client authentication of RFC 6749 section 2.3.1, RFC 7523 section 2.2 and RFC 8705 section 2. `secret` is the client secret, or the private key of
 * `private_key_jwt` (a JWK, or PKCS #8 in PEM); `tls_client_auth` has none here, for the connection proves it. @throws Error that quotes nothing of it.
 */
export async function clientProof({ auth, keyId, audience }: ClientProof, secret: string, clock: Pick<Clock, 'now'>): Promise<oauth.ClientAuth> {
  if (auth === 'client_secret_basic') return oauth.ClientSecretBasic(secret)
  if (auth === 'client_secret_post') return oauth.ClientSecretPost(secret)
  if (auth === 'tls_client_auth') return oauth.TlsClientAuth()
  const { key, kid = keyId, alg } = await readClientKey(secret)
  return oauth.PrivateKeyJwt(kid === undefined ? { key } : { key, kid }, {
    [oauth.modifyAssertion]: (header, payload) => {
      const now = Math.floor(clock.now() / 1000)
      header['alg'] = alg
      Object.assign(payload, { iat: now, nbf: now, exp: now + assertionSeconds }, audience !== undefined && { aud: audience })
    },
  })
}
