import { corsAllows } from '../../model/cors.ts'
import { Fault } from '../../model/fault.ts'
import type { Route } from '../../model/route.ts'
import { socketProtocol } from '../../model/socket.ts'
import { passedAs } from '../../model/upgrade.ts'
import type { Inbound, Upgrade } from '../../model/wire.ts'
import type { Entry } from './entry.ts'

/**
 * What a WebSocket opens among the entries of one template, the most specific first. A plain route takes the GET that the handshake is. Of
 * RPCs that are alike but for their methods a streaming one goes first, then a rule with room for the stream, then GET before
 * POST before the rest.
 */
export function pickForSocket(fitting: readonly Entry[]): Entry | undefined {
  const candidates = fitting.filter((entry) => (entry.rpc === undefined ? takesGet(entry) : !entry.native))
  const [first] = candidates
  if (first?.rpc === undefined) return first
  const alike = candidates.filter((entry) => entry.rpc !== undefined && isAsSpecific(entry, first))
  return alike.reduce((best, entry) => (rankOf(entry) < rankOf(best) ? entry : best))
}

function takesGet({ methods }: Entry): boolean {
  return methods.length === 0 || methods.includes('GET')
}

function isAsSpecific({ route }: Entry, other: Entry): boolean {
  const { headers, query } = other.route.match
  return route.match.headers.length === headers.length && route.match.query.length === query.length
}

function rankOf(entry: Entry): number {
  const { rpc, binding } = entry
  const method = binding?.method
  // A rule without a body has no room for a stream of messages.
  const isNarrow = rpc?.clientStream === true && binding?.body === ''
  return (isStreaming(entry) ? 0 : 6) + (isNarrow ? 3 : 0) + (method === 'GET' ? 0 : method === 'POST' ? 1 : 2)
}

function isStreaming({ rpc }: Entry): boolean {
  return rpc !== undefined && (rpc.clientStream || rpc.serverStream)
}

/**
 * The request that a handshake stands for. Of an RPC: the rule's own method, so that access rules about methods hold for it as for the same call over
 * HTTP. @throws Fault `not_implemented` unless this is a streaming RPC, or a route that passes the protocol on; `forbidden` for a page of another
 * origin; `request_invalid` when subprotocols are offered and none is ours
 */
export function socketRequest(request: Inbound, upgrade: Upgrade, entry: Entry): Inbound {
  if (entry.rpc === undefined) {
    if (passedAs(entry.route, upgrade) === undefined) throw new Fault('not_implemented', 'this route does not change to that protocol')
  } else if (upgrade.protocol !== 'websocket' || !isStreaming(entry)) throw new Fault('not_implemented', 'a WebSocket opens streaming RPCs of gRPC routes only')
  if (!isOriginAllowed(request, entry.route)) throw new Fault('forbidden', 'a page of another origin cannot open a WebSocket here')
  if (entry.rpc === undefined) return request
  // A browser gives up a WebSocket that selects none of what it offered.
  if (upgrade.subprotocols?.includes(socketProtocol) === false) throw new Fault('request_invalid', `offer the subprotocol ${socketProtocol}, or none`)
  const bound = entry.binding?.method
  // A rule of any method can be narrowed by its route.
  const method = bound === '*' ? entry.methods[0] : bound
  return method === undefined ? request : { ...request, method }
}

/**
 * Whether the page that asks, if it is a page, comes from this very host, or from an origin that the route's CORS settings allow: browsers
 * hold WebSockets to no same-origin policy of their own.
 */
function isOriginAllowed({ headers, authority }: Inbound, { cors }: Route): boolean {
  const [origin, ...others] = headers.all('origin')
  if (origin === undefined) return true
  if (others.length > 0) return false
  if (corsAllows(cors, origin)) return true
  const page = /^(https?):\/\/([^/?#]+)$/i.exec(origin)
  if (page === null) return false
  const [, scheme = '', host = ''] = page
  // A proxy in front may have ended TLS, so only the page's own scheme is known.
  const standard = scheme.toLowerCase() === 'https' ? ':443' : ':80'
  const bare = (text: string) => (text.endsWith(standard) ? text.slice(0, -standard.length) : text).toLowerCase()
  return bare(host) === bare(authority)
}
