import type { ClaimEquals } from '../../model/claims.ts'
import type { FieldTest } from '../../model/field-test.ts'
import type { ProofKind } from '../../model/principal.ts'

export interface AccessPolicy {
  readonly name: string
  readonly quarantined: string | undefined
  readonly authenticate: Requirement
  readonly rules: readonly Rule[]
  /** Names of deciders that must allow what the rules allow. */
  readonly ask?: readonly string[]
}

/** Which credentials a request must bring. `none`: nothing is read, everybody is anonymous. */
export type Requirement =
  | { readonly kind: 'none' }
  | RequirementLeaf
  | { readonly kind: 'anyOf'; readonly of: readonly Requirement[] }
  | { readonly kind: 'allOf'; readonly of: readonly Requirement[] }
  | { readonly kind: 'optional'; readonly of: Requirement }

/** One credential: its kind, and the name of the object of the policies that judges it. */
export interface RequirementLeaf {
  readonly kind: ProofKind
  /** Of `jwt` and `introspection`: an issuer. Of `apiKey`: a set of API keys. Of `mtls`: a mapping of certificates. */
  readonly name: string
}

export interface Rule {
  /** Unique in its policy. */
  readonly id: string
  readonly effect: 'allow' | 'deny' | 'audit'
  /** `audit`: evaluated and recorded, never enforced. */
  readonly mode: 'enforce' | 'audit'
  readonly matcher: Matcher
  /** CEL, checked at load: result bool, no `matches()`. */
  readonly when: string | undefined
  /** Shown to the refused caller: of a deny, or of an allow that only lacks scopes. */
  readonly reason: string | undefined
}

/** All that are given must hold. An absent member does not restrict. */
export interface Matcher {
  /** In an allow rule: fits a request without a credential too; without it principals only. In others: fits such requests alone. */
  readonly anonymous: boolean
  readonly methods: readonly string[] | undefined
  readonly paths: readonly string[] | undefined
  /** `package.Service/Method` or `package.Service/*`. */
  readonly grpc: readonly string[] | undefined
  readonly hosts: readonly string[] | undefined
  readonly issuers: readonly string[] | undefined
  readonly scopes: AllAny | undefined
  readonly claims: readonly ClaimTest[] | undefined
  readonly clients: readonly string[] | undefined
  readonly cidrs: readonly string[] | undefined
  readonly headers: readonly FieldTest[] | undefined
  readonly times: readonly TimeWindow[] | undefined
  /** The client certificate of the connection, whoever the principal is. */
  readonly tls: TlsTest | undefined
  /** The listener that the request came in by. */
  readonly listeners?: readonly string[] | undefined
  readonly roles?: RoleTest | undefined
  /** The claim `acr` is one of these. */
  readonly acr?: readonly string[] | undefined
  /** The claim `amr` holds all of these, and one of those. */
  readonly amr?: AllAny | undefined
}

/** Each list that is given must hold a fit for a name of the certificate. */
export interface TlsTest {
  /** SPIFFE ids and patterns (`compileSpiffe`). */
  readonly spiffe: readonly string[] | undefined
  /** Host names, or `*.example.com` for one label. */
  readonly dns: readonly string[] | undefined
  /** RE2 patterns for the whole URI. */
  readonly uri: readonly string[] | undefined
}

/** All of the one list, and at least one of the other; an empty list asks nothing. */
export interface AllAny {
  readonly all: readonly string[]
  readonly any: readonly string[]
}

export interface RoleTest extends AllAny {
  /** Where the roles stand: a dotted path to a list of texts, or to one text. */
  readonly claim: string
}

export type ClaimTest =
  /** The claim is one of these, or a list that holds one of these. */
  | { readonly path: string; readonly kind: 'in'; readonly values: readonly ClaimEquals['value'][] }
  | { readonly path: string; readonly kind: 'present' }
  /** Equal to another fact: `path.<variable>`, `header.<name>`, `query.<name>`, `claim.<path>`, `host`. */
  | { readonly path: string; readonly kind: 'equals'; readonly attribute: string }

/** Minutes since midnight in `zone`; `to` before `from` wraps over midnight. Days 1 (Monday) to 7. */
export interface TimeWindow {
  readonly days: readonly number[]
  readonly from: number
  readonly to: number
  readonly zone: string
}
