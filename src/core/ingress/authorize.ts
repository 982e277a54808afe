import type { Identified, Matched, Permitted } from '../model/exchange.ts'
import { Fault, type FaultDetail } from '../model/fault.ts'
import type { Permit, PermitFacts } from '../model/permit.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { buildDecide, type Refusal } from './authorize/decide.ts'

export { buildDecide, type Decision } from './authorize/decide.ts'

export interface Authorize {
  (x: Identified): Permitted | Promise<Permitted>
  /** The deny rules that need no principal, to be asked before `identify`. Hands on the request that none of them refuses; throws like the room. */
  screen(x: Matched): Matched
}

/**
 * Builds the room that says whether a request may pass. What it lets pass carries a `Permit`; the rest is thrown: `forbidden`,
 * `policy_error`, `unauthenticated`, `scope_insufficient`, `config_quarantined`.
 */
export function buildAuthorize(policy: Policy, ports: Pick<Ports, 'clock'>): Authorize {
  const decide = buildDecide(policy, ports)
  const authorize = (x: Identified): Permitted => {
    const decision = decide(x)
    if (decision.outcome === 'refusal') throw faultFrom(decision)
    return Object.assign(x, { permit: mint({ policy: decision.policy, rule: decision.rule, audited: decision.audited }) })
  }
  const screen = (x: Matched): Matched => {
    const refused = decide.screen(x)
    if (refused !== undefined) throw faultFrom(refused)
    return x
  }
  return Object.assign(authorize, { screen })
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

function faultFrom(refusal: Refusal): Fault {
  const { code, policy, rule, reason, phase, nearest, audited } = refusal
  const challenge = challengeOf(refusal)
  const detail: FaultDetail = {
    rule: policy === undefined || rule === undefined ? undefined : `${policy}/${rule}`,
    reason,
    internal: internalOf(refusal),
    decision: { phase, nearest: nearest && { rule: `${nearest.policy}/${nearest.rule}`, matcher: nearest.failed.what }, audited },
    ...(challenge === undefined ? {} : { headers: [['www-authenticate', challenge]] }),
  }
  return new Fault(code, messages[code], detail)
}

/** RFC 6750 section 3.1. Scope tokens hold no quote and no backslash (RFC 6749 section 3.3). */
function challengeOf({ code, scopes }: Refusal): string | undefined {
  if (code === 'unauthenticated') return 'Bearer realm="sallyport"'
  return code === 'scope_insufficient' ? `Bearer realm="sallyport", error="insufficient_scope", scope="${scopes.join(' ')}"` : undefined
}

/** For the record: what was nearest and what audit rules said, without values of claims. */
function internalOf({ problem, nearest, audited, policy, rule, code }: Refusal): string {
  const denied = code === 'forbidden' && rule !== undefined ? `denied by ${policy}/${rule}` : 'no allow rule'
  const near = nearest === undefined ? denied : `nearest ${nearest.policy}/${nearest.rule}: ${nearest.failed.what} must be ${nearest.failed.expected}`
  return [problem ?? near, audited.length === 0 ? '' : `audited: ${audited.join(', ')}`].filter((text) => text !== '').join('; ')
}
