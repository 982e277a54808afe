import type { Identified, Matched } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { anonymous, type Principal } from '../model/principal.ts'
import type { Route } from '../model/route.ts'
import type { Issuer, Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { credentialMalformed, credentialMissing, tokenInvalid } from './identify/answers.ts'
import { readBearer } from './identify/bearer.ts'
import { principalFrom } from './identify/claims.ts'
import { fetchKeys } from './identify/fetch-keys.ts'
import type { PublicJwk } from './identify/jwk.ts'
import { KeySets } from './identify/key-sets.ts'
import { type Demand, demandOf } from './identify/requirement.ts'
import { isJsonObject, parseStrictJson } from './identify/strict-json.ts'
import { type Verifier, verifyToken } from './identify/verify.ts'

export interface Identify {
  (x: Matched): Identified | Promise<Identified>
  /** Gives back its share in key sets; requests under way go on. */
  close(): void
}

type IdentifyPorts = Pick<Ports, 'clock' | 'random' | 'digest' | 'fetch' | 'store' | 'lasting' | 'meter'>

/** What a route asks, with the issuers that can answer; `broken` where an object it needs is quarantined or missing. */
interface RouteDemand extends Demand {
  readonly verifiers: readonly Verifier[]
  readonly broken: string | undefined
}

/**
 * Builds the room that says who is asking: the requirement of the route's access policies, met by a verified bearer token or, where they
 * allow it, by none. A bad credential is never downgraded to anonymous. Throws `unauthenticated`, `credential_invalid`,
 * `token_invalid`, `idp_unavailable`, `config_quarantined`.
 */
export function buildIdentify(policy: Policy, ports: IdentifyPorts): Identify {
  const sets = keySetsOf(ports)
  const issuers = Object.values(policy.issuers).filter((issuer) => issuer.quarantined === undefined)
  const verifiers = new Map(issuers.map((issuer) => [issuer.name, { issuer, share: sets.acquire(issuer) }]))
  const demands = byRoute((route) => routeDemand(policy, route, verifiers))
  const identify = (x: Matched): Identified | Promise<Identified> => {
    const demand = demands(x.route)
    const token = tokenFor(demand, x)
    if (token === undefined) return Object.assign(x, { principal: anonymous })
    const principal = verifyToken(token, demand.verifiers, ports)
    return principal instanceof Promise ? principal.then((value) => Object.assign(x, { principal: value })) : Object.assign(x, { principal })
  }
  const close = () => {
    for (const { share } of verifiers.values()) share.release()
  }
  return Object.assign(identify, { close })
}

/** The key sets of this process: their status for readiness, and `warm` to fetch them before the first request. */
export function keySetsOf(ports: IdentifyPorts): KeySets {
  return ports.lasting('identify.keySets', () => new KeySets(ports))
}

/** An issuer's keys, fetched now and kept nowhere: for `check --probe`. @throws Error with what went wrong. */
export async function fetchIssuerKeys(
  issuer: Issuer,
  fetch: Ports['fetch'],
  budget: () => number,
): Promise<{ readonly uri: string; readonly keys: readonly PublicJwk[] }> {
  const fetched = await fetchKeys(issuer, { uri: undefined, answer: undefined }, fetch, budget)
  if (fetched.kind !== 'keys') throw new Error(`${fetched.uri} confirmed what nobody asked about`)
  return fetched
}

/** A token's claims as a policy test or `explain` gives them, with the policies' name of its issuer. */
export interface AssumedToken {
  readonly issuer: string
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * The same room for `test` and `explain`: the requirement tree as in production, but a token is taken at its word, as if it had been
 * verified; the Authorization header is not read. Throws like the real room.
 */
export function buildIdentifyAssuming(policy: Policy): (x: Matched, token: AssumedToken | undefined) => Identified {
  const demands = byRoute((route) => demandOf(accessOf(policy, route)))
  return (x, token) => {
    const demand = demands(x.route)
    if (token === undefined && demand.reads && !demand.optional) throw credentialMissing()
    if (token === undefined || !demand.reads) return Object.assign(x, { principal: anonymous })
    const issuer = policy.issuers[token.issuer]
    if (issuer === undefined || !demand.issuers.includes(issuer.name)) throw tokenInvalid('an issuer that is not accepted here')
    return Object.assign(x, { principal: assumed(issuer, token.claims) })
  }
}

function assumed(issuer: Issuer, claims: Readonly<Record<string, unknown>>): Principal {
  const json = parseStrictJson(JSON.stringify(claims), 8)
  if (!isJsonObject(json)) throw tokenInvalid('the claims are not an object')
  return principalFrom(issuer, json)
}

/** The token to verify; undefined for a request that may be, and is, anonymous. */
function tokenFor(demand: RouteDemand, x: Matched): string | undefined {
  if (demand.broken !== undefined) throw new Fault('config_quarantined', 'this route is quarantined', { internal: demand.broken })
  if (!demand.reads) return undefined
  const offered = readBearer(x.request.headers)
  if (offered.kind === 'token') return offered.token
  if (offered.kind === 'malformed') throw credentialMalformed(offered.why)
  if (offered.kind === 'foreign') throw credentialMissing('an authorization scheme other than Bearer')
  if (!demand.optional) throw credentialMissing()
  return undefined
}

function routeDemand(policy: Policy, route: Route, all: ReadonlyMap<string, Verifier>): RouteDemand {
  const missing = route.access.find((name) => policy.access[name] === undefined || policy.access[name].quarantined !== undefined)
  const demand = demandOf(accessOf(policy, route))
  const verifiers = demand.issuers.flatMap((name) => all.get(name) ?? [])
  const unusable = demand.reads && demand.issuers.length > 0 && verifiers.length === 0
  const broken = missing === undefined ? (unusable ? `no usable issuer among ${demand.issuers.join(', ')}` : undefined) : `access policy ${missing}`
  return { ...demand, verifiers, broken }
}

function accessOf(policy: Policy, route: Route) {
  return route.access.flatMap((name) => policy.access[name] ?? [])
}

/** Computed at the first request of a route: thousands of routes make no build slow. */
function byRoute<T>(compute: (route: Route) => T): (route: Route) => T {
  const known = new Map<Route, T>()
  return (route) => {
    const before = known.get(route)
    if (before !== undefined) return before
    const value = compute(route)
    known.set(route, value)
    return value
  }
}
