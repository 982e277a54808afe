import { FieldList } from '../model/fields.ts'
import type { Fields } from '../model/wire.ts'
import type { Cluster, Endpoints, StaticAddress } from '../policy/policy.ts'
import type { Endpoint, Resolve } from '../ports.ts'
import { destinationOf, endpointOf } from './cluster.ts'

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

/** Endpoints of one part of a cluster, or why its name has none. */
export type Part = { readonly subset: string | undefined } & (
  | { readonly places: readonly Place[] }
  | { readonly name: string; readonly problem: string; readonly cause: unknown }
)

/**
 * Every endpoint of a cluster and its subsets as they are now, for questions of the gateway's own (probes, drift). A subset without
 * endpoints of its own is the cluster's under another authority. Keys are apart from those of requests: no connection is shared.
 */
export async function partsOf(cluster: Cluster, resolve: Resolve): Promise<readonly Part[]> {
  const own = { endpoints: cluster.endpoints, authority: cluster.authority }
  const subsets = Object.entries(cluster.subsets).map(([subset, given]) => ({
    subset,
    endpoints: given.endpoints ?? cluster.endpoints,
    authority: given.authority ?? cluster.authority,
  }))
  return await Promise.all(
    [{ ...own, subset: undefined }, ...subsets].map(async ({ subset, endpoints, authority }): Promise<Part> => {
      try {
        const addresses = await addressesOf(endpoints, resolve)
        return { subset, places: addresses.map((address) => placeAt(cluster, subset, { endpoints, authority }, address)) }
      } catch (error) {
        return {
          subset,
          name: endpoints.kind === 'dns' ? endpoints.name : cluster.name,
          problem: error instanceof Error ? error.message : String(error),
          cause: error,
        }
      }
    }),
  )
}

async function addressesOf(endpoints: Endpoints, resolve: Resolve): Promise<readonly Endpoint['address'][]> {
  if (endpoints.kind === 'static') return endpoints.addresses.map(withoutWeight)
  const hosts = [...new Set(await resolve(endpoints.name))].sort()
  if (hosts.length === 0) throw new Error('it has no address')
  return hosts.map((host) => ({ kind: 'tcp', host, port: endpoints.port }))
}

function withoutWeight(address: StaticAddress): Endpoint['address'] {
  return address.kind === 'unix' ? { kind: 'unix', path: address.path } : { kind: 'tcp', host: address.host, port: address.port }
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
    endpoint: { ...endpoint, key: `probe ${endpoint.key}` },
    authority: place.authority ?? written(place.endpoints, address),
    fields,
    sidecar: cluster.sidecar,
  }
}

function written(endpoints: Endpoints, address: Endpoint['address']): string {
  if (endpoints.kind === 'dns') return `${endpoints.name}:${endpoints.port}`
  if (address.kind === 'unix') return 'localhost'
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
