import type { ClaimTest } from './access.ts'

export interface Caller {
  readonly name: string
  /** `egress` (the shared port and every service's own) or `egress:<service>`. */
  readonly listener: string
  /** It shows a certificate with an id that fits one of these (`compileSpiffe`); undefined: it shows none. */
  readonly spiffe?: readonly string[] | undefined
  /** It brings a token; undefined: it brings none. */
  readonly token?: CallerToken | undefined
  /** Used when it sends no `x-egress-env`; undefined means the process's. */
  readonly environment: string | undefined
  readonly mayChooseEnv: readonly string[]
}

/** A JWT by which a caller is known: all claims must fit. */
export interface CallerToken {
  /** Name of the issuer in the policies. */
  readonly issuer: string
  /** At least one. */
  readonly claims: readonly CallerClaim[]
}

export type CallerClaim = Exclude<ClaimTest, { readonly kind: 'equals' }>
