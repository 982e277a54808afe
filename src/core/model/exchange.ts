import type { GrpcCall, HttpCall } from './call.ts'
import type { Destination } from './destination.ts'
import type { Dialect } from './dialect.ts'
import type { EgressService } from './egress-service.ts'
import type { EgressTarget, LiveTarget } from './egress-target.ts'
import type { Lifeline } from './lifeline.ts'
import type { Permit } from './permit.ts'
import type { Principal } from './principal.ts'
import type { Route } from './route.ts'
import type { RpcMatch } from './rpc.ts'
import type { Params } from './template-match.ts'
import type { Trace } from './trace.ts'
import type { Vet } from './vet.ts'
import type { Body, Inbound, SocketOffer } from './wire.ts'

/** Whoever is at the other end of the connection that a request came by. */
export interface Peer {
  readonly address: string
  /** DER; proved by the TLS handshake. */
  readonly certificate: Uint8Array | undefined
  /** Stands for the connection: the same for all that comes by it. Undefined where the ground does not know connections. */
  readonly connection?: object | undefined
}

/** A request as a listener hands it over: nothing in it has been checked. */
export interface Arrival {
  /** `public`, `egress`, or `egress:<service>` for a service's own port. */
  readonly listener: string
  readonly method: string
  /** The request target exactly as on the wire. */
  readonly target: string
  /** `1.0`, `1.1`, `2`; anything else is refused. */
  readonly httpVersion: string
  readonly scheme: 'http' | 'https'
  /** HTTP/2 `:authority`; undefined on HTTP/1. */
  readonly authority: string | undefined
  /** Alternating names and values as received, pseudo-headers left out. */
  readonly rawHeaders: readonly string[]
  readonly body: Body | undefined
  /** Set when the downstream asks for a WebSocket and the ground can open one. */
  readonly socket?: SocketOffer | undefined
  readonly peer: Peer
  /** Monotonic milliseconds. */
  readonly receivedAt: number
  readonly lifeline: Lifeline
}

/** The exchange: one request and what is known about it. */
export interface Arrived {
  readonly arrival: Arrival
  readonly revision: string
  readonly lifeline: Lifeline
  readonly receivedAt: number
  /** What `forward` did so far; kept up to date try by try, for the record and for `x-egress-attempts`. */
  readonly sent: Sent | undefined
  /** The second place that was asked, because the destination could not take the request. */
  readonly failedOver?: Destination | undefined
}

export interface Sent {
  /** `host:port` or path of the last endpoint tried. */
  readonly endpoint: string
  readonly attempts: number
  /** Monotonic milliseconds of the first try. */
  readonly startedAt: number
}

/** What `receive` knows before any policy has spoken. */
export interface Received extends Arrived {
  /** Answers `instance` of a problem and `x-request-id`. */
  readonly id: string
  readonly listener: string
  readonly request: Inbound
  /** Headers of the request that may hold an API key, by name: they are taken out of `request`, so that no other room can read or repeat one. */
  readonly keyFields: readonly (readonly [header: string, value: string])[]
  /** `network` is the limit key of an address: IPv4 /32, IPv6 /64. */
  readonly client: Peer & { readonly network: string }
  /** Monotonic milliseconds; Infinity when the downstream stated none. */
  readonly deadline: number
  readonly trace: Trace
}

// The ingress walk: each room takes the type above it and hands on the one below. At run time one object, one slot per fact.
export interface Matched extends Received {
  readonly route: Route
  readonly params: Params
  /** Set on gRPC routes. */
  readonly rpc: RpcMatch | undefined
  /** What the downstream speaks; refusals are answered in it. */
  readonly dialect: Dialect
  /** Wall time, milliseconds, that `screen` decided by; `authorize` goes on with it. Undefined where nothing was screened. */
  readonly screenedAt?: number | undefined
  /** Of limits that were asked already: before authentication, and after `limit` all. */
  readonly readings?: readonly Reading[] | undefined
}
export interface Identified extends Matched {
  readonly principal: Principal
}
export interface Permitted extends Identified {
  readonly permit: Permit
  /** What external decision points said; undefined where none was asked. On a refusal it may stand without a permit. */
  readonly asked?: readonly Asked[] | undefined
  /** Headers that external decision points give to the upstream, names lower-case. */
  readonly given?: readonly (readonly [name: string, value: string])[] | undefined
}
export interface Metered extends Permitted {
  readonly readings: readonly Reading[]
}
export interface Steered extends Metered {
  readonly destination: Destination
  /** Why this destination: `pin`, or the sticky bucket in [0, 1). */
  /** What was done to it on purpose: delayed so many milliseconds, aborted with a status. */
  readonly injected?: Injected | undefined
  readonly steering: { readonly by: 'only' | 'pin' | 'sticky' | 'random'; readonly bucket: number }
}
export interface Introduced extends Steered {
  /** The token that tells the upstream who asks, as a field of the call; undefined where it gets none. */
  readonly introduction: { readonly header: string; readonly value: string } | undefined
}
export interface Translated extends Introduced {
  readonly call: HttpCall | GrpcCall
  /** How a stream is answered to a JSON caller; undefined for every other answer. */
  readonly form: StreamForm | undefined
  /** What was left aside of the upstream's answer, and why: for the record. */
  readonly remark?: string | undefined
}

// The edge walk: after Metered, a call to the gateway behind it instead of a destination in the mesh.
export interface Vouched extends Metered {
  readonly destination: Destination
  readonly call: HttpCall
}

// The egress walk.
export interface Attributed extends Received {
  readonly caller: Principal
}
export interface Addressed extends Attributed {
  readonly service: EgressService
  /** `x-egress-env`, when the caller sent one. */
  readonly wanted: string | undefined
}
export interface Allowed extends Addressed {
  readonly permit: Permit
}
export interface Placed extends Allowed {
  readonly target: EgressTarget
  /** Set on live targets: what the connector asks before it dials. */
  readonly vet: Vet | undefined
  readonly injected?: Injected | undefined
  /** What the cache of the service did; undefined where it has none. */
  readonly cached?: CacheUse | undefined
  /** The credential itself was handed out: what it is. */
  readonly vended?: 'token' | 'aws' | undefined
}
/**
 * `hit`: answered from what is stored. `revalidated`: so, after the vendor said that it still holds. `stale`: so, because the vendor is in trouble. `miss`: asked
 * for. `bypass`: nothing that could be stored.
 */
export type CacheUse = 'hit' | 'revalidated' | 'stale' | 'miss' | 'bypass'
/** What was done to a request on purpose. */
export interface Injected {
  /** Delayed so long. */
  readonly delayMs: number | undefined
  /** Answered with it in place of the service. */
  readonly status: number | undefined
  /** Broken off. */
  readonly reset?: boolean
  /** The answer came no faster. */
  readonly bytesPerSecond?: number | undefined
}
export interface PlacedLive extends Placed {
  readonly target: LiveTarget
}
export interface Credentialed extends PlacedLive {
  readonly call: HttpCall
  /** Values that must not appear in anything that is written down. */
  readonly secrets: readonly string[]
  /** Forgets the credential that was added, when it was a token and the vendor refused it. Whether another one may be had. */
  readonly spoil: (() => boolean) | undefined
  /** Signs the call when a try of it goes out, and adds what is secret in that to `secrets`; undefined where nothing is signed. */
  readonly seal: ((call: HttpCall) => Promise<HttpCall>) | undefined
}

/** What an external decision point said of a request, or what its failing meant. */
export interface Asked {
  readonly decider: string
  /** `failed_open` and `failed_closed`: nobody answered, and the policies say what that means. */
  readonly outcome: 'allowed' | 'denied' | 'failed_open' | 'failed_closed'
  /**
   * Asked now, remembered from a moment ago, remembered from longer ago because it does not answer, or nothing. In a rehearsal: as
   * the test states it, or not known and taken for allowed.
   */
  readonly source: 'answer' | 'cache' | 'stale' | 'none' | 'stated' | 'unasked'
  /** The point's own words. */
  readonly reason: string | undefined
  /** Why it could not be asked. */
  readonly problem: string | undefined
  /** Milliseconds that the request waited. */
  readonly tookMs: number
  /** Asked and recorded, never enforced. */
  readonly audit: boolean
}

/** What is left of one limit after this request. */
export interface Reading {
  readonly limit: string
  /** What it holds when it is untouched. */
  readonly quota: number
  /** Milliseconds in which all of it comes back; 0 for places held at a time. */
  readonly windowMs: number
  readonly remaining: number
  readonly resetMs: number
  /** Answered without the shared store. */
  readonly degraded: boolean
  /** Set on limits in audit mode, which never refuse: whether this one would have. */
  readonly audit?: 'within' | 'exceeded'
  /** Points that were counted after the answer, above what was taken for the request. */
  readonly charged?: number
  /** What `X-RateLimit-Reset` says, where the route sends such headers: seconds, from now or since the epoch. */
  readonly legacyReset?: number
  /** The store knows no numbers: these are bounds, for the record alone. */
  readonly coarse?: true
}

/** How the messages of a stream are written for a JSON caller, and the media type that says so. */
export interface StreamForm {
  readonly kind: 'ndjson' | 'sse' | 'array'
  readonly type: string
}

/** Whether the placed call leaves the house; anything else is answered here. */
export function isLive(x: Placed): x is PlacedLive {
  return x.target.mode === 'live'
}

/** Every slot there is, in one order: one hidden class for all exchanges. */
type Slots = Received & Partial<Translated> & Partial<Omit<Credentialed, 'call' | 'target'>> & Partial<Placed>

/**
 * Opens the exchange for an arrival. A room fills its slots with `Object.assign(x, facts)` and returns the same object
 * under its next type: no copies.
 */
export function openExchange(arrival: Arrival, revision: string): Arrived {
  const slots: { [K in keyof Slots]-?: Slots[K] | undefined } = {
    arrival,
    revision,
    lifeline: arrival.lifeline,
    receivedAt: arrival.receivedAt,
    sent: undefined,
    failedOver: undefined,
    id: undefined,
    listener: arrival.listener,
    request: undefined,
    keyFields: undefined,
    client: undefined,
    deadline: undefined,
    trace: undefined,
    route: undefined,
    params: undefined,
    rpc: undefined,
    dialect: undefined,
    screenedAt: undefined,
    principal: undefined,
    permit: undefined,
    asked: undefined,
    given: undefined,
    readings: undefined,
    destination: undefined,
    steering: undefined,
    injected: undefined,
    introduction: undefined,
    call: undefined,
    form: undefined,
    remark: undefined,
    caller: undefined,
    service: undefined,
    wanted: undefined,
    target: undefined,
    vet: undefined,
    cached: undefined,
    vended: undefined,
    secrets: undefined,
    spoil: undefined,
    seal: undefined,
  }
  return slots as Arrived
}
