import type { Failover, Guard, WeightedDestination } from '../../model/destination.ts'
import type { FaultInjection } from '../../model/fault-injection.ts'
import type { Mirror } from '../../model/mirror.ts'
import type { RouteMatch } from '../../model/route.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import type { DestinationDocument, RouteDocument } from '../document/routes.ts'
import type { FaultsDocument, GuardDocument } from '../document/steering.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isSaid, type Linking, refer, refuse, suggestion, warn } from './linking.ts'
import { fieldTests, ms, share } from './values.ts'

/** Links `guard` of a destination. */
export function linkGuard(said: GuardDocument | undefined): { readonly guard?: Guard } {
  if (said === undefined) return {}
  return { guard: { errorRateDelta: share(said.errorRateDelta), p95Ratio: said.p95Ratio, minSamples: said.minSamples, windowMs: ms(said.window) } }
}

/** Links `failover` of a destination at `path`. Its cluster must be another place, which speaks what the first one speaks. */
export function linkFailover(
  linking: Linking,
  entry: Entry<RouteDocument>,
  said: DestinationDocument,
  path: Path,
  clusters: ReadonlyMap<string, Entry<ClusterDocument>>,
): { readonly failover?: Failover } {
  const { failover } = said
  if (failover === undefined) return {}
  const at = [...path, 'failover']
  const { cluster, subset, on } = failover
  if (linkPlace(linking, entry, failover, at, clusters)) {
    const [first, second] = [clusters.get(said.cluster)?.value?.protocol, clusters.get(cluster)?.value?.protocol]
    if ((first === 'grpc') !== (second === 'grpc') && first !== undefined && second !== undefined)
      refuse(linking, entry, at, {
        code: 'protocol_differs',
        message: `The cluster "${cluster}" speaks ${second}, and "${said.cluster}" speaks ${first}.`,
        hint: 'Fail over to a cluster that speaks the same.',
        which: 'key',
      })
    if (cluster === said.cluster && subset === said.subset)
      refuse(linking, entry, at, {
        code: 'failover_same',
        message: 'This is where the requests go already.',
        hint: 'Name another cluster or subset.',
        which: 'key',
      })
  }
  return { failover: { cluster, subset, on } }
}

/** Follows the name of a cluster and its subset; true when both are there. */
export function linkPlace(
  linking: Linking,
  entry: Entry<RouteDocument>,
  { cluster, subset }: { readonly cluster: string; readonly subset?: string | undefined },
  path: Path,
  clusters: ReadonlyMap<string, Entry<ClusterDocument>>,
): boolean {
  if (!refer(linking, entry, [...path, 'cluster'], 'clusters', cluster)) return false
  const names = new Set(Object.keys(clusters.get(cluster)?.value?.subsets ?? {}))
  if (subset === undefined || names.has(subset)) return true
  const known = names.size === 0 ? `Add subsets: to clusters.${cluster}.` : `Known: ${Array.from(names).join(', ')}.`
  const message = `The cluster "${cluster}" has no subset "${subset}".`
  refuse(linking, entry, [...path, 'subset'], { code: 'name_unknown', message, hint: suggestion(linking, subset, names) ?? known })
  return false
}

/** Links `faults` of a route: shares that are 0 do nothing, and others are refused in prod. */
export function linkFaults(linking: Linking, entry: Entry<RouteDocument>, said: FaultsDocument | undefined): { readonly faults?: FaultInjection } {
  if (said === undefined) return {}
  const { headers, delay, abort } = said
  if (delay === undefined && abort === undefined) {
    const message = '"faults" has no effect: it says neither delay nor abort.'
    warn(linking, entry, ['faults'], { code: 'no_effect', message, hint: 'Add delay or abort, or remove it.', which: 'key' })
    return {}
  }
  const shares = [delay, abort].map((one) => share(one?.percent ?? '0%'))
  if (shares.every((one) => one === 0)) return {}
  if (linking.environmentClass === 'prod') {
    const message = 'Faults are not injected in an environment of class prod.'
    refuse(linking, entry, ['faults'], {
      code: 'faults_in_prod',
      message,
      hint: 'Write percent: 0% here, and another share in the overlay of a nonprod environment.',
      which: 'key',
    })
    return {}
  }
  return {
    faults: {
      headers: fieldTests(headers),
      delay: delay === undefined ? undefined : { share: share(delay.percent), ms: ms(delay.for) },
      abort: abort === undefined ? undefined : { share: share(abort.percent), status: { http: abort.status, grpc: abort.grpcStatus } },
    },
  }
}

/** Links `mirror` of a route: the cluster must speak what the route does, and what is said must be able to happen. */
export function linkMirror(
  linking: Linking,
  entry: Entry<RouteDocument>,
  { mirror, to }: Partial<RouteDocument>,
  match: RouteMatch,
  clusters: ReadonlyMap<string, Entry<ClusterDocument>>,
): { readonly mirror?: Mirror } {
  if (mirror === undefined) return {}
  const { cluster, subset, percent, methods, rpcs, requests, diff } = mirror
  const known = linkPlace(linking, entry, mirror, ['mirror'], clusters)
  const protocol = clusters.get(cluster)?.value?.protocol
  const isGrpc = match.grpc !== undefined
  if (known && protocol !== undefined && (protocol === 'grpc') !== isGrpc)
    refuse(linking, entry, ['mirror', 'cluster'], {
      code: 'protocol_differs',
      message: `The cluster "${cluster}" speaks ${protocol}, and the route ${isGrpc ? 'gRPC' : 'HTTP'}.`,
      hint: 'Mirror to a cluster that speaks the same.',
    })
  if (to === undefined)
    warn(linking, entry, ['mirror'], { code: 'no_effect', message: '"mirror" has no effect: the route goes nowhere.', hint: 'Remove it.', which: 'key' })
  const idle = isGrpc ? 'methods' : 'rpcs'
  if (isSaid(entry, ['mirror', idle])) {
    const message = `"${idle}" has no effect on a ${isGrpc ? 'grpc' : 'path'} route.`
    warn(linking, entry, ['mirror', idle], { code: 'no_effect', message, hint: `Write ${isGrpc ? 'rpcs' : 'methods'}.`, which: 'key' })
  }
  const all = match.grpc?.rpcs.map(({ method }) => method) ?? []
  for (const [i, rpc] of rpcs.entries()) {
    if (all.length === 0 || all.includes(rpc)) continue
    refuse(linking, entry, ['mirror', 'rpcs', i], {
      code: 'rpc_unknown',
      message: `The route has no RPC "${rpc}".`,
      hint: suggestion(linking, rpc, new Set(all)) ?? 'Name one of its service.',
    })
  }
  const compared = diff === undefined ? undefined : { share: share(diff.percent), headers: diff.headers, ignore: diff.ignore, mask: diff.mask }
  return { mirror: { cluster, subset, share: share(percent), methods, rpcs, requests, diff: compared } }
}

/** What a destination says and its split keeps from working. */
export function warnSplit(linking: Linking, entry: Entry<RouteDocument>, split: readonly WeightedDestination[]): void {
  const others = split.some(({ weight, guard }) => weight > 0 && guard === undefined)
  for (const [i, { guard, weight }] of split.entries()) {
    if (guard === undefined || (weight > 0 && others)) continue
    const message =
      weight === 0
        ? '"guard" has no effect: nobody comes here by weight.'
        : '"guard" has no effect: no destination without a guard has a weight, to compare with and to take over.'
    warn(linking, entry, [...placeOf(entry, i), 'guard'], { code: 'no_effect', message, hint: 'Give the stable version a weight, or remove it.', which: 'key' })
  }
}

/** Where the destination of that place stands in the document. */
export function placeOf({ value }: Entry<RouteDocument>, i: number): Path {
  return Array.isArray(value?.to) ? ['to', i] : ['to']
}
