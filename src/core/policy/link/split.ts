import type { WeightedDestination } from '../../model/destination.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import type { DestinationDocument, RouteDocument } from '../document/routes.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isWhole, type Linking, refer, refuse } from './linking.ts'
import { linkFailover, linkGuard, linkPlace } from './steering.ts'
import { fieldTests } from './values.ts'

/** Links the destinations of a route, whose weights add up to 100. */
export function linkSplit(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  clusters: ReadonlyMap<string, Entry<ClusterDocument>>,
): readonly WeightedDestination[] {
  const { to } = value
  if (to === undefined) return []
  const list = typeof to === 'string' ? [{ cluster: to, subset: undefined, weight: 100, pin: undefined }] : Array.isArray(to) ? to : [to]
  const placed = list.map((destination, i) =>
    linkDestination(linking, entry, destination, typeof to === 'string' ? ['to'] : Array.isArray(to) ? ['to', i] : ['to'], typeof to === 'string', clusters),
  )
  const sum = list.reduce((total, { weight }) => total + weight, 0)
  if (sum !== 100 && isWhole(entry, 'to'))
    refuse(linking, entry, ['to'], {
      code: 'weights_sum',
      message: `The weights add up to ${sum}, not 100.`,
      hint: 'Give every destination a weight; a destination that only pins reach has weight 0.',
      which: 'key',
    })
  return placed
}

function linkDestination(
  linking: Linking,
  entry: Entry<RouteDocument>,
  said: DestinationDocument,
  path: Path,
  bare: boolean,
  clusters: ReadonlyMap<string, Entry<ClusterDocument>>,
): WeightedDestination {
  if (bare) refer(linking, entry, path, 'clusters', said.cluster)
  else linkPlace(linking, entry, said, path, clusters)
  const claims = Object.entries(said.pin?.claims ?? {}).map(([claim, value]) => ({ path: claim, value }))
  return {
    cluster: said.cluster,
    subset: said.subset,
    weight: said.weight,
    pin: said.pin === undefined ? undefined : { headers: fieldTests(said.pin.headers), claims },
    ...linkGuard(said.guard),
    ...linkFailover(linking, entry, said, path, clusters),
  }
}
