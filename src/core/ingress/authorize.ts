import { challenge, tokenChallenges } from '../model/challenge.ts'
import type { Identified, Permitted } from '../model/exchange.ts'
import { Fault, type FaultDetail } from '../model/fault.ts'
import type { Permit, PermitFacts } from '../model/permit.ts'
import type { Route } from '../model/route.ts'
import type { Issuer, Policy } from '../policy/policy.ts'
import { leavesOf } from '../policy/requirement.ts'
import type { Ports } from '../ports.ts'
import { buildDecide, type Refusal } from './authorize/decide.ts'

export { buildDecide, type Decision } from './authorize/decide.ts'

export type Authorize = (x: Identified) => Permitted | Promise<Permitted>

/**
 * Builds the room that says whether a request may pass. What it lets pass carries a `Permit`; the rest is thrown: `forbidden`,
 * `policy_error`, `unauthenticated`, `scope_insufficient`, `config_quarantined`.
 */
export function buildAuthorize(policy: Policy, ports: Pick<Ports, 'clock'>): Authorize {
  const decide = buildDecide(policy, ports)
  return (x) => {
    const decision = decide(x)
    if (decision.outcome === 'refusal') throw faultFrom(decision, x, policy)
    return Object.assign(x, { permit: mint({ policy: decision.policy, rule: decision.rule, audited: decision.audited }) })
  }
}

/** The only place of the ingress wing where a permit comes to be. */
function mint(facts: PermitFacts): Permit {
  // The brand exists in types alone; this cast is what nobody else may write.
  return Object.freeze(facts) as Permit
}

const messages = {
  forbidden: 'access is denied by policy',
  policy_error: 'whether access is allowed could not be decided',
  unauthenticated: 'a bearer token is required',
  scope_insufficient: 'the token lacks a scope',
  config_quarantined: 'this route is quarantined',
} as const satisfies Record<Refusal['code'], string>

function faultFrom(refusal: Refusal, x: Identified, policies: Policy): Fault {
  const { code, policy, rule, reason, nearest } = refusal
  const challenges = challengesOf(refusal, x, policies)
  const detail: FaultDetail = {
    rule: policy === undefined || rule === undefined ? undefined : `${policy}/${rule}`,
    reason,
    nearest: nearest === undefined ? undefined : { rule: `${nearest.policy}/${nearest.rule}`, matcher: nearest.failed.what, expected: nearest.failed.expected },
    internal: internalOf(refusal),
    ...(challenges.length === 0 ? {} : { headers: challenges.map((value) => ['www-authenticate', value] as const) }),
  }
  return new Fault(code, messages[code], detail)
}

/** RFC 6750 section 3.1; in the scheme that the token came by, or in all that the route takes where there was none. */
function challengesOf({ code, scopes }: Refusal, { request, route }: Identified, policies: Policy): readonly string[] {
  if (code === 'unauthenticated') return tokenChallenges(issuersOf(route, policies).map(({ proof }) => proof.required))
  if (code !== 'scope_insufficient') return []
  const scheme = /^dpop /i.test(request.headers.get('authorization') ?? '') ? 'DPoP' : 'Bearer'
  return [challenge(scheme, { error: 'insufficient_scope', scope: scopes.join(' ') })]
}

function issuersOf({ access }: Route, { access: policies, issuers }: Policy): readonly Issuer[] {
  const requirements = access.flatMap((name) => policies[name]?.authenticate ?? [])
  const names = new Set(requirements.flatMap(leavesOf).flatMap(({ kind, name }) => (kind === 'jwt' ? [name] : [])))
  return [...names].flatMap((name) => issuers[name] ?? [])
}

/** For the record: what was nearest and what audit rules said, without values of claims. */
function internalOf({ problem, nearest, audited, policy, rule, code }: Refusal): string {
  const denied = code === 'forbidden' && rule !== undefined ? `denied by ${policy}/${rule}` : 'no allow rule'
  const near = nearest === undefined ? denied : `nearest ${nearest.policy}/${nearest.rule}: ${nearest.failed.what} must be ${nearest.failed.expected}`
  return [problem ?? near, audited.length === 0 ? '' : `audited: ${audited.join(', ')}`].filter((text) => text !== '').join('; ')
}
