import type { Identified, Matched } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { anonymous, type Subject } from '../model/principal.ts'
import type { Route } from '../model/route.ts'
import type { Issuer, Policy, Requirement, RequirementLeaf } from '../policy/policy.ts'
import { leavesOf } from '../policy/requirement.ts'
import { credentialMissing, realm, tokenInvalid } from './identify/answers.ts'
import { buildBearerTokens } from './identify/bearer-tokens.ts'
import { principalFrom } from './identify/claims.ts'
import type { Check, Credential } from './identify/credential.ts'
import type { IdentifyPorts } from './identify/ports.ts'
import { meet, type Proved, subjectOf } from './identify/requirement.ts'
import { isJsonObject, parseStrictJson } from './identify/strict-json.ts'

export { keySetsOf } from './identify/ports.ts'

export interface Identify {
  (x: Matched): Identified | Promise<Identified>
  /** Gives back its share in key sets; requests under way go on. */
  close(): void
}

/** What a route asks of a request; `broken` where an object it needs is quarantined or missing. */
interface Demand {
  readonly broken: string | undefined
  /** Those of the route's access policies; all must be met. Without any, nothing is read and everybody is anonymous. */
  readonly requirements: readonly Requirement[]
  readonly checks: readonly Check[]
}

/**
 * Builds the room that says who is asking: the requirements of the route's access policies, met by verified credentials or, where they
 * allow it, by none. Every credential that is offered, of a kind that the route reads, must be good: a bad one is never downgraded to
 * anonymous, nor outweighed by another. Throws `unauthenticated`, `credential_invalid`, `token_invalid`, `idp_unavailable`,
 * `config_quarantined`.
 */
export function buildIdentify(policy: Policy, ports: IdentifyPorts): Identify {
  const credentials: readonly Credential[] = [buildBearerTokens(policy, ports)]
  const demands = byRoute((route) => demandOf(policy, route, credentials))
  const identify = (x: Matched): Identified | Promise<Identified> => {
    const demand = demands(x.route)
    if (demand.broken !== undefined) throw new Fault('config_quarantined', 'this route is quarantined', { internal: demand.broken })
    const proofs = gather(demand.checks, x)
    return proofs instanceof Promise ? proofs.then((all) => identified(x, demand, all)) : identified(x, demand, proofs)
  }
  const close = () => {
    for (const credential of credentials) credential.close()
  }
  return Object.assign(identify, { close })
}

function identified(x: Matched, { requirements, checks }: Demand, proofs: readonly Proved[]): Identified {
  const requirement = requirements[0]
  const proved = proofs[0]
  // One credential asked for and that one brought: by far the most requests, and nothing to weigh.
  if (requirements.length === 1 && proofs.length === 1 && proved !== undefined && asksFor(requirement, proved))
    return Object.assign(x, { principal: proved.subject })
  const met = requirements.map((requirement) => meet(requirement, proofs))
  if (met.includes(undefined)) {
    // Nothing more could be brought: what was proved is not what all policies of the route accept.
    if (proofs.length > 0 && proofs.length === checks.length) throw tokenInvalid('an issuer that is not accepted here')
    throw credentialMissing(checks.flatMap(({ challenges }) => challenges))
  }
  return Object.assign(x, { principal: subjectOf(met.flatMap((each) => each ?? [])) ?? anonymous })
}

function asksFor(requirement: Requirement | undefined, { leaf }: Proved): boolean {
  return requirement !== undefined && 'name' in requirement && requirement.kind === leaf.kind && requirement.name === leaf.name
}

/** What the request proves. Without waiting where no check has to. */
function gather(checks: readonly Check[], x: Matched): readonly Proved[] | Promise<readonly Proved[]> {
  const proofs: Proved[] = []
  for (let at = 0; at < checks.length; at++) {
    const proved = checks[at]?.prove(x)
    if (proved instanceof Promise) return gatherRest(proofs, proved, checks.slice(at + 1), x)
    if (proved !== undefined) proofs.push(proved)
  }
  return proofs
}

async function gatherRest(proofs: Proved[], pending: Promise<Proved | undefined>, rest: readonly Check[], x: Matched): Promise<readonly Proved[]> {
  const found = [await pending]
  for (const check of rest) found.push(await check.prove(x))
  return [...proofs, ...found.filter((proved) => proved !== undefined)]
}

function demandOf(policy: Policy, route: Route, credentials: readonly Credential[]): Demand {
  const missing = route.access.find((name) => policy.access[name] === undefined || policy.access[name].quarantined !== undefined)
  const requirements = requirementsOf(policy, route)
  const leaves = requirements.flatMap(leavesOf)
  const checks = credentials.flatMap((credential) => {
    const own = leaves.filter(({ kind }) => credential.kinds.includes(kind))
    return own.length === 0 ? [] : [credential.prepare(own)]
  })
  const broken = missing === undefined ? checks.find((check) => check.broken !== undefined)?.broken : `access policy ${missing}`
  return { broken, requirements, checks }
}

function requirementsOf(policy: Policy, route: Route): readonly Requirement[] {
  return route.access.flatMap((name) => policy.access[name]?.authenticate ?? []).filter(({ kind }) => kind !== 'none')
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
  const demands = byRoute((route): Demand => ({ broken: undefined, requirements: requirementsOf(policy, route), checks: [] }))
  return (x, token) => {
    const demand = demands(x.route)
    if (demand.requirements.length === 0) return Object.assign(x, { principal: anonymous })
    const leaves = demand.requirements.flatMap(leavesOf)
    return identified(x, { ...demand, checks: [{ broken: undefined, challenges: [realm], prove: () => undefined }] }, assumed(policy, leaves, token))
  }
}

function assumed(policy: Policy, leaves: readonly RequirementLeaf[], token: AssumedToken | undefined): readonly Proved[] {
  if (token === undefined) return []
  const leaf = leaves.find(({ name }) => name === token.issuer)
  const issuer = policy.issuers[token.issuer]
  if (leaf === undefined || issuer === undefined) throw tokenInvalid('an issuer that is not accepted here')
  return [{ leaf, subject: assumedSubject(issuer, token.claims) }]
}

function assumedSubject(issuer: Issuer, claims: Readonly<Record<string, unknown>>): Subject {
  const json = parseStrictJson(JSON.stringify(claims), 8)
  if (!isJsonObject(json)) throw tokenInvalid('the claims are not an object')
  return principalFrom(issuer, json)
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
