import type { EgressService } from '../../model/egress-service.ts'
import { compileTemplate } from '../../model/template-match.ts'
import type { Target } from '../../model/wire.ts'

export type AllowDecision =
  | {
      readonly rule: string
      /** Only a rule in audit mode lets it pass: without it the call would be refused. */
      readonly audit: boolean
    }
  | {
      readonly rule: undefined
      /** A sentence for the caller. */
      readonly reason: string
      /** The path could be read in two ways, so that no rule can speak for it. */
      readonly ambiguous: boolean
    }

/** Whether a caller may make a call: the same answer for the walk and for `egress explain`. */
export type Allow = (caller: string, method: string, target: Pick<Target, 'path' | 'encodedSlash' | 'semicolon'>) => AllowDecision

/** Compiles one service's callers and `allow` rules. Deny is what is left when nothing fits. */
export function buildAllow(service: EgressService): Allow {
  const callers = new Set(service.callers)
  const rules = service.allow.map((rule) => ({ id: rule.id, audit: rule.audit === true, methods: methodsOf(rule.methods), fits: compileTemplate(rule.path) }))
  const everything = rules.length === 0

  return (caller, method, target) => {
    if (!callers.has(caller)) return refuse(`${caller} may not call ${service.name}`)
    if (method === 'CONNECT' && service.proxy !== undefined) return tunnelOf(service, service.proxy)
    if (everything) return { rule: 'any', audit: false }
    // A vendor that decodes %2F, or cuts at ";", would see another path than the rules do.
    if (target.encodedSlash || target.semicolon) return { rule: undefined, reason: 'an encoded slash or ";" in a path that rules are about', ambiguous: true }
    const fitting = rules.filter(({ methods, fits }) => (methods === undefined || methods.has(method)) && fits(target.path) !== undefined)
    const rule = fitting.find(({ audit }) => !audit) ?? fitting[0]
    if (rule === undefined) return refuse(`${method} ${target.path} is not among the calls allowed to ${service.name}`)
    return { rule: rule.id, audit: rule.audit }
  }
}

/** What is in a tunnel nobody sees: rules about methods and paths say nothing of it. */
function tunnelOf({ name }: EgressService, { tunnels }: NonNullable<EgressService['proxy']>): AllowDecision {
  return tunnels === undefined ? refuse(`${name} has no tunnels: its policy does not say connect: true`) : { rule: 'connect', audit: false }
}

/** Undefined for any. GET implies HEAD. */
function methodsOf(methods: readonly string[]): ReadonlySet<string> | undefined {
  if (methods.length === 0) return undefined
  return new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)
}

function refuse(reason: string): AllowDecision {
  return { rule: undefined, reason, ambiguous: false }
}
