import type { WeightedDestination } from '../../model/destination.ts'
import type { Route } from '../../model/route.ts'
import type { DescriptorBook } from '../../protobuf.ts'
import type { AccessDocument } from '../document/access.ts'
import type { LimitDocument } from '../document/limits.ts'
import type { RouteDocument } from '../document/routes.ts'
import type { AccessPolicy } from '../linked/access.ts'
import { checkAnswer, checkDestination, linkPublished } from './answered.ts'
import { linkCors } from './cors.ts'
import type { Descriptors } from './descriptors.ts'
import { claimHeadersOf, introduceOf } from './hand-on.ts'
import { warnImpossible } from './impossible.ts'
import { type Entry, isSaid, type Linking, refer, refuse, warn } from './linking.ts'
import { linkHedge } from './protect.ts'
import { checkRetry, linkRetry } from './retry.ts'
import { linkRouteAccess } from './route-access.ts'
import { linkRouteLimits } from './route-limits.ts'
import { linkMatch, type MatchSurroundings } from './route-match.ts'
import { lookAtRoute, type Sight } from './sight.ts'
import { linkSplit } from './split.ts'
import { linkFaults, linkMirror, warnSplit } from './steering.ts'
import { checkTranslate, plainTranslation } from './translate.ts'
import { linkUpgrade } from './upgrade.ts'
import { bytes, ms, stickyOf } from './values.ts'

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

export interface RouteSurroundings extends MatchSurroundings {
  readonly access: ReadonlyMap<string, Entry<AccessDocument>>
  readonly limits: ReadonlyMap<string, Entry<LimitDocument>>
}

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
  const { access, inline } = linkRouteAccess(linking, entry, value, around.access)
  const limits = linkRouteLimits(linking, entry, value, around.limits, match)
  const claims = claimHeadersOf(linking, entry, value.handOn)
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

function resourceOf(linking: Linking, entry: Entry<RouteDocument>, resource: string | undefined): Pick<Route, 'resource'> {
  if (resource === undefined) return {}
  refer(linking, entry, ['resource'], 'resources', resource)
  return { resource }
}

function isOfMatch(path: string): boolean {
  return path === 'match' || path.startsWith('match.')
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
