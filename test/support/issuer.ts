import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Issuer } from '../../src/core/policy/linked/issuers.ts'

/** A key of the double, with its public half as the key set shows it. */
export interface IssuerKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

export interface TokenOptions {
  readonly key?: IssuerKey
  /** Header members beside alg, kid and typ; `undefined` leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>
}

/** A tiny identity provider: keys, a key set, tokens. Time is the `now` it is given, milliseconds. */
export interface IssuerDouble {
  readonly url: string
  readonly audience: string
  readonly keys: readonly IssuerKey[]
  /** What its key set endpoint answers. */
  jwks(): string
  /** What its discovery endpoint answers. */
  metadata(): string
  jwksUrl: string
  metadataUrl: string
  /** A new key in place of all others. */
  rotate(alg?: string): Promise<IssuerKey>
  /** Adds a key and keeps the others. */
  addKey(alg?: string): Promise<IssuerKey>
  /**
   * A signed token: at+jwt, subject `u1`, five minutes, scope `orders:read`. `claims` replace these; `undefined` leaves one out.
   */
  token(claims?: Readonly<Record<string, unknown>>, options?: TokenOptions): Promise<string>
  /** How the policies would describe it. */
  config(changes?: Partial<Issuer>): Issuer
}

/** Makes an issuer with one ES256 key. */
export async function issuerDouble(now: () => number, url = 'https://idp.example.com', name = 'main'): Promise<IssuerDouble> {
  const audience = 'https://api.example.com'
  let keys: readonly IssuerKey[] = []
  let made = 0
  const make = async (alg: string): Promise<IssuerKey> => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const kid = `${name}-${++made}`
    return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
  }
  keys = [await make('ES256')]
  return {
    url,
    audience,
    get keys() {
      return keys
    },
    jwksUrl: `${url}/jwks`,
    metadataUrl: `${url}/.well-known/openid-configuration`,
    jwks: () => JSON.stringify({ keys: keys.map((key) => key.jwk) }),
    metadata: () => JSON.stringify({ issuer: url, jwks_uri: `${url}/jwks` }),
    async rotate(alg = 'ES256') {
      const key = await make(alg)
      keys = [key]
      return key
    },
    async addKey(alg = 'ES256') {
      const key = await make(alg)
      keys = [...keys, key]
      return key
    },
    token(claims = {}, options = {}) {
      const key = options.key ?? keys.at(-1)
      if (key === undefined) throw new Error('the issuer has no key')
      const seconds = Math.floor(now() / 1000)
      const payload = { iss: url, aud: audience, sub: 'u1', scope: 'orders:read', iat: seconds, exp: seconds + 300, ...claims }
      const header = { alg: key.alg, kid: key.kid, typ: 'at+jwt', ...options.header }
      return new SignJWT(payload).setProtectedHeader(header).sign(key.privateKey)
    },
    config: (changes = {}) => ({
      name,
      quarantined: undefined,
      issuer: url,
      jwks: undefined,
      audiences: [audience],
      algorithms: ['ES256', 'RS256', 'EdDSA'],
      tokenTypes: ['at+jwt', 'jwt'],
      maxLifetimeMs: 86_400_000,
      clockSkewMs: 30_000,
      staleKeysForMs: 86_400_000,
      introspection: undefined,
      scopeClaims: ['scope', 'scp'],
      proof: { required: 'none', maxAgeMs: 60_000, nonceKey: undefined },
      ...changes,
    }),
  }
}
