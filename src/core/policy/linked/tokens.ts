/** Tokens that the gateway makes for services. */
export interface MintedToken {
  readonly name: string
  readonly issuer: string
  /** References to private keys, in the order in which they are to sign. */
  readonly keys: readonly string[]
  readonly algorithm: string
  readonly lifetimeMs: number
  /** Undefined: the name of the cluster. */
  readonly audience: string | undefined
  readonly type: string
  readonly claims: readonly { readonly claim: string; readonly from: string }[]
  readonly scopes: 'none' | 'all' | readonly string[]
  /** How long a new key is published before it signs. */
  readonly activateAfterMs: number
  /** On the public listener. */
  readonly publish: boolean
}

/** A token endpoint that gives a token for the downstream's (RFC 8693). */
export interface TokenExchange {
  readonly name: string
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly auth: 'client_secret_basic' | 'client_secret_post'
  readonly audience: string | undefined
  readonly resource: string | undefined
  readonly scope: readonly string[]
}

/** A protected resource as it is published (RFC 9728). */
export interface Resource {
  readonly name: string
  /** Its identifier. */
  readonly url: string
  readonly title: string | undefined
  readonly documentation: string | undefined
}
