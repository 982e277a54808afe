import type { Identified, Matched } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { inTime } from '../model/in-time.ts'
import { anonymous, type ProofKind, type Subject } from '../model/principal.ts'
import type { Route } from '../model/route.ts'
import type { Requirement, RequirementLeaf } from '../policy/linked/access.ts'
import type { Issuer } from '../policy/linked/issuers.ts'
import type { Policy } from '../policy/policy.ts'
import { leavesOf } from '../policy/requirement.ts'
import type { Ports } from '../ports.ts'
import { certificateInvalid, credentialMissing, realm, tokenInvalid, tokenInvalidFor } from './identify/answers.ts'
import { apiKeyChallenge, apiKeyInvalid, buildApiKeys, subjectOf as subjectOfKey } from './identify/api-keys.ts'
import { buildBearerTokens } from './identify/bearer-tokens.ts'
import { buildClientCertificates, buildMapCertificate } from './identify/certificates.ts'
import { principalFrom, principalFromAnswer } from './identify/claims.ts'
import type { Check, Credential } from './identify/credential.ts'
import { fetchKeys } from './identify/fetch-keys.ts'
import type { PublicJwk } from './identify/jwk.ts'
import type { IdentifyPorts } from './identify/ports.ts'
import { meet, type Proved, subjectOf } from './identify/requirement.ts'
import { buildNotRevoked } from './identify/revocations.ts'
import { isJsonObject, parseStrictJson } from './identify/strict-json.ts'

export { readStoredKey, readStoredKeys, sharedKeyOf } from './identify/api-keys/store.ts'
export { buildCallerTokens } from './identify/caller-tokens.ts'
export { introspectionsOf } from './identify/introspection/introspections.ts'
export { keySetsOf } from './identify/ports.ts'
export { addRevocations, listRevocations, revocationLimit, revocationsOf } from './identify/revocations.ts'

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
 * `config_quarantined`, `deadline_exceeded`, and what its kinds of credentials throw.
 */
export function buildIdentify(policy: Policy, ports: IdentifyPorts): Identify {
  const credentials: readonly Credential[] = [buildBearerTokens(policy, ports), buildApiKeys(policy, ports), buildClientCertificates(policy, ports)]
  const notRevoked = buildNotRevoked(policy, ports)
  const demands = byRoute((route) => demandOf(policy, route, credentials))
  const identify = (x: Matched): Identified | Promise<Identified> => {
    const demand = demands(x.route)
    if (demand.broken !== undefined) throw new Fault('config_quarantined', 'this route is quarantined', { internal: demand.broken })
    try {
      const gathered = gather(demand.checks, x)
      // After everything that is remembered of tokens, and on every request.
      const proofs = gathered instanceof Promise ? gathered.then(notRevoked) : notRevoked(gathered)
      if (!(proofs instanceof Promise)) return identified(x, demand, proofs)
      const inItsTime = inTime(x, proofs, ports.clock)
      return inItsTime.then((all) => identified(x, demand, all)).catch((error: unknown) => refuse(error, demand))
    } catch (error) {
      return refuse(error, demand)
    }
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
    if (proofs.length > 0 && proofs.length === checks.length) throw unfit(proofs)
    throw credentialMissing(checks.flatMap(({ challenges }) => challenges))
  }
  return Object.assign(x, { principal: subjectOf(met.flatMap((each) => each ?? [])) ?? anonymous })
}

function asksFor(requirement: Requirement | undefined, { leaf }: Proved): boolean {
  return requirement !== undefined && 'name' in requirement && requirement.kind === leaf.kind && requirement.name === leaf.name
}

/** Why these good credentials will not do, in the words of the kind that a caller can best bring another of. */
function unfit(proofs: readonly Proved[]): Fault {
  const kinds = new Set(proofs.map(({ leaf }) => leaf.kind))
  if (kinds.has('jwt') || kinds.has('introspection')) return tokenInvalid('an issuer that is not accepted here')
  return kinds.has('apiKey') ? apiKeyInvalid('a set of API keys that is not accepted here') : certificateInvalid('a mapping that is not accepted here')
}

/** A bad token is refused in the scheme that the route would take a good one by (RFC 9449 section 7.1). */
function refuse(error: unknown, { checks }: Demand): never {
  if (!(error instanceof Fault) || error.code !== 'token_invalid') throw error
  const challenges = checks.flatMap((check) => check.challenges)
  throw tokenInvalidFor(challenges, error)
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

/**
 * A token's claims (or an issuer's answer about one) as a policy test or `explain` gives them, with the policies' name of its issuer; or what an
 * API key would say.
 */
export type AssumedToken =
  | { readonly issuer: string; readonly claims: Readonly<Record<string, unknown>> }
  | {
      /** Name of the set. */
      readonly apiKey: string
      readonly owner: string
      readonly clientId?: string | undefined
      readonly scopes?: readonly string[] | undefined
      readonly claims?: Readonly<Record<string, unknown>> | undefined
    }

/** What asks for a credential that was not offered; of bearer tokens, one for both kinds. */
const challenges = { jwt: realm, introspection: realm, apiKey: apiKeyChallenge, mtls: undefined } as const satisfies Record<ProofKind, string | undefined>

/**
 * The same room for `test` and `explain`: the requirement tree as in production, but a token is taken at its word, as if it had been
 * verified; the Authorization header is not read. The client certificate of the connection is mapped as it is. Throws like the real room.
 */
export function buildIdentifyAssuming(policy: Policy, clock: Pick<IdentifyPorts['clock'], 'now'>): (x: Matched, token: AssumedToken | undefined) => Identified {
  const demands = byRoute((route): Demand => ({ broken: undefined, requirements: requirementsOf(policy, route), checks: [] }))
  return (x, token) => {
    const demand = demands(x.route)
    if (demand.requirements.length === 0) return Object.assign(x, { principal: anonymous })
    const leaves = demand.requirements.flatMap(leavesOf)
    const certificates = leaves.filter(({ kind }) => kind === 'mtls')
    const { certificate } = x.client
    const shown = certificate === undefined || certificates.length === 0 ? [] : [buildMapCertificate(certificates, policy, clock)(certificate, undefined)]
    // One check for each way of offering, so that what is missing is told from what does not fit.
    const ways = new Set(leaves.map(({ kind }) => challenges[kind]))
    const checks = Array.from(
      ways,
      (challenge): Check => ({ broken: undefined, challenges: challenge === undefined ? [] : [challenge], prove: () => undefined }),
    )
    return identified(x, { ...demand, checks }, [...assumed(policy, leaves, token), ...shown])
  }
}

function assumed(policy: Policy, leaves: readonly RequirementLeaf[], token: AssumedToken | undefined): readonly Proved[] {
  if (token === undefined) return []
  if ('apiKey' in token) return [assumedKey(policy, leaves, token)]
  const leaf = leaves.find(({ kind, name }) => (kind === 'jwt' || kind === 'introspection') && name === token.issuer)
  const issuer = policy.issuers[token.issuer]
  if (leaf === undefined || issuer === undefined) throw tokenInvalid('an issuer that is not accepted here')
  return [{ leaf, subject: assumedSubject(issuer, leaf, token.claims) }]
}

function assumedKey(policy: Policy, leaves: readonly RequirementLeaf[], said: Extract<AssumedToken, { readonly apiKey: string }>): Proved {
  const leaf = leaves.find(({ kind, name }) => kind === 'apiKey' && name === said.apiKey)
  const set = policy.apiKeys[said.apiKey]
  if (leaf === undefined || set === undefined) throw apiKeyInvalid('a set of API keys that is not accepted here')
  const claims = parseStrictJson(JSON.stringify(said.claims ?? {}), 8)
  if (!isJsonObject(claims)) throw apiKeyInvalid('the claims are not an object')
  return { leaf, subject: subjectOfKey(set, { id: undefined, owner: said.owner, clientId: said.clientId, scopes: said.scopes ?? [], claims }) }
}

function assumedSubject(issuer: Issuer, { kind }: RequirementLeaf, claims: Readonly<Record<string, unknown>>): Subject {
  const json = parseStrictJson(JSON.stringify(claims), 8)
  if (!isJsonObject(json)) throw tokenInvalid('the claims are not an object')
  return kind === 'introspection' ? principalFromAnswer(issuer, json) : principalFrom(issuer, json)
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
