import type { EgressService } from '../../model/egress-service.ts'
import type { EgressTarget, LiveTarget } from '../../model/egress-target.ts'
import { parseAuthority } from '../../net.ts'
import type { Policy } from '../../policy/policy.ts'
import { buildListed, lists, liveAt, placeText } from '../proxied.ts'

/** A call through the forward proxy, as somebody would write it. */
export interface ProxiedCall {
  readonly method: string
  readonly host: string
  readonly port: number
  /** Of a tunnel "/". */
  readonly path: string
}

/**
 * Reads `https://host[:port]` and `CONNECT host:port` as a tunnel, `http://host[:port]/path` as a request in the clear.
 * Undefined for anything else.
 */
export function readProxiedCall(method: string, where: string): ProxiedCall | undefined {
  const [, scheme, authority = '', path = ''] = /^(https?):\/\/([^/?#]*)([^?#]*)/.exec(where) ?? []
  const parsed = parseAuthority(scheme === undefined ? where : authority)
  if ('problem' in parsed) return undefined
  const port = parsed.port ?? (scheme === 'http' ? 80 : scheme === 'https' ? 443 : undefined)
  if (port === undefined || (scheme === undefined && method !== 'CONNECT')) return undefined
  if (scheme === 'http' && method !== 'CONNECT') return { method: method === '' ? 'GET' : method, host: parsed.host, port, path: path === '' ? '/' : path }
  return { method: 'CONNECT', host: parsed.host, port, path: '/' }
}

/** The service that a caller's call meets: the one of that name, else one that lists the place, the caller's own first. */
export function serviceOfCall(policy: Policy, call: ProxiedCall, caller: string | undefined): string | undefined {
  const named = Object.values(policy.egress).find(({ service }) => service.host?.toLowerCase() === call.host)
  if (named !== undefined) return named.service.name
  const listed = buildListed(policy)(call)
  return (listed.find(({ callers }) => caller === undefined || callers.includes(caller)) ?? listed[0])?.name
}

/** What keeps a place from being called that way, whatever else its policy says; undefined for nothing. */
export function wayProblem({ method, port, host }: ProxiedCall, service: EgressService): string | undefined {
  if (service.proxy === undefined) return method === 'CONNECT' ? `no tunnel leads to a service of this ambassador: ask about http://${host}/` : undefined
  if (method === 'CONNECT' && port === 80) return 'a tunnel to port 80 carries requests in the clear: ask about them, http://…'
  if (method !== 'CONNECT' && port === 443) return 'port 443 is not spoken to in the clear: open a tunnel'
  return undefined
}

/** Hosts and ports of a target of the forward proxy, for people. */
export function listedText({ hosts, ports }: Extract<EgressTarget, { mode: 'proxy' }>): string {
  return `${hosts.join(', ')} port ${ports.join(', ')}`
}

/** The place as the guards see it, where the environment lists it. */
export function listedTarget(service: EgressService, target: EgressTarget | undefined, call: ProxiedCall): LiveTarget | { readonly problem: string } {
  if (!lists(target, call)) return { problem: `${service.name} does not list ${placeText(call)} here` }
  return liveAt(service, target, call)
}
