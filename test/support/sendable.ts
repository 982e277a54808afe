import type { GrpcCall, GrpcReply, GrpcStatus, HttpCall, HttpReply } from '../../src/core/model/call.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Retry } from '../../src/core/model/retry.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { EndpointSource, Endpoints, ShrinkRule } from '../../src/core/policy/linked/endpoints.ts'
import type { Sendable } from '../../src/core/upstream.ts'
import { httpCall } from './calls.ts'
import { plainRoute } from './policy.ts'

/** A cluster of two plain endpoints; what is given takes its place. */
export function cluster(name: string, given: Partial<Cluster> = {}): Cluster {
  return {
    name,
    quarantined: undefined,
    sidecar: 'none',
    protocol: 'http',
    endpoints: at('10.0.0.1:80', '10.0.0.2:80'),
    authority: undefined,
    tls: undefined,
    balance: 'round_robin',
    connectTimeoutMs: 1_000,
    caps: { requests: 1024 },
    subsets: {},
    ...given,
  }
}

/** Static endpoints, `host:port` or `host:port*weight`. */
export function at(...places: readonly string[]): Cluster['endpoints'] {
  const addresses = places.map((place) => {
    const [address = '', weight = '1'] = place.split('*')
    const [host = '', port = '80'] = address.split(':')
    return { kind: 'tcp', host, port: Number(port), weight: Number(weight) } as const
  })
  return { kind: 'static', addresses }
}

/** Endpoints that a source names, believed as usual: more than half goes only after 30 s, all of it never. */
export function foundBy(source: EndpointSource, shrinking: Partial<ShrinkRule> = {}): Endpoints {
  return { ...source, shrinking: { share: 0.5, confirmMs: 30_000, empty: 'keep', ...shrinking } }
}

/** Two further tries on everything, for GET and with a key for POST. */
export function retry(given: Partial<Retry> = {}): Retry {
  return {
    attempts: 2,
    on: ['connect', 'reset', 'unavailable', 502],
    budget: 0.2,
    methods: ['GET'],
    withIdempotencyKey: ['POST'],
    maxRetryAfterMs: 10_000,
    ...given,
  }
}

export interface SendableInput {
  readonly call?: HttpCall | GrpcCall
  readonly cluster?: string
  readonly subset?: string
  readonly route?: Partial<Route>
  readonly lifeline?: Lifeline
  /** Monotonic milliseconds, as the downstream stated it. */
  readonly deadline?: number
  readonly receivedAt?: number
  /** As the downstream sent it; POST without it. */
  readonly method?: string
  /** Who asks; nobody in particular without it. */
  readonly sub?: string
}

/** What the room reads of an exchange that was steered and translated, received at tick 1000. */
export function sendable(given: SendableInput = {}): Sendable {
  const slots = {
    lifeline: given.lifeline ?? new Lifeline(),
    receivedAt: given.receivedAt ?? 1_000,
    deadline: given.deadline ?? Number.POSITIVE_INFINITY,
    sent: undefined,
    request: { method: given.method ?? 'POST', headers: new FieldList() },
    route: plainRoute('r', given.route),
    destination: { cluster: given.cluster ?? 'c', subset: given.subset },
    call: given.call ?? httpCall(),
    client: { address: '192.0.2.1' },
    principal: given.sub === undefined ? { kind: 'anonymous' } : { kind: 'subject', claims: { sub: given.sub } },
  }
  return slots as unknown as Sendable // the other slots belong to other rooms, and permits are minted by them alone
}

export function httpReply(status: number, given: Partial<HttpReply> = {}): HttpReply {
  return { kind: 'http', status, headers: new FieldList(), body: undefined, ...given }
}

/** Messages, then the status. */
export function grpcReply(messages: readonly string[], status: Partial<GrpcStatus> = {}): GrpcReply {
  async function* stream() {
    for (const message of messages) yield Buffer.from(message)
  }
  const ended: GrpcStatus = { code: 0, message: '', details: undefined, trailers: new FieldList(), ...status }
  return { kind: 'grpc', metadata: new FieldList(), messages: stream(), status: () => ended }
}
