import type { Route } from './route.ts'
import type { Upgrade } from './wire.ts'

/** The name by which a route asks its upstream for a protocol, as the policies write it; undefined when it does not pass it on. Names have no case (RFC 9110 section 7.8). */
export function passedAs({ upgrade }: Pick<Route, 'upgrade'>, { protocol }: Pick<Upgrade, 'protocol'>): string | undefined {
  const wanted = protocol.toLowerCase()
  return upgrade?.protocols.find((name) => name.toLowerCase() === wanted)
}

/** The name of one protocol, with a version or not (RFC 9110 section 7.8). */
export const protocolName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/

const ofRequests = /^(?:h2c?|h3|https?|tls)(?:\/|$)/i

/** Other versions of HTTP, and TLS around it: requests on such a connection would pass every rule unseen. */
export function hidesRequests(protocol: string): boolean {
  return ofRequests.test(protocol)
}
