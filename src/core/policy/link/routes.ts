import type { WeightedDestination } from '../../model/destination.ts'
import type { HandOn } from '../../model/hand-on.ts'
import type { Route, RouteLimit, RouteMatch } from '../../model/route.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import type { DescriptorBook } from '../../protobuf.ts'
import { didYouMean } from '../../suggest.ts'
import type { AccessDocument } from '../document/access.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import type { LimitDocument } from '../document/limits.ts'
import type { DestinationDocument, MatchDocument, RouteDocument } from '../document/routes.ts'
import type { AccessPolicy } from '../linked/access.ts'
import { nodeAt, type Path } from '../read/node.ts'
import { linkAccess } from './access.ts'
import { checkAnswer, checkDestination, linkPublished } from './answered.ts'
import { linkCors } from './cors.ts'
import type { Descriptors } from './descriptors.ts'
import { linkGrpc } from './grpc.ts'
import { warnImpossible } from './impossible.ts'
import { heldBy } from './limits.ts'
import { type Entry, isSaid, isWhole, type Linking, placeIn, refer, refuse, warn } from './linking.ts'
import { linkHedge } from './protect.ts'
import { checkResponse } from './response-cost.ts'
import { checkRetry, linkRetry } from './retry.ts'
import { lookAtRoute, matchKeys, pathsIn, type Sight } from './sight.ts'
import { linkFailover, linkFaults, linkGuard, linkMirror, linkPlace, warnSplit } from './steering.ts'
import { checkTranslate, plainTranslation } from './translate.ts'
import { linkUpgrade } from './upgrade.ts'
import { bytes, fieldTests, ms, stickyOf } from './values.ts'

export interface LinkedRoute {
  readonly entry: Entry<RouteDocument>
  /** Undefined when what it takes cannot be read. */
  readonly route: Route | undefined
  /** What it can be seen to take all the same, then. */
  readonly sight: Sight | undefined
  /** Templates of bindings that cannot work. */
  readonly hidden: readonly string[]
  /** An access policy that is written in the route itself. */
  readonly inline: AccessPolicy | undefined
}

export interface RouteSurroundings {
  readonly clusters: ReadonlyMap<string, Entry<ClusterDocument>>
  readonly access: ReadonlyMap<string, Entry<AccessDocument>>
  readonly limits: ReadonlyMap<string, Entry<LimitDocument>>
  readonly descriptors: Descriptors
}

/** Headers that neither a claim nor a token may stand in, beside `authorization` for tokens: they frame the request, route it, or are credentials. */
const ownHeaders = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'grpc-timeout',
])

/** Checks and links the routes. Quarantine is set later. */
export function linkRoutes(linking: Linking, entries: ReadonlyMap<string, Entry<RouteDocument>>, around: RouteSurroundings): readonly LinkedRoute[] {
  return Array.from(entries.values(), (entry) => linkRoute(linking, entry, around))
}

function linkRoute(linking: Linking, entry: Entry<RouteDocument>, around: RouteSurroundings): LinkedRoute {
  const value = entry.value ?? {}
  const split = value.answer === undefined ? linkSplit(linking, entry, value, around.clusters) : [itself]
  checkDestination(linking, entry)
  checkAnswer(linking, entry, value)
  const { match, hidden } = linkMatch(linking, entry, value, around, split)
  const { access, inline } = linkRouteAccess(linking, entry, value, around)
  const limits = linkRouteLimits(linking, entry, value, around.limits, match)
  const claims = Object.entries(value.handOn?.claims ?? {}).map(([header, claim]) => ({ header, claim }))
  for (const { header } of claims) {
    if (ownHeaders.has(header))
      refuse(linking, entry, ['handOn', 'claims', header], {
        code: 'header_refused',
        message: `The header ${header} cannot carry a claim.`,
        hint: 'Use a header of your own, such as x-user.',
        which: 'key',
      })
  }
  const cors = linkCors(linking, entry)
  const book = bookOf(around.descriptors, match?.grpc?.descriptors)
  checkTranslate(linking, entry, match?.grpc, book)
  warnImpossible(linking, entry, match?.grpc, book)
  checkNoEffect(linking, entry, value)
  const openapi = linkPublished(linking, entry, value)
  const upgrade = linkUpgrade(linking, entry, around.clusters)
  warnNoEffect(linking, entry, value, split)
  if (match !== undefined && value.retry !== undefined) checkRetry(linking, entry, match.grpc, value.retry)
  warnSplit(linking, entry, split)
  if (match === undefined) return { entry, inline, hidden, route: undefined, sight: lookAtRoute(entry.node, entry.dropped.some(isOfMatch)) }
  const route: Route = {
    name: entry.name,
    quarantined: undefined,
    match,
    access,
    limits,
    ...(value.legacyHeaders === undefined || value.legacyHeaders === 'off' ? {} : { legacyHeaders: value.legacyHeaders }),
    timeoutMs: ms(value.timeout ?? ''),
    retry: linkRetry(value.retry),
    hedge: linkHedge(value.hedge),
    sticky: stickyOf(value.sticky),
    split,
    ...linkMirror(linking, entry, value, match, around.clusters),
    ...linkFaults(linking, entry, value.faults),
    ...(value.answer === undefined ? {} : { answer: value.answer }),
    handOn: { token: value.handOn?.token ?? false, claims, ...introduceOf(linking, entry, value.handOn) },
    ...resourceOf(linking, entry, value.resource),
    allow: { encodedSlash: value.allow?.includes('encodedSlash') === true, semicolon: value.allow?.includes('semicolon') === true },
    bodyLimit: value.bodyLimit === undefined ? undefined : bytes(value.bodyLimit),
    translate: value.translate ?? plainTranslation,
    cors,
    ...(upgrade === undefined ? {} : { upgrade }),
    ...(openapi === undefined ? {} : { openapi }),
  }
  return { entry, inline, hidden, route, sight: undefined }
}

function bookOf(descriptors: Descriptors, path: string | undefined): DescriptorBook | undefined {
  const pinned = path === undefined || path === '' ? undefined : descriptors(path)
  return pinned === undefined || 'problem' in pinned ? undefined : pinned.book
}

/** The destination that stands for the gateway itself; no cluster can be called so. */
const itself: WeightedDestination = { cluster: '(gateway)', subset: undefined, weight: 100, pin: undefined }

/** The token that the route hands on; what it is made by, and where it stands, must be clear. */
function introduceOf(linking: Linking, entry: Entry<RouteDocument>, said: RouteDocument['handOn'] | undefined): Pick<HandOn, 'introduce'> {
  if (said === undefined) return {}
  const { minted, exchange, header } = said
  if (minted !== undefined) refer(linking, entry, ['handOn', 'minted'], 'tokens', minted)
  if (exchange !== undefined) refer(linking, entry, ['handOn', 'exchange'], 'exchanges', exchange)
  const given = ['minted', 'exchange', 'token'].filter((key) => isSaid(entry, ['handOn', key]) && (key !== 'token' || said.token))
  if (given.length > 1)
    refuse(linking, entry, ['handOn', given[1] ?? ''], {
      code: 'hand_on_twice',
      message: `The upstream would get two tokens: ${given.join(' and ')} exclude each other.`,
      hint: 'Keep one of minted, exchange and token.',
      which: 'key',
    })
  if (minted === undefined && exchange === undefined) {
    if (isSaid(entry, ['handOn', 'header']))
      refuse(linking, entry, ['handOn', 'header'], {
        code: 'no_effect',
        message: '"header" says where a token stands, and there is none.',
        hint: 'Add minted or exchange, or remove it.',
        which: 'key',
      })
    return {}
  }
  if ((header !== 'authorization' && ownHeaders.has(header)) || Object.hasOwn(said.claims, header))
    refuse(linking, entry, ['handOn', 'header'], {
      code: 'header_refused',
      message: `The header ${header} cannot carry a token.`,
      hint: 'Use authorization, or a header of your own.',
    })
  return { introduce: minted === undefined ? { by: 'exchange', name: exchange ?? '', header } : { by: 'minted', name: minted, header } }
}

function resourceOf(linking: Linking, entry: Entry<RouteDocument>, resource: string | undefined): Pick<Route, 'resource'> {
  if (resource === undefined) return {}
  refer(linking, entry, ['resource'], 'resources', resource)
  return { resource }
}

function isOfMatch(path: string): boolean {
  return path === 'match' || path.startsWith('match.')
}

function linkMatch(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  around: RouteSurroundings,
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

function linkSplit(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  clusters: RouteSurroundings['clusters'],
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
  clusters: RouteSurroundings['clusters'],
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

function linkRouteAccess(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  around: RouteSurroundings,
): { readonly access: readonly string[]; readonly inline: AccessPolicy | undefined } {
  const { access } = value
  if (access === undefined) return { access: [], inline: undefined }
  if (typeof access === 'string' || Array.isArray(access)) {
    const names = typeof access === 'string' ? [access] : access
    for (const [i, name] of names.entries()) refer(linking, entry, typeof access === 'string' ? ['access'] : ['access', i], 'access', name)
    return { access: names, inline: undefined }
  }
  const node = nodeAt(entry.node, ['access'])
  if (around.access.has(entry.name))
    refuse(linking, entry, ['access'], {
      code: 'name_repeated',
      message: `The policy written here takes the name of its route, and "access" has a "${entry.name}" already.`,
      hint: `Write access: ${entry.name} to use that one, or rename one of them.`,
      which: 'key',
    })
  const removed = entry.removed.filter((path) => path.startsWith('access.')).map((path) => path.slice('access.'.length))
  const inner: Entry<AccessDocument> = { ...entry, key: placeIn(entry, ['access'], 'key'), node: node ?? entry.node, value: access, removed }
  return { access: [entry.name], inline: linkAccess(linking, inner, entry.name) }
}

function linkRouteLimits(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  around: RouteSurroundings['limits'],
  match: Route['match'] | undefined,
): Route['limits'] {
  const seen = new Set<string>()
  return (value.limits ?? []).map((said, i) => {
    const [name, path] = typeof said === 'string' ? [said, ['limits', i]] : [said.name, ['limits', i, 'name']]
    refer(linking, entry, path, 'limits', name)
    if (seen.has(name))
      refuse(linking, entry, path, {
        code: 'limit_repeated',
        message: `The limit "${name}" is named twice.`,
        hint: 'Name it once; write { name, cost } to count more.',
      })
    seen.add(name)
    if (typeof said === 'string') {
      checkCost(linking, entry, path, 1, around.get(name))
      return { name, cost: 1 }
    }
    const { cost, methods, rpcs, response } = said
    checkCost(linking, entry, ['limits', i, 'cost'], cost, around.get(name))
    for (const [method, other] of Object.entries(methods ?? {})) checkCost(linking, entry, ['limits', i, 'methods', method], other, around.get(name))
    for (const [rpc, other] of Object.entries(rpcs ?? {})) checkCost(linking, entry, ['limits', i, 'rpcs', rpc], other, around.get(name))
    if (match !== undefined) checkCosted(linking, entry, ['limits', i], said, match)
    checkResponse(linking, entry, ['limits', i, 'response'], said, around.get(name))
    return { ...useOf(name, cost, methods, rpcs), ...(response === undefined ? {} : { response }) }
  })
}

function useOf(name: string, cost: number, methods: RouteLimit['methods'] | undefined, rpcs: RouteLimit['rpcs'] | undefined): RouteLimit {
  return { name, cost, ...(methods === undefined ? {} : { methods }), ...(rpcs === undefined ? {} : { rpcs }) }
}

/** A cost of what the route never takes would be believed. */
function checkCosted(
  linking: Linking,
  entry: Entry<RouteDocument>,
  path: Path,
  { methods = {}, rpcs = {} }: { readonly methods?: object | undefined; readonly rpcs?: object | undefined },
  match: Route['match'],
): void {
  for (const method of Object.keys(methods)) {
    if (match.methods.length === 0 || match.methods.includes(method) || (method === 'HEAD' && match.methods.includes('GET'))) continue
    const message = `The route never takes ${method}.`
    refuse(linking, entry, [...path, 'methods', method], { code: 'cost_no_effect', message, hint: `It takes ${match.methods.join(', ')}.`, which: 'key' })
  }
  const known = match.grpc?.rpcs.map((rpc) => rpc.method) ?? []
  // Of a service that could not be read nobody knows the RPCs, and it is reported itself.
  if (match.grpc !== undefined && known.length === 0) return
  for (const rpc of Object.keys(rpcs)) {
    if (known.includes(rpc)) continue
    const message = match.grpc === undefined ? 'A route without grpc has no RPCs.' : `${match.grpc.service} has no RPC ${rpc} that the route takes.`
    refuse(linking, entry, [...path, 'rpcs', rpc], { code: 'cost_no_effect', message, hint: didYouMean(rpc, known), which: 'key' })
  }
}

function checkCost(linking: Linking, entry: Entry<RouteDocument>, path: Path, cost: number, limit: Entry<LimitDocument> | undefined): void {
  const quota = limit?.value === undefined ? undefined : heldBy(limit.value)
  // What only counts refuses nobody; a limit that holds nothing is reported where it stands.
  if (limit === undefined || quota === undefined || quota === 0 || limit.value?.mode === 'audit' || cost <= quota) return
  refuse(linking, entry, path, {
    code: 'cost_too_large',
    message: `A request costs ${cost}, and the limit "${limit.name}" never holds more than ${quota}: none could ever pass.`,
    hint: `Write a cost of at most ${quota}, or a larger limit.`,
  })
}

/** Why a route for RPCs has no use for what path routes say. */
const ownWays: Readonly<Record<string, string>> = {
  allow: 'a grpc route decodes its variables itself',
  upgrade: 'streaming RPCs take WebSockets without it',
}

/** What a route says and its kind cannot use would be believed. */
function checkNoEffect(linking: Linking, entry: Entry<RouteDocument>, value: Partial<RouteDocument>): void {
  const isGrpc = value.match?.grpc !== undefined
  const idle = isGrpc ? ['allow', 'upgrade'] : value.match?.path === undefined ? [] : ['translate', 'bindings']
  for (const key of idle) {
    if (!isSaid(entry, [key])) continue
    const message = isGrpc ? `"${key}" is for path routes: ${ownWays[key]}.` : `"${key}" is for grpc routes.`
    refuse(linking, entry, [key], { code: 'no_effect', message, hint: 'Remove it.', which: 'key' })
  }
}

/** Options of a route that something else it says keeps from working. */
function warnNoEffect(linking: Linking, entry: Entry<RouteDocument>, value: Partial<RouteDocument>, split: readonly WeightedDestination[]): void {
  if (isSaid(entry, ['legacyHeaders']) && value.legacyHeaders !== 'off' && value.limits?.length === 0)
    warn(linking, entry, ['legacyHeaders'], {
      code: 'no_effect',
      message: '"legacyHeaders" has no effect: the route has no limits.',
      hint: 'Remove it, or name a limit.',
      which: 'key',
    })
  if (value.sticky !== undefined && split.length === 1)
    warn(linking, entry, ['sticky'], {
      code: 'no_effect',
      message: '"sticky" has no effect: the route has one destination.',
      hint: 'Remove it, or list destinations with weights.',
      which: 'key',
    })
}
