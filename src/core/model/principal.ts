/** Who is asking, as proved by credentials that the gateway itself verified. */
export type Principal = { readonly kind: 'anonymous' } | Subject | CallerPrincipal

/** Somebody who proved who they are. */
export interface Subject {
  readonly kind: 'subject'
  /** The kind of credential that proved it. */
  readonly by: ProofKind
  /** Name of the issuer in the policies, not its URL; of what else vouched, where it is no token. */
  readonly issuer: string
  readonly subject: string
  readonly clientId: string | undefined
  readonly scopes: ReadonlySet<string>
  readonly claims: Readonly<Record<string, unknown>>
  /** Id of the API key that proved it. */
  readonly keyId?: string | undefined
  /** Who else was proved, where the route asks for several credentials at once. */
  readonly also?: readonly Subject[]
}

/** Credentials of the ingress, as requirement trees name them. */
export type ProofKind = 'jwt' | 'introspection' | 'apiKey' | 'mtls'

/** A workload that calls out: one of `callers:`. */
export interface CallerPrincipal {
  readonly kind: 'caller'
  readonly name: string
  /** The SPIFFE id that it proved. */
  readonly spiffe?: string | undefined
  /** Whom the token that it brought stands for; the name of the issuer in the policies. */
  readonly token?: { readonly issuer: string; readonly subject: string } | undefined
  /** When the first of what it showed is over, milliseconds since the epoch; undefined where it showed nothing that ends. */
  readonly until?: number | undefined
}

export const anonymous: Principal = Object.freeze({ kind: 'anonymous' })
