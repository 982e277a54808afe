import type { Identified, Permitted } from '../model/exchange.ts'
import { Fault, type FaultDetail } from '../model/fault.ts'
import type { Permit, PermitFacts } from '../model/permit.ts'
import type { ProofKind } from '../model/principal.ts'
import type { Policy, Requirement } from '../policy/policy.ts'
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
    if (decision.outcome === 'refusal') throw faultFrom(decision, schemesOf(policy, x))
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

function faultFrom(refusal: Refusal, schemes: readonly Scheme[]): Fault {
  const { code, policy, rule, reason } = refusal
  const challenges = schemes.flatMap((scheme) => challengeOf(scheme, refusal) ?? [])
  const detail: FaultDetail = {
    rule: policy === undefined || rule === undefined ? undefined : `${policy}/${rule}`,
    reason,
    internal: internalOf(refusal),
    ...(challenges.length === 0 ? {} : { headers: challenges.map((challenge) => ['www-authenticate', challenge] as const) }),
  }
  const keysOnly = code === 'unauthenticated' && !schemes.includes('Bearer')
  return new Fault(code, keysOnly ? 'an API key is required' : messages[code], detail)
}

type Scheme = 'Bearer' | 'ApiKey'

/** How the caller proved who it is; where it did not, how it could have. Asked of refusals alone. */
function schemesOf(policy: Policy, { principal, route }: Identified): readonly Scheme[] {
  if (principal.kind === 'subject') return [principal.by === 'apiKey' ? 'ApiKey' : 'Bearer']
  const kinds = route.access.flatMap((name) => kindsIn(policy.access[name]?.authenticate))
  const schemes = new Set(kinds.map((kind): Scheme => (kind === 'apiKey' ? 'ApiKey' : 'Bearer')))
  return schemes.size === 0 ? ['Bearer'] : [...schemes]
}

function kindsIn(requirement: Requirement | undefined): readonly ProofKind[] {
  if (requirement === undefined || requirement.kind === 'none') return []
  if ('name' in requirement) return [requirement.kind]
  return requirement.kind === 'optional' ? kindsIn(requirement.of) : requirement.of.flatMap(kindsIn)
}

/** RFC 6750 section 3.1. Scope tokens hold no quote and no backslash (RFC 6749 section 3.3). */
function challengeOf(scheme: Scheme, { code, scopes }: Refusal): string | undefined {
  if (code === 'unauthenticated') return `${scheme} realm="sallyport"`
  return code === 'scope_insufficient' ? `${scheme} realm="sallyport", error="insufficient_scope", scope="${scopes.join(' ')}"` : undefined
}

/** For the record: what was nearest and what audit rules said, without values of claims. */
function internalOf({ problem, nearest, audited, policy, rule, code }: Refusal): string {
  const denied = code === 'forbidden' && rule !== undefined ? `denied by ${policy}/${rule}` : 'no allow rule'
  const near = nearest === undefined ? denied : `nearest ${nearest.policy}/${nearest.rule}: ${nearest.failed.what} must be ${nearest.failed.expected}`
  return [problem ?? near, audited.length === 0 ? '' : `audited: ${audited.join(', ')}`].filter((text) => text !== '').join('; ')
}
