import type { HttpCall } from '../model/call.ts'
import { Fault } from '../model/fault.ts'
import type { Cluster, Endpoints } from '../policy/policy.ts'
import type { Endpoint, Ports } from '../ports.ts'
import { buildBalance } from './balance.ts'
import { type EndpointSet, openEndpointSet } from './discovery.ts'
import type { HandOver } from './mesh.ts'
import type { Shipment } from './send.ts'
import type { UpstreamState } from './state.ts'
import { noteTimes } from './tried.ts'

/** The parts of a shipment that its destination decides. */
export type Plan = Pick<Shipment, 'label' | 'group' | 'cap' | 'candidates' | 'balance' | 'hand' | 'note'>

/** One cluster of a snapshot, with its subsets. */
export interface OpenCluster {
  /** @throws Fault `internal` for a subset that the cluster does not have. */
  plan(subset: string | undefined, kind: Call): Plan
  close(): void
}

type Call = HttpCall['kind'] | 'grpc'
type ClusterPorts = Pick<Ports, 'clock' | 'random' | 'channels' | 'resolve'>
/** Where one subset (or the cluster itself) lives, and the name it has in the mesh. */
type Place = { readonly endpoints: Endpoints; readonly authority: string | undefined }

/** Idle connections to the mesh live shorter than upstreams commonly keep theirs, so that a request rarely meets one that is closing. */
export const idleConnectionMs = 4_000

/** The name under which a cluster without subset stands among its places. */
const whole = ''

export function openCluster(cluster: Cluster, state: UpstreamState, ports: ClusterPorts): OpenCluster {
  const groupKey = `cluster ${cluster.name}`
  const group = state.groups.take(groupKey, () => ({ active: 0, retrying: 0 }))
  const places = new Map<string, Place>([[whole, { endpoints: cluster.endpoints, authority: cluster.authority }]])
  for (const [name, subset] of Object.entries(cluster.subsets)) {
    places.set(name, { endpoints: subset.endpoints ?? cluster.endpoints, authority: subset.authority ?? cluster.authority })
  }
  const plans = new Map<string, Plan>()
  const sets: EndpointSet[] = []

  function open(place: Place, kind: Call): Plan {
    const at = (address: Endpoint['address']) => endpointOf(cluster, place, kind, address)
    const set = openEndpointSet(place.endpoints, at, state, ports)
    sets.push(set)
    const hand: HandOver = { sidecar: cluster.sidecar, destination: destinationOf(place) }
    const balance = buildBalance(cluster.balance, ports)
    return { label: cluster.name, group, cap: cluster.caps.requests, candidates: () => set.now(), balance, hand, note: noteTimes }
  }

  function plan(subset: string | undefined, kind: Call): Plan {
    const key = `${kind} ${subset ?? whole}`
    const there = plans.get(key)
    if (there !== undefined) return there
    const place = places.get(subset ?? whole)
    if (place === undefined) throw new Fault('internal', 'internal error', { internal: `cluster ${cluster.name} has no subset ${subset}` })
    const made = open(place, kind)
    plans.set(key, made)
    return made
  }

  // Opened now, not at the first request: what the previous snapshot uses is taken before that one gives it back.
  for (const name of places.keys()) plan(name, cluster.protocol === 'grpc' ? 'grpc' : 'http')
  return {
    plan,
    close() {
      for (const set of sets) set.close()
      state.groups.give(groupKey)
    },
  }
}

/** The endpoint at one address of a cluster: how it is dialled, and under which key its connections are shared. */
export function endpointOf(cluster: Cluster, place: Place, kind: Call, address: Endpoint['address']): Endpoint {
  const protocol = kind === 'grpc' ? 'grpc' : cluster.protocol === 'http' ? 'http1' : 'h2'
  const tls = cluster.tls && {
    serverName: cluster.tls.serverName ?? hostOf(place.authority) ?? dialledName(place.endpoints, address),
    spiffe: cluster.tls.spiffe,
    use: `cluster ${cluster.name}`,
    ca: cluster.tls.ca,
    certificate: cluster.tls.certificate,
    key: cluster.tls.key,
  }
  const { connectTimeoutMs } = cluster
  const key = JSON.stringify(['cluster', cluster.name, protocol, address, tls ?? null, connectTimeoutMs])
  return { key, protocol, address, tls, connectTimeoutMs, idleMs: idleConnectionMs }
}

/** The name an operator wrote for this address, to check the certificate against. */
function dialledName(endpoints: Endpoints, address: Endpoint['address']): string {
  if (endpoints.kind === 'dns') return endpoints.name
  return address.kind === 'tcp' ? address.host : 'localhost'
}

/** What `l5d-dst-override` says: the authority in the mesh, else where the cluster lives, always with a port. */
export function destinationOf({ endpoints, authority }: Place): string {
  const first = endpoints.kind === 'dns' ? { host: endpoints.name, port: endpoints.port } : endpoints.addresses.find((address) => address.kind === 'tcp')
  if (authority === undefined) return `${first?.host ?? 'localhost'}:${first?.port ?? 80}`
  if (hasPort(authority)) return authority
  // A loopback port is the sidecar's own, not the service's.
  return `${authority}:${first === undefined || isLoopback(first.host) ? 80 : first.port}`
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
