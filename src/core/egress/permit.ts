import type { Addressed, Allowed } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Permit, PermitFacts } from '../model/permit.ts'
import { isVendPath } from '../model/vend-path.ts'
import type { MetricName } from '../observe/metrics.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { buildAllow } from './permit/allow.ts'

const wouldRefuse = 'sallyport_egress_would_refuse_total' satisfies MetricName

/** @throws Fault `egress_denied`, `path_ambiguous`. */
export type PermitCall = (x: Addressed) => Allowed | Promise<Allowed>

/**
 * Builds the room that decides whether the caller may make this call: it must be in the service's list, and method and path
 * must fit one of its `allow` rules. A service without such rules lets its callers make every call. A rule in audit mode lets pass what no other
 * rule does, which is noted and counted: it would be refused.
 */
export function buildPermit(policy: Policy, { meter }: Pick<Ports, 'meter'>): PermitCall {
  const rules = new Map(Object.values(policy.egress).map(({ service }) => [service.name, buildAllow(service)]))

  return function permit(x) {
    const { service, caller } = x
    // Who may fetch a credential its target says, in the environment that is not chosen yet. The vendor is not asked, so its rules say nothing of it.
    if (isVendPath(x.request.target.path) && caller.kind === 'caller' && service.callers.includes(caller.name))
      return Object.assign(x, { permit: mint({ policy: service.name, rule: 'vend', audited: [] }) })
    const decision = rules.get(service.name)?.(caller.kind === 'caller' ? caller.name : '', x.request.method, x.request.target)
    if (decision?.rule === undefined) throw refusal(service.name, decision)
    const { rule, audit } = decision
    if (audit) meter.count(wouldRefuse, { service: service.name, rule })
    return Object.assign(x, { permit: mint({ policy: service.name, rule, audited: audit ? [`${service.name}/${rule}`] : [] }) })
  }
}

function refusal(service: string, decision: { readonly reason: string; readonly ambiguous: boolean } | undefined): Fault {
  if (decision?.ambiguous === true) return new Fault('path_ambiguous', decision.reason)
  return new Fault('egress_denied', decision?.reason ?? `nothing may be asked of ${service}`, { rule: `${service}/default` })
}

/** The egress wing's only mint. */
function mint(facts: PermitFacts): Permit {
  return Object.freeze(facts) as Permit // the brand exists in types alone: this cast is what minting means
}
