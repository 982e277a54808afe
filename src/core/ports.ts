import type { GrpcCall, GrpcReply, HttpCall, HttpReply } from './model/call.ts'
import type { Lifeline } from './model/lifeline.ts'
import type { LimitShape } from './model/limit.ts'
import type { Vet } from './model/vet.ts'
import type { EndpointSource } from './policy/linked/endpoints.ts'

/** What the core asks of the ground it stands on. Each ground supplies one set; each room names only what it uses. */
export interface Ports {
  readonly clock: Clock
  readonly random: Random
  /** Lower-case hex SHA-256 of bytes, or of the UTF-8 of a text. Synchronous where the ground can. */
  readonly digest: (data: string | Uint8Array) => string | Promise<string>
  readonly compression: Compression
  readonly channels: Channels
  readonly fetch: Fetch
  readonly resolve: Resolve
  readonly discover: Discover
  readonly counters: Counters
  readonly secrets: Secrets
  readonly store: Store
  readonly shared: Shared
  readonly lasting: Lasting
  /** Left out where the ground can keep no recorded answers. */
  readonly cassettes?: Cassettes | undefined
  readonly ownAddresses: OwnAddresses
  readonly ownListeners: OwnListeners
  /** Prefixes that this network translates to IPv4 (RFC 6052), as its operator says; each without a problem. */
  readonly nat64?: readonly string[] | undefined
  /** The zone this machine is in, as its operator names it. */
  readonly zone?: string | undefined
  readonly journal: Journal
  readonly meter: Meter
}

export interface Clock {
  /** Wall time for tokens, milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds for windows and deadlines. */
  ticks(): number
  after(ms: number, run: () => void): { cancel(): void }
}

export interface Random {
  /** In [0, 1). */
  unit(): number
  /** Lower-case hex of that many random bytes, from a cryptographic source. */
  hex(bytes: number): string
  uuid(): string
}

/**
 * gzip (RFC 1952). Whoever packed it is not trusted: it is inflated piece by piece, and no further than the reader wants. No bytes inflate to no
 * bytes.
 */
export interface Compression {
  gzip(bytes: Uint8Array): Promise<Uint8Array>
  /** @throws Fault `body_too_large` past `limit` inflated bytes, `body_invalid` for what is no gzip, or not all of one */
  gunzip(bytes: Uint8Array, limit: number): Promise<Uint8Array>
  /** Inflates while it is pulled; a reader that stops ends the source. @throws Fault `body_invalid` as `gunzip`, and what the source throws */
  inflate(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
}

/** One place to dial, and how. Endpoints with equal `key` share connections, across snapshots too. */
export interface Endpoint {
  /** Everything that makes two endpoints differ, so that no connection crosses services, environments or TLS settings. */
  readonly key: string
  /** What is known of its health is kept under this: without what says nothing of the endpoint. The key where it is left out. */
  readonly known?: string | undefined
  /** The cluster or egress service that its connections are counted for; none where it is left out. */
  readonly of?: string | undefined
  readonly protocol: 'http1' | 'h2' | 'grpc'
  readonly address: { readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'unix'; readonly path: string }
  readonly tls: EndpointTls | undefined
  readonly connectTimeoutMs: number
  /** Idle connections live this long. */
  readonly idleMs: number
  /** At most so many connections at a time to all endpoints that name the same; over HTTP/2 an endpoint may always have one, and gRPC has no more. */
  readonly connections?: { readonly of: string; readonly most: number } | undefined
  /** Egress: judges every address the name resolved to, in the connector, before any is dialled. One refusal refuses all. */
  readonly vet?: Vet | undefined
}

export interface EndpointTls {
  /** The name in the certificate, unless `spiffe` is given; sent as SNI where it is no address. */
  readonly serverName: string
  /** SPIFFE ids (or patterns of them) of which the certificate must hold one; its other names count for nothing then. */
  readonly spiffe?: readonly string[] | undefined
  /** Whose these are, for notices: `cluster orders`. */
  readonly use?: string | undefined
  /** References (`file:…`, `env:…`) to PEM text. */
  readonly ca: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

export interface CallOptions {
  readonly lifeline: Lifeline
  /** Monotonic milliseconds by which response headers must be there; Infinity for none. */
  readonly deadline: number
  /** A body or stream that is silent for longer is cut. Milliseconds. */
  readonly idleMs: number
  /** Largest gRPC message, bytes. */
  readonly messageLimit: number
  /** Told true when the call has to wait because of a cap on connections, and false when it has one: what happens in between is not the endpoint's doing. */
  readonly held?: (isHeld: boolean) => void
  /**
   * What is sent once more, over a fresh connection, when an idle one died before a byte of answer (RFC 9112 section 9.3.1): `idempotent` (left out): calls without a body that mean
   * the same twice; `safe`: those that change nothing; `never`: none, because each counts.
   */
  readonly resend?: 'idempotent' | 'safe' | 'never' | undefined
}

/**
 * A way to speak to one endpoint. Failures are Faults: `upstream_unavailable` when nothing was sent,
 * `upstream_reset`, `upstream_protocol`, `deadline_exceeded`, `client_closed`, `address_denied`.
 */
export interface Channel {
  http(call: HttpCall, options: CallOptions): Promise<HttpReply>
  grpc(call: GrpcCall, options: CallOptions): Promise<GrpcReply>
  /** Gives this use back; connections close when the last user has let go and what is in flight has ended. */
  release(): void
}

export interface Channels {
  /** Takes a share in the endpoint's connections. Dials lazily. */
  acquire(endpoint: Endpoint): Channel
  /** Opens one connection as calls would, TLS included, by `deadline` (monotonic milliseconds), and closes it. @throws Fault `upstream_unavailable` */
  reach(endpoint: Endpoint, deadline: number): Promise<void>
}

/** A small request of the gateway's own (discovery, key sets, tokens). No redirects, no cookies; the body is capped. */
export type Fetch = (request: FetchRequest) => Promise<FetchResponse>

export interface FetchRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly timeoutMs: number
  /** Bytes; a longer answer rejects. */
  readonly limit: number
  readonly vet?: Vet | undefined
  /** Of an https URL; undefined: the public authorities, and no certificate of our own. */
  readonly tls?: FetchTls | undefined
}

/** References to PEM text. */
export interface FetchTls {
  /** In place of the public authorities. */
  readonly ca: string | undefined
  /** What the gateway shows of itself, with its key. */
  readonly certificate: string | undefined
  readonly key: string | undefined
}

export interface FetchResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** Every address of a host name; an IP literal is its own answer. @throws when there is none. */
export type Resolve = (host: string) => Promise<readonly string[]>

/** One endpoint as a source names it. */
export interface Found {
  readonly address: Endpoint['address']
  /** Positive. */
  readonly weight: number
  readonly zone: string | undefined
  readonly labels: Labels
}

/** How endpoints of a source are found. Nothing is asked before. */
export type Discover = (source: EndpointSource) => Discovery

/** What a source says at one moment. */
export interface FoundNow {
  readonly found: readonly Found[]
  /** Why that may not be all. */
  readonly partly?: string | undefined
}

/** One source of endpoints. */
export interface Discovery {
  /** One answer. @throws when there is none. */
  once(lifeline: Lifeline): Promise<FoundNow>
  /** Tells every answer, until the lifeline ends or something fails: then it throws, and is called again later. It may keep what it learned. */
  follow(tell: DiscoveryTell, lifeline: Lifeline): Promise<void>
}

/** Who is told. A set may be empty; what that means is not the source's business. */
export interface DiscoveryTell {
  /** What the source says now. `partly`: why that may not be all. @throws Error for a set that cannot be taken. */
  set(found: readonly Found[], partly?: string): void
  /** What the source said last still holds. */
  alive(): void
  /** It could not be asked, and will be asked again without being left alone. */
  failed(why: unknown): void
}

/** DNS as discovery needs it: with times to live. What the machine knows without DNS (`localhost`, its hosts file) counts too. */
export interface Names {
  /** Every IPv4 and IPv6 address. A name that does not exist has none. @throws when nobody can say. */
  addresses(host: string): Promise<NamedAddresses>
  /** What the SRV records (RFC 2782) of a name say; none when there are none. @throws when nobody can say. */
  services(name: string): Promise<NamedServices>
}

export interface NamedAddresses {
  readonly addresses: readonly string[]
  /** Undefined where nobody says. */
  readonly ttlMs: number | undefined
  /** The family that could not be asked, when the other answered. */
  readonly missing?: 'ipv4' | 'ipv6' | undefined
}

export interface NamedServices {
  readonly services: readonly NamedService[]
  readonly ttlMs: number | undefined
}

export interface NamedService {
  readonly host: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

/** A GET of the gateway's own whose answer may go on for long: the bytes as they come. No redirects, no cookies. */
export type Follow = (request: FollowRequest) => Promise<Followed>

export interface FollowRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Reference to PEM text; undefined: the public authorities. */
  readonly ca: string | undefined
  /** Ends the request, and the answer under way. */
  readonly lifeline: Lifeline
  /** Until the headers are there. */
  readonly timeoutMs: number
  /** An answer that is silent for longer is cut. */
  readonly idleMs: number
}

export interface Followed {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A reader that stops ends the request. @throws Fault when the answer breaks off. */
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Files that are read while the gateway runs. Paths are absolute. */
export interface Files {
  /** The whole text, which did not change while it was read. @throws when it is missing, changes meanwhile, is no UTF-8 or longer than `limit` bytes. */
  read(path: string, limit: number): Promise<string>
  /** Calls `heard` when the file may have changed, appeared or gone, until it is closed. */
  watch(path: string, heard: () => void): { close(): void }
}

/** A limit as the store needs it. Its numbers may differ from one request to the next: what is counted stays. */
export interface LimitSpec extends LimitShape {
  readonly name: string
  readonly onStoreFailure: 'local' | 'allow' | 'deny'
}

export interface Descriptor {
  readonly limit: LimitSpec
  /** Unambiguous: parts are length-prefixed. */
  readonly key: string
  readonly cost: number
}

/** The descriptors of one request name each limit once. A cost that is not an integer of at least 1 is a RangeError. */
export interface Counters {
  /** Check then commit: a refusal consumes nothing anywhere. */
  take(descriptors: readonly Descriptor[]): Taken | Promise<Taken>
  /**
   * Counts what was used already, on top of what a take had: it refuses nobody and may go past what a limit holds, so that what comes next is refused.
   * Of `gcra` at most one window is owed so, and what is beyond is forgotten. Places held at a time have nothing to charge. What is left, for every descriptor.
   */
  charge(descriptors: readonly Descriptor[]): readonly TakenReading[] | Promise<readonly TakenReading[]>
  /** What is left, without taking: `allowed` when a take would be now, and a reading for every descriptor. */
  peek(descriptors: readonly Descriptor[]): Taken | Promise<Taken>
}

export interface Taken {
  readonly allowed: boolean
  /** Name of the limit that refused. */
  readonly refusedBy: string | undefined
  /** In the order of the descriptors. After a refusal, limits that had no say are left out; so is what a store without numbers allowed. */
  readonly readings: readonly TakenReading[]
  /** Set when the take holds places of `concurrency` limits: gives them back. To be called when the request is over; more often does no harm. */
  readonly release?: () => void
}

export interface TakenReading {
  readonly limit: string
  readonly remaining: number
  /**
   * Milliseconds. Of a limit that is over: until this cost fits, if nothing else is taken; nobody knows when a place of a `concurrency`
   * limit is free, so that says 1 s. Of any other: until all that was taken is back; 0 when nothing was, and for `concurrency`.
   */
  readonly resetMs: number
  /** Made without the shared store. A `deny` limit that refused so did not count: its store could not be asked. */
  readonly degraded: boolean
  /** The store says yes or no and knows no numbers: `remaining` is nothing, `resetMs` a whole window, and nobody is told either. */
  readonly coarse?: true
}

export interface Secrets {
  /** The value behind `env:NAME` or `file:/path`. @throws when it is missing or empty. */
  read(reference: string): Promise<string>
}

/** Small values that should outlive a process: last good key sets. */
export interface Store {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string, ttlMs: number): Promise<void>
}

/**
 * Small facts that all replicas see alike; without a store in the policies, those of this process. Keys are named `room.thing:…`.
 * Everything rejects while the store does not answer: the caller says what that means.
 */
export interface Shared {
  /** True for exactly one caller of all until the time is over. */
  claim(key: string, ttlMs: number): Promise<boolean>
  get(key: string): Promise<string | undefined>
  /** Without a time it stays until it is deleted. */
  set(key: string, value: string, ttlMs: number | undefined): Promise<void>
  delete(key: string): Promise<void>
}

/**
 * State that outlives a snapshot (token caches, key sets): `make` runs once per key in the life of the process, later callers get
 * the same object. Whoever keeps something here bounds it. One owner per key, named `room.thing`.
 */
export type Lasting = <T>(key: string, make: () => T) => T

/** Recorded answers, each a text of its own in the cassette of its name. Several processes may share them. */
export interface Cassettes {
  /** In the order they were added. A cassette that is not there is empty. `version` differs when the text does. */
  list(cassette: string): Promise<readonly { readonly name: string; readonly version: string }[]>
  /** @throws when it is gone or cannot be read. */
  read(cassette: string, name: string): Promise<string>
  /** Adds one after all others, whole or not at all; `about` becomes part of its name. False: the cassette is full. @throws when it cannot be written. */
  add(cassette: string, about: string, text: string): Promise<boolean>
}

/** Addresses of this machine's interfaces, without zones; empty where the ground cannot know. Cheap: asked per dial. */
export type OwnAddresses = () => readonly string[]

/** Where this gateway listens, by the real ports, in whatever process of it; empty where nothing does. Cheap: asked per dial. */
export type OwnListeners = () => readonly { readonly host: string; readonly port: number }[]

/** Where records go. */
export interface Journal {
  write(record: JournalRecord): void
}

export type JournalValue = string | number | boolean | undefined | readonly JournalValue[] | { readonly [member: string]: JournalValue }
export type JournalRecord = { readonly [member: string]: JournalValue }

export type Labels = Readonly<Record<string, string>>

/** Metrics. Names and labels are listed in `observe/metrics.ts`. */
export interface Meter {
  count(name: string, labels: Labels, by?: number): void
  /** Adds one observation to a histogram; seconds for durations. */
  observe(name: string, value: number, labels: Labels): void
  gauge(name: string, value: number, labels: Labels): void
}
