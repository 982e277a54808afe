import type { ProofKind } from '../model/principal.ts'
import type { ClaimEquals, EgressService, EgressTarget, FieldTest, Route } from '../model/route.ts'

export type EnvironmentClass = 'nonprod' | 'prod'

/**
 * The policy documents after reading, checking and linking, for one environment class: of the other class it holds no
 * target and no secret reference, only the host names its guard must deny. Plain data: it can be hashed, cloned to another
 * thread, and bundled.
 */
export interface Policy {
  /** First 16 hex digits of SHA-256 over the linked policy. */
  readonly revision: string
  readonly environment: string
  readonly environmentClass: EnvironmentClass
  /** Declared environments of this class only. */
  readonly environments: readonly string[]
  readonly listeners: Listeners
  readonly store: { readonly redis: string | undefined }
  readonly issuers: Readonly<Record<string, Issuer>>
  readonly clusters: Readonly<Record<string, Cluster>>
  readonly limits: Readonly<Record<string, Limit>>
  readonly access: Readonly<Record<string, AccessPolicy>>
  readonly routes: readonly Route[]
  readonly callers: Readonly<Record<string, Caller>>
  readonly egress: Readonly<Record<string, LinkedEgress>>
  /** In nonprod: every production host (and `guardHosts`), lower-case, with its port. Empty in prod. */
  readonly guards: readonly GuardHost[]
  /** Serialized FileDescriptorSets by path under the policies folder. */
  readonly descriptors: Readonly<Record<string, Uint8Array>>
}

export interface Listeners {
  readonly public: PublicListener | undefined
  readonly egress: { readonly address: Address } | undefined
  readonly admin: { readonly address: Address } | undefined
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface PublicListener {
  readonly address: Address
  readonly protocols: readonly ('http/1.1' | 'h2')[]
  readonly tls: ListenerTls | undefined
  /** CIDRs of peers that may say X-Forwarded-For or Forwarded. */
  readonly trustedProxies: readonly string[]
  readonly limits: ListenerLimits
}

export interface ListenerTls {
  /** References to PEM text. */
  readonly certificate: string
  readonly key: string
  readonly clientAuth: 'none' | 'optional' | 'required'
  readonly clientCa: string | undefined
}

export interface ListenerLimits {
  readonly headerBytes: number
  readonly headerCount: number
  readonly bodyBytes: number
  /** Time for the whole request to arrive. */
  readonly requestMs: number
  readonly idleMs: number
}

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

export interface Cluster {
  readonly name: string
  readonly quarantined: string | undefined
  readonly sidecar: 'envoy' | 'linkerd' | 'none'
  readonly protocol: 'http' | 'h2' | 'grpc'
  readonly endpoints: Endpoints
  /** What the upstream reads as Host or `:authority`; undefined means the downstream's own. */
  readonly authority: string | undefined
  readonly tls:
    | { readonly serverName: string | undefined; readonly ca: string | undefined; readonly certificate: string | undefined; readonly key: string | undefined }
    | undefined
  readonly balance: 'round_robin' | 'least_request' | 'peak_ewma' | 'random'
  readonly connectTimeoutMs: number
  readonly caps: { readonly requests: number }
  readonly subsets: Readonly<Record<string, Subset>>
}

export interface Subset {
  readonly authority: string | undefined
  readonly endpoints: Endpoints | undefined
}

export type Endpoints =
  | { readonly kind: 'static'; readonly addresses: readonly StaticAddress[] }
  | { readonly kind: 'dns'; readonly name: string; readonly port: number }

export type StaticAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly weight: number }
  | { readonly kind: 'unix'; readonly path: string; readonly weight: number }

export interface Limit {
  readonly name: string
  readonly points: number
  readonly windowMs: number
  readonly burst: number
  readonly key: readonly LimitKeyPart[]
  /** What a request whose key part is missing does: counted under one shared key, or passes uncounted. */
  readonly missing: 'shared' | 'skip'
  readonly onStoreFailure: 'local' | 'allow' | 'deny'
  readonly mode: 'enforce' | 'audit'
}

export type LimitKeyPart =
  | { readonly kind: 'issuer' | 'subject' | 'clientId' | 'client.network' | 'client.address' | 'route' | 'host' }
  | { readonly kind: 'claim'; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }

export interface AccessPolicy {
  readonly name: string
  readonly quarantined: string | undefined
  readonly authenticate: Requirement
  readonly rules: readonly Rule[]
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
  /** Of `jwt`: an issuer. */
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
  /** The listener that the request came in by. */
  readonly listeners?: readonly string[] | undefined
  readonly roles?: RoleTest | undefined
  /** The claim `acr` is one of these. */
  readonly acr?: readonly string[] | undefined
  /** The claim `amr` holds all of these, and one of those. */
  readonly amr?: AllAny | undefined
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

export interface Caller {
  readonly name: string
  /** `egress` (the shared port and every service's own) or `egress:<service>`. */
  readonly listener: string
  /** Used when it sends no `x-egress-env`; undefined means the process's. */
  readonly environment: string | undefined
  readonly mayChooseEnv: readonly string[]
}

export interface LinkedEgress {
  readonly service: EgressService
  readonly targets: Readonly<Record<string, EgressTarget>>
}

export interface GuardHost {
  readonly host: string
  readonly port: number
  /** The service whose production target it is. */
  readonly service: string
}
