import { healthBoard } from './health.ts'
import type { GrpcCall, HttpCall, Reply } from './model/call.ts'
import type { Destination, Failover } from './model/destination.ts'
import type { EgressService } from './model/egress-service.ts'
import type { LiveTarget } from './model/egress-target.ts'
import type { Received } from './model/exchange.ts'
import { Fault } from './model/fault.ts'
import type { Lifeline } from './model/lifeline.ts'
import type { Permit } from './model/permit.ts'
import type { Principal } from './model/principal.ts'
import type { Route } from './model/route.ts'
import type { RpcMatch } from './model/rpc.ts'
import type { Vet } from './model/vet.ts'
import type { MetricName } from './observe/metrics.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'
import { addressedTo } from './upstream/address.ts'
import { answerHealth } from './upstream/answer-health.ts'
import { type OpenCluster, openCluster, openCopies } from './upstream/cluster.ts'
import { deadlineOf } from './upstream/deadline.ts'
import type { SourcePorts, SourceStatus } from './upstream/discovery/source.ts'
import { sendWithSpare } from './upstream/failover.ts'
import type { EndpointStatus } from './upstream/health/roster.ts'
import { healthState } from './upstream/health/state.ts'
import { type MessageJson, type MirrorPorts, type MirrorRoute, openMirror } from './upstream/mirror.ts'
import type { ShieldStatus } from './upstream/protect/shield.ts'
import { shieldState } from './upstream/protect/state.ts'
import { isSafeOut, safetyOf } from './upstream/retry.ts'
import { send } from './upstream/send.ts'
import { upstreamState } from './upstream/state.ts'
import { openTargets } from './upstream/target.ts'

export type { LeftBehind, SourceStatus } from './upstream/discovery/source.ts'
export type { EndpointStatus } from './upstream/health/roster.ts'
export { type Part, type Place, type PlacePorts, partsOf } from './upstream/places.ts'
export type { ShieldStatus } from './upstream/protect/shield.ts'

/** How every source of endpoints stands that some snapshot uses. */
export function sourcesOf(lasting: Ports['lasting']): readonly SourceStatus[] {
  return upstreamState(lasting)
    .sources.values()
    .map((source) => source.status())
}

/** Anything of the ingress wing that holds a permit, a place to go and something to say. */
export interface Sendable extends Received {
  readonly permit: Permit
  readonly route: Route
  readonly destination: Destination
  readonly call: HttpCall | GrpcCall
  /** Set on gRPC routes. */
  readonly rpc?: RpcMatch | undefined
  /** Who asks, for clusters that choose an endpoint by it. */
  readonly principal: Principal
}

/** The same of the egress wing. */
export interface SendableOut extends Received {
  readonly permit: Permit
  readonly service: EgressService
  readonly target: LiveTarget
  readonly vet: Vet | undefined
  readonly call: HttpCall
  /** Who shares a quota. */
  readonly caller?: Principal
  /** Signs each try. */
  readonly seal?: ((call: HttpCall) => Promise<HttpCall>) | undefined
}

/** The only way out of the house. It fills the slot `sent` with every try. */
export interface Upstream {
  readonly forward: (x: Sendable) => Promise<Reply>
  readonly forwardOut: (x: SendableOut) => Promise<Reply>
  /** A call of the gateway's own, to ask something of a cluster before there can be a permit. Nothing of a request is forwarded by it. */
  readonly consult: (cluster: string, call: HttpCall | GrpcCall, until: ConsultUntil) => Promise<Reply>
  /** Gives back every channel; what is in flight ends first. */
  close(): Promise<void>
}

/** How long a call of the gateway's own may take: `deadline` in monotonic milliseconds, for the whole answer. */
export interface ConsultUntil {
  readonly lifeline: Lifeline
  readonly deadline: number
}

type UpstreamPorts = MirrorPorts & Pick<Ports, 'channels' | 'lasting' | 'zone' | 'counters'> & SourcePorts

const failovers = 'sallyport_failovers_total' satisfies MetricName

/** A body or stream that is silent for longer is cut. Milliseconds; the same on both sides of the gateway. */
const silentMs = 60_000

/**
 * Opens the clusters of a policy. Connections, averages and counts live outside the snapshot: an endpoint that the previous one uses too
 * keeps them. `messageJson` lets mirrors compare messages field by field.
 */
export function buildUpstream(policy: Policy, ports: UpstreamPorts, messageJson?: MessageJson): Upstream {
  const state = upstreamState(ports.lasting)
  const health = healthState(ports.lasting)
  const board = healthBoard(ports.lasting)
  const clusters = new Map<string, OpenCluster>()
  for (const cluster of Object.values(policy.clusters)) {
    if (cluster.quarantined === undefined) clusters.set(cluster.name, openCluster(cluster, state, health, ports))
  }
  const targets = openTargets(policy.revision, state, ports)
  const idleMs = policy.listeners.public?.limits.idleMs ?? silentMs
  const mirrored = policy.routes.flatMap((route) => {
    const { mirror, quarantined } = route
    return mirror === undefined || quarantined !== undefined || !clusters.has(mirror.cluster) ? [] : [{ route, mirror }]
  })
  const copies = new Map<string, OpenCluster>()
  for (const cluster of Object.values(policy.clusters)) {
    const subsets = mirrored.filter(({ mirror }) => mirror.cluster === cluster.name).map(({ mirror }) => mirror.subset)
    if (subsets.length > 0) copies.set(cluster.name, openCopies(cluster, subsets, state, health, ports))
  }
  const mirrors = new Map<string, MirrorRoute>()
  for (const { route, mirror } of mirrored) {
    const there = copies.get(mirror.cluster) as OpenCluster // opened above, for every mirror
    const plan = (kind: 'http' | 'grpc') => there.plan(mirror.subset, kind)
    mirrors.set(route.name, openMirror(route, mirror, { policy, ports, idleMs, plan, keyOf: there.keyOf, messageJson }))
  }

  async function forwardTo(x: Sendable, sent: HttpCall | GrpcCall): Promise<Reply> {
    const cluster = clusters.get(x.destination.cluster)
    if (cluster === undefined) throw new Fault('config_quarantined', 'this destination is not available', { internal: x.destination.cluster })
    const { route, destination } = x
    const deadline = deadlineOf(x.deadline, x.receivedAt + route.timeoutMs, sent)
    const to = (there: OpenCluster, subset: string | undefined, call: HttpCall | GrpcCall) =>
      send({ x, call, deadline, retry, hedge, safety, idleMs, key: there.keyOf?.(x), ...there.plan(subset, call.kind) }, ports)
    const failover = failoverOf(route, destination)
    const { retry, hedge } = route
    const safety = retry === undefined && hedge === undefined && failover === undefined ? undefined : safetyOf(x, sent)
    const spare = failover === undefined ? undefined : clusters.get(failover.cluster)
    if (failover === undefined || spare === undefined) return to(cluster, destination.subset, sent)
    return sendWithSpare({
      x,
      call: sent,
      failover,
      retry,
      repeats: retry !== undefined || hedge !== undefined,
      safe: safety?.keyed ?? false,
      first: (call) => to(cluster, destination.subset, call),
      second(call) {
        Object.assign(x, { failedOver: failover })
        ports.meter.count(failovers, { cluster: destination.cluster, to: failover.cluster })
        return to(spare, failover.subset, addressedTo(call, policy, failover, x.request.authority))
      },
    })
  }

  return {
    async forward(x) {
      if (x.route.answer === 'health' && x.call.kind === 'grpc')
        return answerHealth({ call: x.call, lifeline: x.arrival.lifeline, deadline: x.deadline, idleMs }, board, ports.clock)
      const mirror = mirrors.get(x.route.name)
      return mirror === undefined ? forwardTo(x, x.call) : mirror(x, (call) => forwardTo(x, call))
    },
    async forwardOut(x) {
      const { service, target, vet } = x
      const deadline = deadlineOf(x.deadline, x.receivedAt + service.timeoutMs, x.call)
      const retry = x.request.headers.get('x-egress-retry') === 'off' ? undefined : service.retry
      const safe = isSafeOut(x.call, retry)
      const safety = { plain: safe, keyed: safe }
      const caller = x.caller?.kind === 'caller' ? x.caller.name : ''
      return send({ x, call: x.call, deadline, retry, safety, idleMs: silentMs, ...targets.plan({ service, target, vet, caller, seal: x.seal }) }, ports)
    },
    async consult(name, call, { lifeline, deadline }) {
      const cluster = clusters.get(name)
      if (cluster === undefined) throw new Fault('config_quarantined', 'this destination is not available', { internal: name })
      const x = { lifeline, sent: undefined }
      const plan = cluster.plan(undefined, call.kind)
      return send({ x, call, deadline: { at: deadline, until: 'whole' }, retry: undefined, idleMs: silentMs, ...plan }, ports)
    },
    async close() {
      for (const cluster of [...clusters.values(), ...copies.values()]) cluster.close()
      targets.close()
    },
  }
}

function failoverOf({ split }: Route, { cluster, subset }: Destination): Failover | undefined {
  for (const one of split) if (one.cluster === cluster && one.subset === subset) return one.failover
  return undefined
}

/** The endpoints of all clusters in use, by cluster and name. */
export function endpointsOf({ lasting, clock }: Pick<Ports, 'lasting' | 'clock'>): readonly EndpointStatus[] {
  const all = healthState(lasting)
    .rosters.values()
    .flatMap((roster) => roster.status(clock.ticks()))
  return all.sort((a, b) => a.cluster.localeCompare(b.cluster, 'en') || a.endpoint.localeCompare(b.endpoint, 'en', { numeric: true }))
}

/** Everything in use that a breaker or an adaptive limit protects, by name. */
export function shieldsOf({ lasting, clock }: Pick<Ports, 'lasting' | 'clock'>): readonly ShieldStatus[] {
  const now = clock.ticks()
  const all = shieldState(lasting).values()
  return all
    .map((shield) => shield.status(now))
    .filter((status) => status !== undefined)
    .sort((a, b) => a.place.localeCompare(b.place, 'en'))
}
