import type { WeightedDestination } from '../../model/destination.ts'
import type { RouteMatch } from '../../model/route.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import type { MatchDocument, RouteDocument } from '../document/routes.ts'
import { nodeAt } from '../read/node.ts'
import type { Descriptors } from './descriptors.ts'
import { linkGrpc } from './grpc.ts'
import { type Entry, isSaid, isWhole, type Linking, refuse, warn } from './linking.ts'
import { matchKeys, pathsIn } from './sight.ts'
import { fieldTests } from './values.ts'

/** What a match is linked with: its route's clusters, and what their services are. */
export interface MatchSurroundings {
  readonly clusters: ReadonlyMap<string, Entry<ClusterDocument>>
  readonly descriptors: Descriptors
}

/** Links what the route takes; undefined when that cannot be read. `hidden`: templates of bindings that cannot work. */
export function linkMatch(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  around: MatchSurroundings,
  split: readonly WeightedDestination[],
): { readonly match: RouteMatch | undefined; readonly hidden: readonly string[] } {
  const { match } = value
  if (match === undefined) return { match, hidden: [] }
  checkMatch(linking, entry, match)
  const clusters = Array.from(new Set(split.map(({ cluster }) => cluster)), (name) => around.clusters.get(name)).filter((cluster) => cluster !== undefined)
  const isOne = (match.path === undefined) !== (match.grpc === undefined)
  if (isOne) checkProtocols(linking, entry, match, clusters)
  const grpc = match.grpc === undefined || !isOne ? undefined : linkGrpc(linking, entry, clusters, around.descriptors)
  // A member of match that stands beside it is one that the match lacks.
  if (!isWhole(entry, 'match') || !isOne || entry.removed.some((path) => matchKeys.includes(path))) return { match: undefined, hidden: [] }
  const linked: RouteMatch = {
    hosts: match.hosts ?? (match.host === undefined ? [] : [match.host]),
    path: match.path,
    // Of a service that cannot be known no request can be told; the route is quarantined by what was reported.
    grpc: grpc?.match ?? (match.grpc === undefined ? undefined : { service: match.grpc, rpcs: [], descriptors: '' }),
    methods: match.methods ?? (value.openapi === undefined ? [] : ['GET']),
    headers: fieldTests(match.headers),
    query: fieldTests(match.query),
  }
  return { match: linked, hidden: match.grpc === undefined ? [] : [...(grpc?.left ?? []), ...pathsIn(nodeAt(entry.node, ['bindings']))] }
}

function checkMatch(linking: Linking, entry: Entry<RouteDocument>, match: MatchDocument): void {
  if (isSaid(entry, ['match', 'host']) && isSaid(entry, ['match', 'hosts']))
    refuse(linking, entry, ['match', 'hosts'], { code: 'hosts_twice', message: 'host and hosts exclude each other.', hint: 'Keep hosts.', which: 'key' })
  const said = ['path', 'grpc'].filter((key) => isSaid(entry, ['match', key]))
  if (said.length !== 1) {
    const message = said.length === 0 ? 'The route says neither a path nor a gRPC service.' : 'A route takes a path or a gRPC service, not both.'
    refuse(linking, entry, ['match', ...said.slice(1)], {
      code: 'match_shape',
      message,
      hint: 'Give match exactly one of path and grpc; path: "/{**}" takes everything.',
      which: 'key',
    })
  }
  checkReachable(linking, entry, match)
}

/** `;` and %2F reach a route only when it allows them. */
function checkReachable(linking: Linking, entry: Entry<RouteDocument>, { path }: MatchDocument): void {
  const template = path === undefined ? undefined : parseTemplate(path)
  if (template === undefined || isTemplateError(template)) return
  const allow: readonly string[] = entry.value?.allow ?? []
  for (const [text, name] of [
    [';', 'semicolon'],
    ['%2F', 'encodedSlash'],
  ] as const) {
    if (!template.segments.some((segment) => segment.kind === 'literal' && segment.text.includes(text)) || allow.includes(name)) continue
    warn(linking, entry, ['match', 'path'], {
      code: 'path_never',
      message: `No request can match: paths with "${text}" are refused on this route.`,
      hint: `Add allow: [${name}].`,
    })
  }
}

function checkProtocols(linking: Linking, entry: Entry<RouteDocument>, match: MatchDocument, clusters: readonly Entry<ClusterDocument>[]): void {
  for (const { name, value } of clusters) {
    if (value?.protocol === undefined || (match.grpc !== undefined) === (value.protocol === 'grpc')) continue
    const message =
      match.grpc === undefined ? `The cluster "${name}" speaks gRPC, which a path route cannot.` : `The cluster "${name}" speaks ${value.protocol}, not gRPC.`
    const hint = match.grpc === undefined ? 'Match with grpc: package.Service.' : `Set protocol: grpc in clusters.${name}.`
    refuse(linking, entry, ['to'], { code: 'protocol_differs', message, hint, which: 'key' })
  }
}
