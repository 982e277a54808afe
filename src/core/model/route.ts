import type { Cors } from './cors.ts'
import type { WeightedDestination } from './destination.ts'
import type { FaultInjection } from './fault-injection.ts'
import type { FieldTest } from './field-test.ts'
import type { HandOn } from './hand-on.ts'
import type { Mirror } from './mirror.ts'
import type { Hedge, Retry } from './retry.ts'
import type { Rpc } from './rpc.ts'
import type { Sticky } from './sticky.ts'
import type { TranslateOptions } from './translate-options.ts'
import type { PassLimits } from './wire.ts'

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
