import type { BreakerRule } from '../model/breaker.ts'
import type { ClaimEquals } from '../model/claims.ts'
import type { EgressService } from '../model/egress-service.ts'
import type { EgressTarget } from '../model/egress-target.ts'
import type { FieldTest } from '../model/field-test.ts'
import type { LimitShape } from '../model/limit.ts'
import type { ProofKind } from '../model/principal.ts'
import type { Route } from '../model/route.ts'
import type { Sticky } from '../model/sticky.ts'

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
  /** Reference to the key of debug tokens; undefined: nobody is told how a request was decided. */
  readonly debug: { readonly key: string | undefined }
  readonly issuers: Readonly<Record<string, Issuer>>
  readonly apiKeys: Readonly<Record<string, ApiKeySet>>
  readonly certificates: Readonly<Record<string, CertificateMapping>>
  readonly tokens: Readonly<Record<string, MintedToken>>
  readonly exchanges: Readonly<Record<string, TokenExchange>>
  readonly resources: Readonly<Record<string, Resource>>
  readonly clusters: Readonly<Record<string, Cluster>>
  readonly limits: Readonly<Record<string, Limit>>
  readonly access: Readonly<Record<string, AccessPolicy>>
  readonly deciders: Readonly<Record<string, Decider>>
  readonly routes: readonly Route[]
  readonly callers: Readonly<Record<string, Caller>>
  readonly egress: Readonly<Record<string, LinkedEgress>>
  /** In nonprod: every production host (and `guardHosts`), lower-case, with its port. Empty in prod. */
  readonly guards: readonly GuardHost[]
  /** Serialized FileDescriptorSets by path under the policies folder. */
  readonly descriptors: Readonly<Record<string, Uint8Array>>
  /** What was switched at run time; undefined for policies as they were loaded. No part of the revision of the files. */
  readonly switched?: Switched | undefined
}

/** Egress services that an operator has switched to another environment. */
export interface Switched {
  /** Revision of the policies as loaded. */
  readonly loaded: string
  readonly services: Readonly<Record<string, EgressSwitch>>
}

/** One switch that is in force. */
export interface EgressSwitch {
  /** 8 hex digits; part of the revision. */
  readonly id: string
  readonly service: string
  readonly environment: string
  /** Who asked, in their own words. */
  readonly by: string
  readonly reason: string
  /** Wall time, milliseconds. */
  readonly at: number
  /** Wall time, milliseconds, for people and for replicas that start later; a process that saw it begin measures by its monotonic clock. */
  readonly endsAt: number | undefined
}

export interface Listeners {
  readonly public: PublicListener | undefined
  readonly egress: EgressListener | undefined
  readonly admin: { readonly address: Address } | undefined
}

export interface EgressListener {
  readonly address: Address
  /** Undefined: clear text. */
  readonly tls?: ListenerTls | undefined
  /** Absolute-form requests and CONNECT are taken there too. */
  readonly proxy?: boolean | undefined
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
  /** How many connections one client network may open; undefined for any. The window is whole seconds. */
  readonly newConnections?: { readonly points: number; readonly windowMs: number } | undefined
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

/** API keys that are kept and judged together. */
export interface ApiKeySet {
  readonly name: string
  readonly quarantined: string | undefined
  readonly store: { readonly kind: 'redis' } | { readonly kind: 'file'; readonly reference: string }
  /** Where the key stands, in lower case. */
  readonly header: string
  /** A key never has other scopes than these; undefined: whatever it was given. */
  readonly scopes: readonly string[] | undefined
  /** How soon a change of a key is seen. */
  readonly refreshMs: number
  /** `redis`: how long known keys go on while the store does not answer. */
  readonly staleForMs: number
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

/** How a verified client certificate becomes a subject. */
export interface CertificateMapping {
  readonly name: string
  readonly quarantined: string | undefined
  /** Which name of the certificate says who. */
  readonly subject: 'spiffe' | 'uri-san' | 'dns-san' | 'email-san' | 'common-name'
  /** Of `spiffe`: whose identities are taken. */
  readonly trustDomain: string | undefined
  /** RE2 patterns for the whole name; one must fit. Empty: every name fits. */
  readonly names: readonly string[]
  /** What its subjects may do, as a token's scopes. */
  readonly scopes: readonly string[]
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

export interface Cluster {
  readonly name: string
  readonly quarantined: string | undefined
  readonly sidecar: 'envoy' | 'istio' | 'linkerd' | 'consul' | 'none'
  readonly protocol: 'http' | 'h2' | 'grpc'
  readonly endpoints: Endpoints
  /** What the upstream reads as Host or `:authority`; undefined means the downstream's own. */
  readonly authority: string | undefined
  readonly tls: ClusterTls | undefined
  readonly balance: BalanceKind
  /** Undefined: nothing of it was said. */
  readonly balancing?: Balancing | undefined
  /** Active checks; undefined for none. */
  readonly health?: HealthCheck | undefined
  /** Outlier ejection; undefined for none. */
  readonly outlier?: Outlier | undefined
  readonly connectTimeoutMs: number
  readonly caps: Caps
  /** Left alone when it fails; undefined for never. */
  readonly breaker?: BreakerRule | undefined
  /** `adaptive`: what it takes at a time is found out by how long it takes to answer. */
  readonly concurrency?: 'adaptive' | undefined
  readonly subsets: Readonly<Record<string, Subset>>
  /** The pinned descriptor set of its services. */
  readonly descriptors?: PinnedSet | undefined
}

/** What one process may have under way to a cluster. */
export interface Caps {
  readonly requests: number
  /** So many more may wait for a place; the rest is refused at once. */
  readonly pending?: number
  /** Connections at a time, over all endpoints; undefined for as many as it takes. */
  readonly connections?: number | undefined
  /** Requests that are being repeated at once, whatever the budgets of routes allow. */
  readonly retries?: number | undefined
}

export interface ClusterTls {
  readonly serverName: string | undefined
  /** SPIFFE ids, or `/*` behind one for everything below: the certificate must hold one of these, whatever else it is for. */
  readonly spiffe?: readonly string[] | undefined
  /** References to PEM text. */
  readonly ca: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

export type BalanceKind = 'round_robin' | 'least_request' | 'peak_ewma' | 'random' | 'ring_hash' | 'maglev'

export interface Balancing {
  /** By what the hashing balancers choose. */
  readonly key: Sticky | undefined
  /** How long a new or returned endpoint takes to its full weight; 0 for none. */
  readonly slowStartMs: number
  /** With a smaller share of healthy endpoints all are used; 0 for never. */
  readonly panic: number
  /** Whether endpoints in the gateway's own zone come first. */
  readonly zones: 'local' | 'any'
}

export interface HealthCheck {
  readonly ask:
    | { readonly kind: 'http'; readonly path: string; readonly statuses: readonly { readonly from: number; readonly to: number }[] }
    /** grpc.health.v1; an empty name is the server as a whole. */
    | { readonly kind: 'grpc'; readonly service: string }
    | { readonly kind: 'tcp' }
  readonly intervalMs: number
  readonly timeoutMs: number
  /** So many in a row turn the verdict; the first check of all is one at once. */
  readonly healthyAfter: number
  readonly unhealthyAfter: number
}

export interface Outlier {
  /** Failures in a row; 0 for never. */
  readonly consecutive5xx: number
  readonly consecutiveGateway: number
  readonly successRate: { readonly minEndpoints: number; readonly minRequests: number; readonly deviations: number } | undefined
  /** So many times the median answer time of the cluster, of at least `minRequests` in an interval. */
  readonly slow: { readonly times: number; readonly minRequests: number } | undefined
  readonly intervalMs: number
  readonly ejectForMs: number
  readonly maxEjectForMs: number
  /** The greatest share that is out at a time, but always one, and never all. */
  readonly maxEjected: number
}

export interface PinnedSet {
  /** Path under the policies folder. */
  readonly file: string
  /** Lower-case hex SHA-256 of the file as it is. */
  readonly sha256: string
  /** How often the service is asked whether the set still holds; undefined for never. Milliseconds. */
  readonly driftMs: number | undefined
}

export interface Subset {
  readonly authority: string | undefined
  readonly endpoints: Endpoints | undefined
  /** Labels that an endpoint must have; undefined: every endpoint. */
  readonly labels?: Readonly<Record<string, string>> | undefined
}

export type Endpoints = { readonly kind: 'static'; readonly addresses: readonly StaticAddress[] } | (EndpointSource & { readonly shrinking: ShrinkRule })

/** Where endpoints are found while the gateway runs. */
export type EndpointSource =
  | { readonly kind: 'dns'; readonly name: string; readonly port: number }
  /** SRV records. */
  | { readonly kind: 'srv'; readonly name: string }
  /** An absolute path. */
  | { readonly kind: 'file'; readonly path: string }
  | ConsulSource
  | KubernetesSource

export interface ConsulSource {
  readonly kind: 'consul'
  /** Base URL of an agent or server, without "/" at the end. */
  readonly address: string
  readonly service: string
  readonly tag: string | undefined
  readonly datacenter: string | undefined
  /** Reference. */
  readonly token: string | undefined
  /** Reference to PEM text. */
  readonly ca: string | undefined
  /** False: instances whose checks only warn count too. */
  readonly passing: boolean
  /** Any server may answer, not the leader alone. */
  readonly stale: boolean
}

export interface KubernetesSource {
  readonly kind: 'kubernetes'
  /** Base URL, without "/" at the end. */
  readonly apiServer: string
  readonly namespace: string
  readonly service: string
  /** Name or number of the port of the pods. */
  readonly port: string | number
  /** References. */
  readonly token: string | undefined
  readonly ca: string | undefined
}

/** When a source that says much less than before is believed. */
export interface ShrinkRule {
  /** The greatest share that may go at once, from 0 to 1. */
  readonly share: number
  /** More than that goes when the source has said so for this long. */
  readonly confirmMs: number
  /** `take`: even when nothing is left. */
  readonly empty: 'keep' | 'take'
}

export type StaticAddress = ({ readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'unix'; readonly path: string }) & {
  readonly weight: number
  readonly zone?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
}

export interface Limit extends LimitShape {
  readonly name: string
  readonly key: readonly LimitKeyPart[]
  /** What a request whose key part is missing does: counted under one shared key, or passes uncounted. */
  readonly missing: 'shared' | 'skip'
  readonly onStoreFailure: 'local' | 'allow' | 'deny'
  readonly mode: 'enforce' | 'audit'
  /** Asked before anybody is identified: its key is of client, host, route and headers. */
  readonly early?: true
  /** Counts answers 401 and 403 instead of requests, and is asked before anybody is identified, as `early` is. */
  readonly counts?: 'failures'
  /** A verified claim says how many points there are; `points` is for everybody else. Never under `gcra` or `concurrency`. */
  readonly claimed?: ClaimedPoints
}

/** `map`: the claim's value as text stands for a number. `number`: it is the number, an integer of at least 1, and counts for no more than the ceiling. */
export type ClaimedPoints =
  | { readonly kind: 'map'; readonly claim: string; readonly values: readonly { readonly value: string; readonly points: number }[] }
  | { readonly kind: 'number'; readonly claim: string; readonly ceiling: number }

export type LimitKeyPart =
  | { readonly kind: 'issuer' | 'subject' | 'clientId' | 'apiKey' | 'client.network' | 'client.address' | 'route' | 'host' }
  | { readonly kind: 'claim'; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }

export interface AccessPolicy {
  readonly name: string
  readonly quarantined: string | undefined
  readonly authenticate: Requirement
  readonly rules: readonly Rule[]
  /** Names of deciders that must allow what the rules allow. */
  readonly ask?: readonly string[]
}

/** An external decision point: asked about requests that the rules allow, and can only restrict. */
export interface Decider {
  readonly name: string
  readonly point: DecisionPoint
  /** What it is told, and nothing else. */
  readonly send: readonly DeciderPart[]
  /** The parts by which answers are remembered: some of those that are sent. */
  readonly key: readonly DeciderPart[]
  readonly timeoutMs: number
  readonly onFailure: 'deny' | 'allow'
  readonly mode: 'enforce' | 'audit'
  /** The point's words are shown to the refused caller. */
  readonly showReason: boolean
  /** How long an answer holds; `staleForMs` longer while the point cannot be asked. */
  readonly cache: { readonly allowMs: number; readonly denyMs: number; readonly staleForMs: number }
}

export type DecisionPoint =
  /** OPA's data API, under an absolute URL or in a cluster; `path` of the rule with slashes. */
  | { readonly kind: 'opa'; readonly at: { readonly url: string } | { readonly cluster: string }; readonly path: string }
  /** Envoy's external authorization in a cluster: the v3 gRPC service, or over HTTP with a prefix before the path. */
  | ExtAuthzPoint

export interface ExtAuthzPoint {
  readonly kind: 'extAuthz'
  readonly protocol: 'grpc' | 'http'
  readonly cluster: string
  /** HTTP only; empty, or from "/" on without one at the end. */
  readonly pathPrefix: string
  /** A denial with 401 is answered so; otherwise every denial is 403. */
  readonly keepStatus: boolean
  /** Headers of the upstream request that the point may give, lower-case; nobody else may. */
  readonly upstreamHeaders: readonly string[]
}

/** One fact of a request that a decision point may be told. */
export type DeciderPart =
  | { readonly kind: 'method' | 'path' | 'query' | 'host' | 'route' | 'rpc' | 'params' | 'client.address' | 'token' }
  | { readonly kind: 'issuer' | 'subject' | 'clientId' | 'scopes' }
  | { readonly kind: 'claim'; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }

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

export interface LinkedEgress {
  readonly service: EgressService
  /** Of its own port; undefined: clear text. */
  readonly tls?: ListenerTls | undefined
  readonly targets: Readonly<Record<string, EgressTarget>>
}

export interface GuardHost {
  /** A host name or address; of a forward proxy also `*.x`. */
  readonly host: string
  readonly port: number
  /** The service whose production target it is. */
  readonly service: string
  /** Listed by a forward proxy: hosts that the same service may share with nonprod when its operator says so. */
  readonly proxied?: true
}
