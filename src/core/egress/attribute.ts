import type { Attributed, Received } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Principal } from '../model/principal.ts'
import type { Caller, Policy } from '../policy/policy.ts'
import { buildListed } from './proxied.ts'

/** @throws Fault `caller_unknown` when no caller uses the listener that the request came by. */
export type Attribute = (x: Received) => Attributed

/**
 * Builds the room that says which workload is calling. The listener alone decides; nothing a header says about its sender
 * is read. Where several callers share a listener, the first in the service's own list of callers is meant: they cannot
 * be told apart, so the order of that list is the operator's word on it.
 */
export function buildAttribute(policy: Policy): Attribute {
  const callers = Object.values(policy.callers).sort((a, b) => (a.name < b.name ? -1 : 1))
  const listedByListener = new Map(Object.values(policy.egress).map(({ service }) => [`egress:${service.name}`, service.callers]))
  const listedByHost = new Map(Object.values(policy.egress).map(({ service }) => [service.host?.toLowerCase(), service.callers]))
  const listing = buildListed(policy)
  const fitting = new Map<string, readonly Caller[]>()

  return function attribute(x) {
    const candidates = fitting.get(x.listener) ?? callers.filter((caller) => uses(caller, x.listener))
    fitting.set(x.listener, candidates)
    const { host, proxied } = x.request
    const shared = listedByHost.get(host) ?? (proxied === undefined ? undefined : listing(proxied).flatMap((service) => service.callers))
    const listed = x.listener === 'egress' ? shared : listedByListener.get(x.listener)
    const name = listed?.find((name) => candidates.some((caller) => caller.name === name)) ?? candidates[0]?.name
    if (name === undefined) throw new Fault('caller_unknown', 'no caller is known on this listener', { internal: `listener ${x.listener}` })
    const caller: Principal = { kind: 'caller', name }
    return Object.assign(x, { caller })
  }
}

/** `egress` stands for the shared port and every service's own. */
export function uses(caller: Caller, listener: string): boolean {
  return caller.listener === listener || (caller.listener === 'egress' && listener.startsWith('egress:'))
}
