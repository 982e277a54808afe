import type { Policy } from '../../policy/policy.ts'
import { outsideReason, switchOf } from '../switched.ts'

export type Choice =
  | { readonly environment: string; readonly by: 'header' | 'switch' | 'caller' | 'process' }
  | {
      readonly environment: undefined
      /** A sentence for the caller. */
      readonly reason: string
    }

/** Which environment a caller's request to a service is for. `wanted` is what it asked for by header. */
export type Choose = (caller: string, wanted: string | undefined, service: string) => Choice

/**
 * The environment, by the first of these that is there: the header, which only those may send who may choose, and only with
 * a name they may choose; what the service was switched to; the caller's own; the process's. One that is there and not allowed refuses: falling through to the
 * next would send a tester's call to another environment than it asked for. The ceiling holds by construction: the policy
 * knows environments of its own class alone.
 */
export function buildChoose(policy: Policy): Choose {
  const known = new Set(policy.environments)
  const callers = new Map(Object.values(policy.callers).map((caller) => [caller.name, caller]))

  return (name, wanted, service) => {
    const caller = callers.get(name)
    if (caller === undefined) return { environment: undefined, reason: `${name} is not a caller` }
    if (wanted !== undefined) {
      // The ceiling first: the policy has left environments beyond it out of `mayChooseEnv`, so the list would tell the wrong reason.
      if (!known.has(wanted)) return outside(policy, wanted)
      if (!caller.mayChooseEnv.includes(wanted)) return { environment: undefined, reason: `${name} may not choose ${wanted}` }
      return { environment: wanted, by: 'header' }
    }
    const switched = switchOf(policy, service)
    if (switched !== undefined)
      return known.has(switched.environment) ? { environment: switched.environment, by: 'switch' } : outside(policy, switched.environment)
    const environment = caller.environment ?? policy.environment
    if (!known.has(environment)) return outside(policy, environment)
    return { environment, by: caller.environment === undefined ? 'process' : 'caller' }
  }
}

/** Of the other class, or declared nowhere: a process cannot tell, and need not. */
function outside(policy: Policy, environment: string): Choice {
  return { environment: undefined, reason: `${outsideReason(policy, environment)}, whatever the caller may choose` }
}
