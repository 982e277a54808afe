import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import { Lifeline, unlessEnded } from '../model/lifeline.ts'
import type { Fields } from '../model/wire.ts'
import type { Cluster } from '../policy/linked/clusters.ts'
import type { Endpoints } from '../policy/linked/endpoints.ts'
import type { Endpoint, FoundNow, Ports } from '../ports.ts'
import { destinationOf, endpointOf } from './cluster.ts'
import { addressText, foundAt, hasLabels, inOrder } from './discovery/found.ts'
import { sourceName } from './discovery/name.ts'

/** One endpoint of a cluster, and what a call of the gateway's own says there to reach the service behind it. */
export interface Place {
  /** Undefined for the cluster itself. */
  readonly subset: string | undefined
  readonly endpoint: Endpoint
  /** What the upstream reads as Host or `:authority`: the one of the policies, else where the endpoint is. */
  readonly authority: string
  /** What the sidecar asks for beside it. */
  readonly fields: Fields
  readonly sidecar: Cluster['sidecar']
}

/** What it takes to ask where endpoints are. */
export type PlacePorts = Pick<Ports, 'clock' | 'discover'>

/** Endpoints of one part of a cluster, or why its name has none. */
export type Part = { readonly subset: string | undefined } /** `partly`: why there may be more. */ & (
  | { readonly places: readonly Place[]; readonly name: string; readonly partly: string | undefined }
  | { readonly name: string; readonly problem: string; readonly cause: unknown }
)

/**
 * Every endpoint of a cluster and its subsets as they are now, for questions of the gateway's own (probes, drift). A subset without
 * endpoints of its own is the cluster's under another authority. Keys are apart from those of requests: no connection is shared.
 */
export async function partsOf(cluster: Cluster, ports: PlacePorts): Promise<readonly Part[]> {
  const own = { endpoints: cluster.endpoints, authority: cluster.authority, labels: undefined }
  const subsets = Object.entries(cluster.subsets).map(([subset, given]) => ({
    subset,
    endpoints: given.endpoints ?? cluster.endpoints,
    authority: given.authority ?? cluster.authority,
    labels: given.labels,
  }))
  return await Promise.all(
    [{ ...own, subset: undefined }, ...subsets].map(async ({ subset, endpoints, authority, labels }): Promise<Part> => {
      const name = endpoints.kind === 'static' ? cluster.name : sourceName(endpoints)
      try {
        const { found: all, partly } = await foundNow(endpoints, ports)
        const found = all.filter((one) => hasLabels(one.labels, labels))
        if (found.length === 0) throw new Error(labels === undefined ? 'it names no endpoint' : 'no endpoint has the labels of the subset')
        return { subset, name, partly, places: found.map(({ address }) => placeAt(cluster, subset, { endpoints, authority }, address)) }
      } catch (error) {
        return {
          subset,
          name,
          problem: error instanceof Error ? error.message : String(error),
          cause: error,
        }
      }
    }),
  )
}

/** One answer, for a question of the gateway's own: milliseconds. */
const patienceMs = 10_000

async function foundNow(endpoints: Endpoints, ports: PlacePorts): Promise<FoundNow> {
  if (endpoints.kind === 'static') return { found: endpoints.addresses.map(foundAt) }
  const lifeline = new Lifeline()
  const timer = ports.clock.after(patienceMs, () => lifeline.end(new Fault('upstream_unavailable', 'it does not answer in time')))
  try {
    const { found, partly } = await unlessEnded(lifeline, ports.discover(endpoints).once(lifeline))
    return { found: inOrder(found), partly }
  } finally {
    timer.cancel()
    lifeline.settle()
  }
}

function placeAt(
  cluster: Cluster,
  subset: string | undefined,
  place: { readonly endpoints: Endpoints; readonly authority: string | undefined },
  address: Endpoint['address'],
): Place {
  const endpoint = endpointOf(cluster, place, cluster.protocol === 'grpc' ? 'grpc' : 'http', address)
  const fields = new FieldList()
  if (cluster.sidecar === 'linkerd') fields.append('l5d-dst-override', destinationOf(place))
  return {
    subset,
    endpoint: { ...endpoint, key: `probe ${endpoint.key}`, connections: undefined },
    authority: place.authority ?? written(place.endpoints, address),
    fields,
    sidecar: cluster.sidecar,
  }
}

function written(endpoints: Endpoints, address: Endpoint['address']): string {
  if (endpoints.kind === 'dns') return `${endpoints.name}:${endpoints.port}`
  return address.kind === 'unix' ? 'localhost' : addressText(address)
}
