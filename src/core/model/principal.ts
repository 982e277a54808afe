/** Who is asking, as proved by a credential that the gateway itself verified. */
export type Principal =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'subject'
      /** Name of the issuer in the policies, not its URL. */
      readonly issuer: string
      readonly subject: string
      readonly clientId: string | undefined
      readonly scopes: ReadonlySet<string>
      readonly claims: Readonly<Record<string, unknown>>
    }
  | {
      /** A workload that calls out: one of `callers:`. */
      readonly kind: 'caller'
      readonly name: string
    }

export const anonymous: Principal = Object.freeze({ kind: 'anonymous' })
