import type { HttpCall } from '../model/call.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { Cluster, Subset } from '../policy/linked/clusters.ts'
import type { Endpoints } from '../policy/linked/endpoints.ts'
import type { Endpoint, Ports } from '../ports.ts'
import { compileSticky, type Told } from '../sticky.ts'
import { buildBalance, plainBalancing } from './balance.ts'
import { placeOf } from './discovery/name.ts'
import type { SourcePorts } from './discovery/source.ts'
import { type EndpointSet, openEndpointSet } from './discovery.ts'
import { attend } from './health/attend.ts'
import { watchOutliers } from './health/outlier.ts'
import { Roster } from './health/roster.ts'
import type { HealthState } from './health/state.ts'
import type { HandOver } from './mesh.ts'
import { Shield } from './protect/shield.ts'
import { shieldState } from './protect/state.ts'
import type { Shipment } from './shipment.ts'
import { type Member, newGroup, type UpstreamState } from './state.ts'
import { both, type Note, noteTimes } from './tried.ts'

/** The parts of a shipment that its destination decides. */
export type Plan = Pick<Shipment, 'label' | 'group' | 'shield' | 'caps' | 'oneEach' | 'candidates' | 'balance' | 'hand' | 'note' | 'seal' | 'resend'>

/** One cluster of a snapshot, with its subsets. */
export interface OpenCluster {
  /** @throws Fault `internal` for a subset that the cluster does not have. */
  plan(subset: string | undefined, kind: Call): Plan
  /** By what a hashing balancer chooses for this exchange. */
  readonly keyOf: ((x: Told) => string) | undefined
  close(): void
}

type Call = HttpCall['kind'] | 'grpc'
type ClusterPorts = Pick<Ports, 'channels' | 'lasting' | 'zone'> & SourcePorts
/** Where one subset (or the cluster itself) lives, and the name it has in the mesh. */
type Place = { readonly endpoints: Endpoints; readonly authority: string | undefined; readonly labels?: Subset['labels'] }

/** Idle connections to the mesh live shorter than upstreams commonly keep theirs, so that a request rarely meets one that is closing. */
export const idleConnectionMs = 4_000

/** How the name of a cluster begins where it stands for copies. No cluster can be called so. */
const copies = 'mirror:'

/** The name under which a cluster without subset stands among its places. */
const whole = ''

export function openCluster(cluster: Cluster, state: UpstreamState, health: HealthState, ports: ClusterPorts): OpenCluster {
  const all = [undefined, ...Object.keys(cluster.subsets)]
  return openLane(cluster, all, state, health, ports)
}

/**
 * The same cluster for copies of requests: with connections, health, breakers, caps and metrics of their own, under the name `mirror:NAME`. Nothing that
 * becomes of a copy is seen by the requests that have an answer to wait for. Only the `subsets` that copies go to are opened.
 */
export function openCopies(
  cluster: Cluster,
  subsets: readonly (string | undefined)[],
  state: UpstreamState,
  health: HealthState,
  ports: ClusterPorts,
): OpenCluster {
  return openLane({ ...cluster, name: `${copies}${cluster.name}` }, subsets, state, health, ports)
}

function openLane(cluster: Cluster, opened: readonly (string | undefined)[], state: UpstreamState, health: HealthState, ports: ClusterPorts): OpenCluster {
  const { balancing = plainBalancing, outlier } = cluster
  const rule = { checked: cluster.health !== undefined, outlier: outlier !== undefined }
  const roster = health.rosters.take(cluster.name, () => new Roster(cluster.name, ports.meter))
  roster.rule = rule
  const groupKey = `cluster ${cluster.name}`
  const group = state.groups.take(groupKey, newGroup)
  const places = new Map<string, Place>([[whole, { endpoints: cluster.endpoints, authority: cluster.authority }]])
  for (const [name, subset] of Object.entries(cluster.subsets)) {
    places.set(name, { endpoints: subset.endpoints ?? cluster.endpoints, authority: subset.authority ?? cluster.authority, labels: subset.labels })
  }
  const shields = new Map<string, Shield>()
  for (const name of places.keys()) shields.set(name, takeShield(cluster, name, ports))
  const plans = new Map<string, Plan>()
  const sets: EndpointSet[] = []

  function open(name: string, place: Place, kind: Call): Plan {
    const at = (address: Endpoint['address']) => endpointOf(cluster, place, kind, address)
    const { members, mine } = attend(state.members, health, { roster, authority: place.authority, question: questionOf(cluster, place) }, ports)
    const set = openEndpointSet({ ...place, cluster: cluster.name, subset: name === whole ? undefined : name, at }, { ...state, members }, ports)
    sets.push(set)
    const hand: HandOver = { sidecar: cluster.sidecar, destination: destinationOf(place) }
    const balance = buildBalance(cluster.balance, ports, { ...rule, balancing, zone: ports.zone }, roster)
    const shield = shields.get(name) as Shield // made above, for every place
    const times = both(noteTimes, shield.note)
    const note: Note = outlier === undefined ? times : both(times, watchOutliers(outlier, { members: mine, roster }, ports.meter))
    const oneEach = kind === 'http' && cluster.protocol === 'http'
    return { label: cluster.name, group, shield, caps: cluster.caps, oneEach, candidates: (wait) => set.now(wait), balance, hand, note }
  }

  function plan(subset: string | undefined, kind: Call): Plan {
    const key = `${kind} ${subset ?? whole}`
    const there = plans.get(key)
    if (there !== undefined) return there
    const place = places.get(subset ?? whole)
    if (place === undefined) throw new Fault('internal', 'internal error', { internal: `cluster ${cluster.name} has no subset ${subset}` })
    const made = open(subset ?? whole, place, kind)
    plans.set(key, made)
    return made
  }

  // Opened now, not at the first request: what the previous snapshot uses is taken before that one gives it back.
  for (const name of opened) plan(name, cluster.protocol === 'grpc' ? 'grpc' : 'http')
  return {
    plan,
    keyOf: balancing.key === undefined ? undefined : compileSticky(balancing.key),
    close() {
      for (const set of sets) set.close()
      health.rosters.give(cluster.name)
      state.groups.give(groupKey)
      for (const name of places.keys()) shieldState(ports.lasting).give(shieldKey(cluster, name), retire)
    },
  }
}

function shieldKey({ name }: Cluster, subset: string): string {
  return subset === whole ? name : `${name}/${subset}`
}

/** The protection of one place; a broken version must not take the others with it. */
function takeShield(cluster: Cluster, subset: string, { lasting, meter }: ClusterPorts): Shield {
  const key = shieldKey(cluster, subset)
  const shield = shieldState(lasting).take(key, () => new Shield(key, meter))
  shield.rule = { breaker: cluster.breaker, adaptive: cluster.concurrency === 'adaptive', most: cluster.caps.requests }
  return shield
}

/** Protects nothing any more, and its metrics say so. */
function retire(shield: Shield): void {
  shield.rule = { breaker: undefined, adaptive: false, most: 1 }
}

/** What the endpoints of one place are asked by active checks: as requests would reach the service behind them. */
function questionOf(cluster: Cluster, place: Place) {
  if (cluster.health === undefined) return undefined
  const fields = new FieldList()
  if (cluster.sidecar === 'linkerd') fields.append('l5d-dst-override', destinationOf(place))
  const authority = ({ endpoint, name }: Member) => place.authority ?? (endpoint.address.kind === 'unix' ? 'localhost' : name)
  return { rule: cluster.health, fields, authority }
}

/**
 * The endpoint at one address of a cluster: how it is dialled, and under which key its connections, and what is known of its health, are shared. Behind
 * one address may be several services, told apart by the name that they are asked for: what one of them answers says nothing of the others.
 */
export function endpointOf(cluster: Cluster, place: Place, kind: Call, address: Endpoint['address']): Endpoint {
  const protocol = kind === 'grpc' ? 'grpc' : cluster.protocol === 'http' ? 'http1' : 'h2'
  const tls = cluster.tls && {
    serverName: cluster.tls.serverName ?? hostOf(place.authority) ?? dialledName(place.endpoints, address),
    spiffe: cluster.tls.spiffe,
    // Copies show the same certificate.
    use: `cluster ${cluster.name.replace(copies, '')}`,
    ca: cluster.tls.ca,
    certificate: cluster.tls.certificate,
    key: cluster.tls.key,
  }
  const { connectTimeoutMs } = cluster
  const asked = [place.authority ?? null, cluster.sidecar === 'linkerd' ? destinationOf(place) : null]
  const most = cluster.caps.connections
  const known = JSON.stringify(['cluster', cluster.name, protocol, address, asked, tls ?? null, connectTimeoutMs])
  const endpoint = { key: known, of: cluster.name.replace(copies, ''), protocol, address, tls, connectTimeoutMs, idleMs: idleConnectionMs } as const
  if (most === undefined) return endpoint
  return { ...endpoint, key: `${known} at most ${most}`, known, connections: { of: `cluster ${cluster.name}`, most } }
}

/** The name an operator wrote for this address, to check the certificate against. */
function dialledName(endpoints: Endpoints, address: Endpoint['address']): string {
  if (endpoints.kind !== 'static') {
    const place = placeOf(endpoints)
    if (place !== undefined) return place.host
  }
  return address.kind === 'tcp' ? address.host : 'localhost'
}

/** What `l5d-dst-override` says: the authority in the mesh, else where the cluster lives, always with a port. */
export function destinationOf({ endpoints, authority }: Place): string {
  const first = endpoints.kind === 'static' ? endpoints.addresses.find((address) => address.kind === 'tcp') : placeOf(endpoints)
  if (authority === undefined) return `${first?.host ?? 'localhost'}:${first?.port ?? 80}`
  if (hasPort(authority)) return authority
  // A loopback port is the sidecar's own, not the service's.
  return `${authority}:${first === undefined || isLoopback(first.host) ? 80 : (first.port ?? 80)}`
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function hasPort(authority: string): boolean {
  return /:\d+$/.test(authority.startsWith('[') ? authority.slice(authority.indexOf(']') + 1) : authority)
}

function hostOf(authority: string | undefined): string | undefined {
  return authority?.replace(/:\d+$/, '')
}
