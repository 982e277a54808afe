export interface Issuer {
  readonly name: string
  readonly quarantined: string | undefined
  /** The `iss` claim, compared exactly. */
  readonly issuer: string
  /** Key set URL; undefined means discovery (RFC 8414, OpenID Connect Discovery). */
  readonly jwks: string | undefined
  readonly audiences: readonly string[]
  readonly algorithms: readonly string[]
  /** Accepted `typ`, lower-case, without `application/`. */
  readonly tokenTypes: readonly string[]
  readonly maxLifetimeMs: number
  readonly clockSkewMs: number
  readonly staleKeysForMs: number
  /** Where scopes stand: `scope` (space separated) or `scp` (list). First that is present. */
  readonly scopeClaims: readonly string[]
  readonly proof: ProofRules
  /** How opaque tokens are asked about; undefined: they are not. */
  readonly introspection: Introspection | undefined
  /** Undefined: nothing is revoked before its time. */
  readonly revocation?: RevocationRules | undefined
}

/** How tokens of an issuer are taken back before their time. */
export interface RevocationRules {
  /** How soon a revocation is seen. */
  readonly refreshMs: number
  /** How long the last known list goes on while the store does not answer. */
  readonly staleForMs: number
  /** What happens after that. */
  readonly onStoreFailure: 'refuse' | 'pass'
}

/** Asking an issuer about a token (RFC 7662), and what its answer must say. */
export interface Introspection {
  /** The endpoint; undefined means discovery. */
  readonly url: string | undefined
  readonly clientId: string
  readonly auth: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  /** Reference to the client's secret; of `private_key_jwt` to its private key, a JWK or PKCS #8 in PEM. */
  readonly credential: string
  /** The longest time that an answer is remembered. */
  readonly cacheMs: number
  /** For one answer, discovery included. */
  readonly timeoutMs: number
  /** `optional`: an answer that names no audience at all is good. */
  readonly audience: 'required' | 'optional'
  /** A token without `sub` stands for its client. */
  readonly clientAsSubject: boolean
}

/** What a token must be bound to, and how that is proved. A token that is bound is proved whatever `required` says. */
export interface ProofRules {
  /** `any`: to a key of DPoP (RFC 9449) or to a client certificate (RFC 8705). */
  readonly required: 'none' | 'any' | 'dpop' | 'certificate'
  /** How old a DPoP proof may be. */
  readonly maxAgeMs: number
  /** Reference to the key that nonces are made with; undefined: proofs need no nonce. */
  readonly nonceKey: string | undefined
}
