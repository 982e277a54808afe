import type { Route } from '../../model/route.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, type Linking, nameOfPlace, placeIn, refuse, warn } from './linking.ts'
import { compatible, implies, shapeOf, type Way, waysInto, withHead } from './takes.ts'

/** A route that could be matched, with where it stands. */
export interface Matched {
  readonly entry: Entry<RouteDocument>
  readonly route: Route
}

interface Claim extends Matched {
  readonly way: Way
}

const methodsThereAre = ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']

/**
 * Two routes that take the same requests with equal specificity are an error, and a route that another one takes everything
 * from is a warning. Routes of different hosts or shapes never tie: a literal goes before a variable, a longer path before a shorter.
 */
export function checkTies(linking: Linking, routes: readonly Matched[]): void {
  for (const bucket of bucketsOf(routes).values()) {
    for (const group of apart(bucket)) checkGroup(linking, group)
  }
}

/** By host pattern and path shape: all that decides before method and predicates. */
function bucketsOf(routes: readonly Matched[]): ReadonlyMap<string, readonly Claim[]> {
  const buckets = new Map<string, Claim[]>()
  for (const { entry, route } of routes) {
    const hosts = route.match.hosts.length === 0 ? [''] : Array.from(new Set(route.match.hosts))
    for (const way of waysInto(route)) {
      const shape = shapeOf(way.template)
      for (const host of hosts) {
        const key = `${host} ${shape}`
        const bucket = buckets.get(key)
        if (bucket === undefined) buckets.set(key, [{ entry, route, way }])
        else bucket.push({ entry, route, way })
      }
    }
  }
  return buckets
}

/** Routes that all ask one header or parameter for exact values are compared only where the value is the same. */
function apart(bucket: readonly Claim[]): readonly (readonly Claim[])[] {
  const [first] = bucket
  if (first === undefined || bucket.length < 8) return [bucket]
  for (const kind of ['headers', 'query'] as const) {
    for (const { name, exact } of first.route.match[kind]) {
      const values = bucket.map(({ route }) => route.match[kind].find((test) => test.name === name)?.exact)
      if (exact !== undefined && values.every((value) => value !== undefined)) return Array.from(Map.groupBy(bucket, (_, i) => values[i]).values())
    }
  }
  return [bucket]
}

function checkGroup(linking: Linking, group: readonly Claim[]): void {
  for (const [i, later] of group.entries()) {
    for (let j = 0; j < i; j++) {
      const earlier = group[j]
      if (earlier === undefined || earlier.route === later.route) continue
      if (!meet(earlier, later)) continue
      if (sameRank(earlier, later)) tie(linking, earlier, later)
      else if (covers(earlier, later)) shadow(linking, later, earlier)
      else if (covers(later, earlier)) shadow(linking, earlier, later)
      else continue
      break
    }
  }
}

function meet(a: Claim, b: Claim): boolean {
  const [one, other] = [a.way.methods, b.way.methods]
  if (one !== undefined && other !== undefined && one.isDisjointFrom(other)) return false
  return compatible(a.route.match.headers, b.route.match.headers) && compatible(a.route.match.query, b.route.match.query)
}

/** Method given, then header predicates, then query predicates: the more the earlier. */
function rankOf({ way, route }: Claim): readonly number[] {
  return [way.methods === undefined ? 0 : 1, route.match.headers.length, route.match.query.length]
}

function sameRank(a: Claim, b: Claim): boolean {
  const other = rankOf(b)
  return rankOf(a).every((value, i) => value === other[i])
}

function isBefore(a: Claim, b: Claim): boolean {
  const [mine, other] = [rankOf(a), rankOf(b)]
  const i = mine.findIndex((value, at) => value !== other[at])
  return i >= 0 && (mine[i] ?? 0) > (other[i] ?? 0)
}

/** Whether `winner` takes every request that fits `loser` here. */
function covers(winner: Claim, loser: Claim): boolean {
  if (!isBefore(winner, loser)) return false
  const methods = winner.way.methods === undefined ? undefined : withHead(winner.way.methods)
  const all = methods === undefined || Array.from(loser.way.methods ?? methodsThereAre).every((method) => methods.has(method))
  return all && implies(loser.route.match.headers, winner.route.match.headers) && implies(loser.route.match.query, winner.route.match.query)
}

function placeOfMatch({ entry }: Claim): readonly string[] {
  return ['match', entry.value?.match?.path === undefined ? 'grpc' : 'path']
}

function what({ way }: Claim): string {
  return way.rpc === undefined ? way.template.source : `${way.template.source} (${way.rpc})`
}

function tie(linking: Linking, a: Claim, b: Claim): void {
  const at = nameOfPlace(placeIn(a.entry, placeOfMatch(a)))
  refuse(linking, b.entry, placeOfMatch(b), {
    code: 'routes_tie',
    message: `The routes "${a.entry.name}" (${at}) and "${b.entry.name}" take the same requests: ${what(b)}.`,
    hint: 'Make one more specific (host, path, methods, headers, query), or remove it.',
  })
  // Neither can be believed to be the one that was meant.
  linking.report.markBroken(a.entry.id, placeIn(a.entry, placeOfMatch(a)), `it takes the same requests as "${b.entry.name}"`)
}

function shadow(linking: Linking, loser: Claim, winner: Claim): void {
  warn(linking, loser.entry, placeOfMatch(loser), {
    code: 'route_shadowed',
    message: `Nothing reaches ${what(loser)} on "${loser.entry.name}": "${winner.entry.name}" (${nameOfPlace(placeIn(winner.entry, placeOfMatch(winner)))}) is more specific and takes all of it.`,
    hint: 'Remove it, or make it differ.',
  })
}
