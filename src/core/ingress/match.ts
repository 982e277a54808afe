import { certain, type Dialect, dialectOf, plainHttp } from '../model/dialect.ts'
import type { Matched, Received } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Route } from '../model/route.ts'
import type { RpcMatch } from '../model/rpc.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import { buildBook, lookUp } from './match/book.ts'
import type { Entry } from './match/entry.ts'
import { readParams } from './match/params.ts'
import { answerPreflight } from './match/preflight.ts'
import { type MatchReport, reporter } from './match/report.ts'
import { socketRequest } from './match/socket.ts'

export interface Match {
  (x: Received): Matched
  /** The answer to a CORS preflight, which asks about another request; undefined for all other requests. @throws Fault `cors_denied`, `config_quarantined` */
  preflight(x: Received): Outbound | undefined
}
export type { MatchCandidate, MatchReport } from './match/report.ts'

/** Body bytes where no listener states a limit. */
const bodyBytes = 1024 * 1024

/**
 * Builds the room that finds the route: over the raw canonical path, most specific first, variables decoded once after the match.
 * @throws Fault (from the room) `route_not_found`, `method_not_allowed` with Allow, `config_quarantined`, `path_ambiguous`, `body_too_large`,
 * `request_invalid`, and for a WebSocket `not_implemented` and `forbidden`. @throws Error (at build) on a template or pattern that the loader should have refused.
 */
export function buildMatch(policy: Policy): Match {
  const book = buildBook(policy.routes)
  const bodyLimit = policy.listeners.public?.limits.bodyBytes ?? bodyBytes
  const match = (x: Received): Matched => {
    const { upgrade } = x.request
    const asksForSocket = upgrade !== undefined
    // A handshake is plain HTTP, whatever content it claims to have.
    const spoken = asksForSocket ? plainHttp : dialectOf({ method: x.request.method, headers: x.request.headers, query: x.request.target.query })
    const found = lookUp(book, x, spoken)
    // A refusal from here on is answered in it.
    Object.assign(x, { dialect: found.kind === 'found' ? settled(spoken, found.entry) : certain(spoken) })
    if (found.kind === 'none') throw new Fault('route_not_found', 'no route takes this request')
    if (found.kind === 'method')
      throw new Fault('method_not_allowed', `${x.request.method} is not taken here`, { headers: [['allow', found.allow.join(', ')]] })
    const { entry, segments } = found
    const { route } = entry
    if (route.quarantined !== undefined) throw new Fault('config_quarantined', 'the configuration of this route is broken', { internal: route.quarantined })
    // What is refused from here on is the route's word: its CORS settings hold for it.
    Object.assign(x, { route })
    checkPath(x, entry)
    checkLength(x, route, bodyLimit)
    if (upgrade !== undefined) Object.assign(x, { request: socketRequest(x.request, upgrade, entry) })
    return Object.assign(x as Matched, { route, params: readParams(entry.template, segments), rpc: rpcOf(entry) }) // its slots are filled here
  }
  return Object.assign(match, { preflight: (x: Received) => answerPreflight(book, x) })
}

/** Builds the account that `explain` prints: for every route, whether it takes a request and otherwise why not. */
export function buildMatchReport(policy: Policy): (x: Received) => MatchReport {
  return reporter(policy.routes)
}

/** A rule that takes JSON takes it in plain HTTP, whatever version of Connect it says. */
function settled(spoken: Dialect, entry: Entry): Dialect {
  if (entry.native) return spoken
  return spoken.kind === 'connect' && spoken.form !== 'stream' && entry.rpc !== undefined ? plainHttp : certain(spoken)
}

function rpcOf({ rpc, binding }: Entry): RpcMatch | undefined {
  return rpc === undefined ? undefined : { rpc, binding }
}

/** A path that is forwarded may be decoded, or cut at ";", further on; on gRPC routes no path is forwarded. */
function checkPath({ request }: Received, { route, rpc }: Entry): void {
  if (rpc !== undefined) return
  if (request.target.encodedSlash && !route.allow.encodedSlash) throw new Fault('path_ambiguous', 'the path holds an encoded slash')
  if (request.target.semicolon && !route.allow.semicolon) throw new Fault('path_ambiguous', 'the path holds a semicolon')
}

/** `receive` let the largest limit of all routes pass. The body stays unread, so an HTTP/1 connection ends here. */
function checkLength({ arrival, request }: Received, route: Route, listenerLimit: number): void {
  const limit = route.bodyLimit ?? listenerLimit
  if ((request.body?.length ?? 0) > limit) throw new Fault('body_too_large', 'the body is too large', { close: arrival.httpVersion !== '2' })
}
