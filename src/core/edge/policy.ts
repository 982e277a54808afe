import type { Route } from '../model/route.ts'
import { hostMatches } from '../pattern.ts'
import type { Cluster } from '../policy/linked/clusters.ts'
import type { Policy } from '../policy/policy.ts'

/** The gateway behind the edge. */
export interface Origin {
  readonly scheme: 'http' | 'https'
  /** Lower-case, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** Host, with the port where it is not the scheme's own: what the gateway reads as Host. */
  readonly authority: string
}

/** The one cluster of an edge. */
export const originCluster = 'origin'

/** Added to a route's time, so that the gateway behind says itself that the time is over. Milliseconds. */
const graceMs = 2_000

/**
 * The part of a policy that an edge needs, to be carried out of the house: no addresses of the mesh, nothing of the way out, no
 * references to secrets but those that the edge itself asks issuers with, no descriptors. The edge repeats nothing (the gateway behind does) and waits a little longer than that gateway.
 */
export function edgePolicyOf(policy: Policy): Policy {
  const { listeners } = policy
  return {
    ...policy,
    listeners: { public: listeners.public === undefined ? undefined : { ...listeners.public, tls: undefined }, egress: undefined, admin: undefined },
    store: { redis: undefined },
    debug: { key: undefined },
    tokens: {},
    exchanges: {},
    clusters: {},
    routes: policy.routes.map(edgeRoute),
    callers: {},
    egress: {},
    guards: [],
    descriptors: {},
  }
}

function edgeRoute(route: Route): Route {
  return { ...route, retry: undefined, sticky: undefined, split: [], timeoutMs: route.timeoutMs + graceMs }
}

/**
 * An edge policy with the gateway behind as its only cluster. A route that this gateway could never match, because it takes other host
 * names than the origin's, is quarantined: the origin's name is what the gateway reads as Host.
 */
export function withOrigin(policy: Policy, origin: Origin): Policy {
  const routes = policy.routes.map((route) =>
    reaches(route, origin.host) ? route : { ...route, quarantined: `the origin ${origin.host} is no host of this route` },
  )
  return { ...policy, routes, clusters: { [originCluster]: clusterOf(origin) } }
}

function reaches({ match }: Route, host: string): boolean {
  return match.hosts.length === 0 || match.hosts.some((pattern) => hostMatches(pattern, host))
}

function clusterOf({ scheme, host, port, authority }: Origin): Cluster {
  return {
    name: originCluster,
    quarantined: undefined,
    sidecar: 'none',
    protocol: 'http',
    endpoints: { kind: 'static', addresses: [{ kind: 'tcp', host, port, weight: 1 }] },
    authority,
    tls: scheme === 'https' ? { serverName: host, ca: undefined, certificate: undefined, key: undefined } : undefined,
    balance: 'round_robin',
    connectTimeoutMs: graceMs,
    // An isolate that is thrown away in the middle of requests does not count them down again; the platform has its own caps.
    caps: { requests: Number.MAX_SAFE_INTEGER },
    subsets: {},
  }
}
