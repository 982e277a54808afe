import type { ClientAuth } from './client-auth.ts'
import type { Cors } from './cors.ts'
import type { PassLimits } from './wire.ts'

/** Variables of the matched template, decoded once after the match. A null-prototype object. */
export type Params = Readonly<Record<string, string>>

/** A test of one header or query parameter. All that are given must hold. */
export interface FieldTest {
  readonly name: string
  readonly exact?: string
  readonly prefix?: string
  readonly present?: boolean
  /** RE2 syntax, whole value. */
  readonly pattern?: string
}

/** One HTTP rule of an RPC (google.api.HttpRule), or the automatic `POST /package.Service/Method`. */
export interface HttpBinding {
  /** Upper-case method, or `*` for a custom rule of any method. */
  readonly method: string
  /** HttpRule path template. */
  readonly template: string
  /** `*`, a top-level field name, or empty for none. */
  readonly body: string
  /** A top-level field name, or empty for the whole message. */
  readonly responseBody: string
}

/** One method of a gRPC service that a route takes. */
export interface Rpc {
  /** `package.Service` */
  readonly service: string
  readonly method: string
  /** `/package.Service/Method` */
  readonly path: string
  readonly input: string
  readonly output: string
  readonly clientStream: boolean
  readonly serverStream: boolean
  /** It is declared to have no side effects (`idempotency_level = NO_SIDE_EFFECTS`): Connect may call it with GET. */
  readonly noSideEffects?: true
  /** It is declared to mean the same once and twice (`idempotency_level = IDEMPOTENT`). */
  readonly idempotent?: true
  readonly bindings: readonly HttpBinding[]
}

/** How a matched request meets its RPC. */
export interface RpcMatch {
  readonly rpc: Rpc
  /** Undefined when the request is gRPC, gRPC-Web or Connect: then the whole message is the caller's. */
  readonly binding: HttpBinding | undefined
}

/** A named rule: which requests it takes, what they must prove, where they may go. */
export interface Route {
  readonly name: string
  /** Set when the object or something it needs is broken: every request gets 503 `config_quarantined`. */
  readonly quarantined: string | undefined
  readonly match: RouteMatch
  /** Names of access policies; all their deny rules apply, one of their allow rules must match. */
  readonly access: readonly string[]
  readonly limits: readonly RouteLimit[]
  /** What stands in the headers that were usual before RateLimit was: seconds until the reset, or since the epoch. Undefined: they are not sent. */
  readonly legacyHeaders?: 'seconds' | 'epoch' | undefined
  readonly timeoutMs: number
  readonly retry: Retry | undefined
  readonly hedge?: Hedge | undefined
  readonly sticky: Sticky | undefined
  readonly split: readonly WeightedDestination[]
  /** A second place that gets copies of its requests. */
  readonly mirror?: Mirror | undefined
  /** What is done to its requests on purpose. Never in prod. */
  readonly faults?: FaultInjection | undefined
  /** The gateway answers itself; the split is the name that stands for it. */
  readonly answer?: 'health' | undefined
  readonly handOn: HandOn
  /** The published resource that it is a part of. */
  readonly resource?: string | undefined
  readonly allow: { readonly encodedSlash: boolean; readonly semicolon: boolean }
  /** Bytes; undefined means the listener's limit. */
  readonly bodyLimit: number | undefined
  readonly translate: TranslateOptions
  /** Undefined: pages of other origins may not call it. */
  readonly cors?: Cors | undefined
  /** Connections that change their protocol pass through to the upstream. Undefined: none do. */
  readonly upgrade?: RouteUpgrade | undefined
  /** The route answers with an OpenAPI document instead of going anywhere; its split is empty. */
  readonly openapi?: PublishedApi | undefined
}

/** Which changes of protocol a route passes on, and for how long. */
export interface RouteUpgrade extends PassLimits {
  /** `websocket`, or other names as the upstream is asked for them. */
  readonly protocols: readonly string[]
}

/** Which document a route publishes. */
export interface PublishedApi {
  /** Names of the routes that it describes. */
  readonly routes: readonly string[]
  readonly title: string | undefined
  readonly version: string | undefined
}

export interface RouteMatch {
  /** Exact names or `*.example.com` (one label); empty means any host. Lower-case, without port. */
  readonly hosts: readonly string[]
  /** Template over the canonical path; undefined on a gRPC route. */
  readonly path: string | undefined
  /** What `grpc: package.Service` takes; undefined on a plain route. */
  readonly grpc: GrpcMatch | undefined
  /** Upper-case; empty means any. GET implies HEAD. */
  readonly methods: readonly string[]
  readonly headers: readonly FieldTest[]
  readonly query: readonly FieldTest[]
  /** On a quarantined route alone: what else it can be seen to take, where its match cannot be read as a whole. */
  readonly seen?: SeenMatch
}

/** What shows through a match that cannot be read: its requests must be refused, and not fall to a wider route. */
export interface SeenMatch {
  /** Templates; of one that does not parse, the leading segments count. */
  readonly paths: readonly string[]
  /** The hosts and methods beside it can be relied on. Otherwise it takes these paths on any host, before all but literal ones. */
  readonly sure: boolean
}

export interface GrpcMatch {
  readonly service: string
  readonly rpcs: readonly Rpc[]
  /** Key into `Policy.descriptors`. */
  readonly descriptors: string
}

export interface RouteLimit {
  readonly name: string
  /** Integer of at least 1. */
  readonly cost: number
  /** What costs otherwise, by upper-case HTTP method. */
  readonly methods?: Readonly<Record<string, number>>
  /** What costs otherwise, by RPC of the route's service; before `methods`. */
  readonly rpcs?: Readonly<Record<string, number>>
  /** The upstream may say in its answer (`x-sallyport-cost`) that a request cost more, up to this many points. */
  readonly response?: { readonly most: number }
}

export interface Retry {
  /** Further tries after the first. */
  readonly attempts: number
  readonly on: readonly RetryCondition[]
  /** Share of requests that may be retries, 0 to 1. */
  readonly budget: number
  /** Upper-case methods that may be repeated without an idempotency key. */
  readonly methods: readonly string[]
  /** Upper-case methods that may be repeated when the request carries an Idempotency-Key. */
  readonly withIdempotencyKey: readonly string[]
  /** A longer Retry-After is passed on instead of waited for. Milliseconds. */
  readonly maxRetryAfterMs: number
  /** Header of the key, lower-case; left out: `idempotency-key`. */
  readonly keyHeader?: string
  /** Milliseconds after which a try is cut; undefined: none is, but who has used up its share of the time is joined by another try. */
  readonly perTryMs?: number | undefined
  /** RPCs of the route's service that may be repeated whatever their descriptors say. */
  readonly rpcs?: readonly string[]
  /** Bodies up to so many bytes are kept for another try. */
  readonly bodies?: number
  /** Answers of an announced length up to so many bytes are held back until they are whole; undefined: every answer flows as it comes. */
  readonly answers?: number | undefined
}

/**
 * `connect`: nothing was sent. `reset`: broke off before an answer. `unavailable`: 503 or gRPC UNAVAILABLE. `deadline`: a try took too long. A
 * number: that HTTP status. The others are gRPC codes.
 */
export type RetryCondition = 'connect' | 'reset' | 'unavailable' | 'deadline' | GrpcCondition | number

/** gRPC codes (grpc.io, statuscodes) after which another try may end otherwise. */
export type GrpcCondition = 'cancelled' | 'unknown' | 'deadline_exceeded' | 'resource_exhausted' | 'aborted' | 'internal' | 'data_loss'

/** A second try beside the first, when that takes longer than usual. */
export interface Hedge {
  /** After this share of all answers would be there (0 to 1), or after so long. */
  readonly after: { readonly percentile: number } | { readonly ms: number }
  /** Share of the requests that may be sent twice, 0 to 1. */
  readonly budget: number
}

/** When a place that fails is left alone. */
export interface BreakerRule {
  /** Failures in a row that open it; 0 for never. */
  readonly consecutive: number
  /** Share of failures in the window that opens it, 0 to 1. */
  readonly failures: number
  /** With fewer in the window no share counts. */
  readonly minRequests: number
  readonly windowMs: number
  /** For so long it stays open. */
  readonly openMs: number
  /** So many requests in a row have to go well before it closes. */
  readonly probes: number
}

/** Where copies go; nobody waits for what becomes of them. */
export interface Mirror extends Destination {
  /** Share of the requests, 0 to 1. */
  readonly share: number
  /** Upper-case HTTP methods, on path routes. */
  readonly methods: readonly string[]
  /** On gRPC routes: RPCs that are copied beside those that have no side effects or a GET binding. */
  readonly rpcs: readonly string[]
  /** Copies under way at once; what is beyond is not copied. */
  readonly requests: number
  /** Undefined: nobody looks at the answers. */
  readonly diff: MirrorDiff | undefined
}

/** How the answers of two services are compared. Patterns are JSON pointers with `*` for any one segment, and take all that is below. */
export interface MirrorDiff {
  /** Share of the copies, 0 to 1. */
  readonly share: number
  /** Lower-case names of the headers that are compared. */
  readonly headers: readonly string[]
  readonly ignore: readonly string[]
  /** Members whose values are never written down. */
  readonly mask: readonly string[]
}

/** Shares from 0 to 1 of the requests that fit the headers. */
export interface FaultInjection {
  readonly headers: readonly FieldTest[]
  readonly delay: { readonly share: number; readonly ms: number } | undefined
  readonly abort: { readonly share: number; readonly status: { readonly http: number; readonly grpc: number } } | undefined
}

/** What keeps a downstream on one side of a split. */
export type Sticky =
  | { readonly kind: 'claim'; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'client' }

export interface Destination {
  readonly cluster: string
  readonly subset: string | undefined
}

export interface WeightedDestination extends Destination {
  readonly weight: number
  /** A request that fits goes here whatever the weights. */
  readonly pin: { readonly headers: readonly FieldTest[]; readonly claims: readonly ClaimEquals[] } | undefined
  /** Takes its weight away when it does worse than the destinations of the split that have none. */
  readonly guard?: Guard | undefined
  /** Takes what this one cannot. */
  readonly failover?: Failover | undefined
}

/** A second place, and when it is asked. */
export interface Failover extends Destination {
  readonly on: readonly FailoverCondition[]
}

/** `connect`: nothing was sent, or there is nobody to send it to. `overloaded`: its cap is reached. `unavailable`: 503 or gRPC UNAVAILABLE. */
export type FailoverCondition = 'connect' | 'overloaded' | 'unavailable'

/** How much worse a version may do. */
export interface Guard {
  /** Its share of errors may be this much above that of the others, 0 to 1. */
  readonly errorRateDelta: number
  /** Its p95 may be this many times that of the others. */
  readonly p95Ratio: number
  /** Nothing is said before both sides answered this often within the window. */
  readonly minSamples: number
  readonly windowMs: number
}

export interface ClaimEquals {
  /** Dotted path into the claims. */
  readonly path: string
  readonly value: string | number | boolean
}

/** What the upstream is told about who asks. */
export interface HandOn {
  /** Forward the Authorization header as it came. */
  readonly token: boolean
  /** Headers made from claims; always deleted from the request first. */
  readonly claims: readonly { readonly header: string; readonly claim: string }[]
  /** A token of the gateway's own, or one that an exchange gives for the downstream's. Left out: none. */
  readonly introduce?: Introduce | undefined
}

export interface Introduce {
  readonly by: 'minted' | 'exchange'
  /** Of `tokens` or `exchanges`. */
  readonly name: string
  /** Lower-case; always deleted from the request first. */
  readonly header: string
}

export interface TranslateOptions {
  readonly unknownQuery: 'reject' | 'ignore' | readonly string[]
  readonly emitDefaults: boolean
  readonly enumsAsInts: boolean
  readonly protoNames: boolean
  readonly ignoreUnknownFields: boolean
  // What is not given below is off.
  /** `fromGet`: HEAD takes the GET bindings, and is answered without a body. */
  readonly head?: 'refuse' | 'fromGet'
  /** Headers of a request that become metadata of the same name; `*` at the end of one stands for the rest. */
  readonly requestHeaders?: readonly string[]
  /** Metadata and trailers of an answer that become headers of the same name; `*` likewise. */
  readonly responseHeaders?: readonly string[]
  /** Metadata of a unary answer whose value is its HTTP status, 2xx or 3xx. */
  readonly statusFrom?: string | undefined
  /** The field `etag` is the entity tag: with its quotes (true, AIP-154), or without them (bare). */
  readonly etag?: boolean | 'bare'
  /** Map fields bind from the query as `field[key]=value`. */
  readonly queryMaps?: boolean
  /** What becomes of a body where the rule has no place for one. */
  readonly unexpectedBody?: 'ignore' | 'reject'
  /** Status of an answer that is google.protobuf.Empty. */
  readonly emptyAnswer?: 200 | 204
  /** Messages and details of INTERNAL and UNKNOWN are shown. */
  readonly showInternal?: boolean
}

/** A third party's logical name here, and what may be asked of it. Plain facts; nothing of any environment. */
export interface EgressService {
  readonly name: string
  readonly quarantined: string | undefined
  /** `host:port` of its own listener. */
  readonly listen: string | undefined
  /** Host name that stands for it on the shared egress listener. */
  readonly host: string | undefined
  /** Names of callers. */
  readonly callers: readonly string[]
  /** Empty means every method and path. `audit`: lets pass what no other rule does, and the record says so. */
  readonly allow: readonly { readonly id: string; readonly methods: readonly string[]; readonly path: string; readonly audit?: true }[]
  readonly connectTimeoutMs: number
  readonly timeoutMs: number
  readonly retry: Retry | undefined
  /** Of each environment; undefined for none. */
  readonly breaker?: BreakerRule | undefined
  /** `generate`: POST and PATCH without a key get one. `header`: lower-case. */
  readonly idempotency?: { readonly header: string; readonly generate: boolean } | undefined
  readonly quota?: VendorQuota | undefined
  /** Undefined: nothing is stored. */
  readonly cache?: ResponseCache | undefined
  /** `jsonPaths`: members of JSON bodies that cassettes and, with `responses`, answers do not show. */
  readonly mask: { readonly headers: readonly string[]; readonly jsonPaths: readonly string[]; readonly responses: boolean }
  /** Set on TCP services, whose own listener carries bytes; undefined for HTTP. */
  readonly stream?: StreamSettings | undefined
  /** Set on services that are called through the forward proxy. */
  readonly proxy?: ProxySettings | undefined
}

/** How much of a service's answers each process stores. */
export interface ResponseCache {
  /** All together. */
  readonly bytes: number
  /** Largest body. */
  readonly entryBytes: number
}

/** What was agreed with a vendor, per environment. */
export interface VendorQuota {
  /** Calls (every try is one) in any window of its time. */
  readonly vendor: { readonly points: number; readonly windowMs: number; readonly shareBy: 'caller' | 'none' } | undefined
  readonly cost:
    | {
        /** Of the currency. */
        readonly perCall: number
        readonly currency: string
        /** Calls per calendar month (UTC) that the cap pays for; undefined: no cap. */
        readonly calls: number | undefined
      }
    | undefined
  /** A call waits no longer for the vendor or the quota. Milliseconds. */
  readonly maxRetryAfterMs: number
  readonly onStoreFailure: 'local' | 'deny'
}

/** What a TCP service is. Durations in milliseconds. */
export interface StreamSettings {
  readonly protocol: 'postgres' | undefined
  readonly maxConnections: number
  readonly idleMs: number
  readonly lifetimeMs: number
  /** Undefined: connections to a target that is no longer in force stay. */
  readonly drainMs: number | undefined
}

/** Where the ambassador hands out credentials, where a target says so. */
export const vendPath = '/.sallyport/credentials'

/** Whether a path is the ambassador's own: nothing there or under it is asked of a vendor. */
export function isVendPath(path: string): boolean {
  return path === vendPath || path.startsWith(`${vendPath}/`)
}

/** What callers of the forward proxy may do beside requests in the clear. */
export interface ProxySettings {
  /** Undefined: no tunnels. */
  readonly tunnels: StreamSettings | undefined
  /** A tunnel without a whole ClientHello after so long is closed. Milliseconds. */
  readonly clientHelloMs: number
}

/** Where an egress service lives in one environment. */
export type EgressTarget =
  | {
      readonly mode: 'live'
      readonly environment: string
      /** `https://host[:port]`, canonical, with an optional path prefix in `basePath`. */
      readonly origin: string
      readonly scheme: 'http' | 'https'
      readonly host: string
      readonly port: number
      readonly basePath: string
      readonly credential: Credential | undefined
      /** CIDRs that the address guard lets pass beside global unicast. */
      readonly allowAddresses: readonly string[]
      /** The operator knows that this target shares an address and port with a production one. */
      readonly sharesAddressWithProd: boolean
      /** PEM bundle reference (`file:…`) that replaces the system's roots. */
      readonly ca: string | undefined
      /** One place that the forward proxy may go to: the service whose production hosts it may be, where its operator says so. */
      readonly sharesHostsOf?: string | undefined
      /** What the gateway shows of itself: references to PEM text. */
      readonly certificate?: { readonly certificate: string; readonly key: string } | undefined
      readonly faults?: EgressFaults | undefined
      /** Mode record: every answer is written down. Nonprod only. */
      readonly record?: CassetteUse | undefined
      /** Who may fetch the credential itself, which is a short-lived one. */
      readonly vend?: { readonly callers: readonly string[] } | undefined
    }
  | StreamTarget
  | ProxyTarget
  | { readonly mode: 'mock'; readonly environment: string; readonly mock: MockBook; readonly faults?: EgressFaults | undefined }
  | { readonly mode: 'replay'; readonly environment: string; readonly cassette: CassetteUse; readonly faults?: EgressFaults | undefined }
  | { readonly mode: 'deny'; readonly environment: string; readonly reason: string | undefined }

/** Faults that are injected in nonprod, each into its share of the calls (0 to 1). */
export interface EgressFaults {
  readonly latency: { readonly share: number; readonly ms: number } | undefined
  readonly reset: { readonly share: number } | undefined
  readonly status: { readonly share: number; readonly status: number } | undefined
  /** `bytes` per second. */
  readonly bandwidth: { readonly share: number; readonly bytes: number } | undefined
}

/** A folder of recorded answers, and what makes a request the one that was recorded. */
export interface CassetteUse {
  readonly name: string
  /** Lower-case names of request headers that count. */
  readonly headers: readonly string[]
  /** Whether the request's body counts. */
  readonly body: boolean
}

/** The mode as people call it: a target that records is a live one. */
export function modeOf(target: EgressTarget): EgressTarget['mode'] | 'record' {
  return target.mode === 'live' && target.record !== undefined ? 'record' : target.mode
}

/** Where the bytes of a TCP service go. */
export interface StreamTarget {
  readonly mode: 'tcp'
  readonly environment: string
  readonly host: string
  readonly port: number
  /** TLS, verified against `host`: from the first byte, or as the protocol begins it. */
  readonly tls: boolean
  readonly ca: string | undefined
  readonly allowAddresses: readonly string[]
  readonly sharesAddressWithProd: boolean
  /** The workload brings its own, inside the stream. */
  readonly credential: undefined
  /** As of a live target. */
  readonly sharesHostsOf?: string | undefined
}

/** Where the forward proxy may go in one environment. */
export interface ProxyTarget {
  readonly mode: 'proxy'
  readonly environment: string
  /** Names in lower case, `*.x` for one label in place of the star, addresses. */
  readonly hosts: readonly string[]
  readonly ports: readonly number[]
  readonly allowAddresses: readonly string[]
  /** The operator knows that these are hosts of the same service in production too. */
  readonly sharesAddressWithProd: boolean
}

/** What the guards need to know of a target. */
export type GuardedTarget = Pick<LiveTarget | StreamTarget, 'host' | 'credential' | 'allowAddresses' | 'sharesAddressWithProd' | 'sharesHostsOf'>

export type LiveTarget = Extract<EgressTarget, { mode: 'live' }>

/** The address guard of one target: says why an address may not be dialled, or undefined. */
export type Vet = (address: string, port: number) => string | undefined | Promise<string | undefined>

/** The credential that is added on the way out. Every `secret` is a reference, never a value. */
export type Credential =
  | {
      readonly kind: 'header'
      readonly header: string
      /** Holds `{secret}` once. */
      readonly format: string
      readonly secret: SecretRule
    }
  | { readonly kind: 'query'; readonly parameter: string; readonly secret: SecretRule }
  | { readonly kind: 'basic'; readonly username: string; readonly password: SecretRule }
  | {
      readonly kind: 'oauth2'
      /** `caller`: the caller's own bearer token is exchanged (RFC 8693); `client`: the gateway asks for itself. */
      readonly subject: 'client' | 'caller'
      readonly tokenUrl: string
      readonly clientId: string
      readonly auth: ClientAuth
      /** The client secret; of `private_key_jwt` and `tls_client_auth` the private key. */
      readonly secret: SecretRule
      /** Of `private_key_jwt`: names the key where the key itself does not. */
      readonly keyId: string | undefined
      /** Of `private_key_jwt`: for whom the assertion is made; undefined: the token endpoint's URL. */
      readonly issuer: string | undefined
      /** Of `tls_client_auth`: reference to PEM text. */
      readonly certificate: string | undefined
      /** Authorities of the token endpoint in place of the public ones: reference to PEM text. */
      readonly ca: string | undefined
      readonly scope: readonly string[]
      readonly audience: string | undefined
      /** RFC 8707. */
      readonly resource: readonly string[]
    }
  /** AWS Signature Version 4. */
  | {
      readonly kind: 'sigv4'
      readonly region: string
      readonly service: string
      readonly accessKeyId: SecretRule
      readonly secret: SecretRule
      readonly sessionToken: SecretRule | undefined
      /** `unsigned`: the body is not part of the signature, and streams. */
      readonly payload: 'signed' | 'unsigned'
    }
  /** HMAC (RFC 2104) over a message made from the call. */
  | {
      readonly kind: 'hmac'
      readonly secret: SecretRule
      readonly algorithm: 'sha256' | 'sha384' | 'sha512'
      /** Template of what is signed. */
      readonly message: string
      readonly header: string
      /** Holds `{signature}`; `{timestamp}` too where the vendor reads it there. */
      readonly format: string
      readonly encoding: 'hex' | 'base64'
      readonly timestampHeader: string | undefined
    }

/** A secret reference with the shape its value must, and must not, have (RE2, searched anywhere). */
export interface SecretRule {
  readonly reference: string
  readonly pattern: string | undefined
  readonly forbidPattern: string | undefined
  /** PEM text or a JWK, which have line ends; anything else has none. */
  readonly lines?: true
}

/** Canned answers of a vendor. The first that fits answers. */
export type MockBook = readonly MockAnswer[]

export interface MockAnswer {
  readonly methods: readonly string[]
  /** Template over the path. */
  readonly path: string
  /** Members of a JSON body that must be equal, by dotted path. */
  readonly body: Readonly<Record<string, string | number | boolean>>
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  /** JSON text, or plain text; `{{path.x}}`, `{{query.x}}`, `{{header.x}}` and `{{body.a.b}}` are filled in. */
  readonly answer: string
  readonly delayMs: number
}
