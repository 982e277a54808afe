import type { HttpCall } from '../model/call.ts'
import type { Metered, Vouched } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { FieldList } from '../model/fields.ts'
import { endToEnd } from '../model/hop-by-hop.ts'
import { traceparentOf } from '../model/trace.ts'
import { normalizeAddress } from '../net.ts'
import type { Clock } from '../ports.ts'
import { type Origin, originCluster } from './policy.ts'

/** What an edge token is bound to. */
export interface VouchFacts {
  /** The request's id: the token's `jti`. */
  readonly id: string
  readonly method: string
  /** The canonical path. */
  readonly path: string
}

/** Makes the short-lived signed token that tells the gateway behind: the edge has let this request pass. */
export type Vouch = (facts: VouchFacts) => Promise<string>

export type HandOver = (x: Metered) => Promise<Vouched>

/** Where the token stands. `receive` of the gateway takes it from nobody's word. */
const tokenHeader = 'x-sallyport-edge'

/** What the call itself says, and what the edge writes below. */
const rewritten: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'expect',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-request-id',
  'x-server-timeout',
  'traceparent',
  'tracestate',
  tokenHeader,
])

/**
 * Builds the room that turns a permitted request into the call to the gateway behind: canonical path, raw query, end-to-end fields with
 * the downstream's own credential (the gateway verifies it again), what is left of its time, and the edge's token.
 * @throws Fault `not_implemented` for native gRPC: an edge that forwards over HTTP/1.1 loses the trailers that carry its status.
 */
export function buildHandOver(origin: Origin, vouch: Vouch, ports: { readonly clock: Pick<Clock, 'ticks'> }): HandOver {
  return async (x) => {
    // gRPC-Web and Connect carry their status in the body: they pass.
    if (x.rpc !== undefined && x.dialect.kind === 'grpc' && x.rpc.binding === undefined) {
      throw new Fault('not_implemented', 'native gRPC does not pass this edge; call the gateway itself, or the JSON form of this method')
    }
    const { method, target, body } = x.request
    const token = await vouch({ id: x.id, method, path: target.path })
    const headers = fieldsFor(x, ports.clock.ticks()).set(tokenHeader, token)
    const path = target.query === '' ? target.path : `${target.path}?${target.query}`
    const call: HttpCall = { kind: 'http', method, scheme: origin.scheme, authority: origin.authority, target: path, headers, body }
    return Object.assign(x, { call, destination: { cluster: originCluster, subset: undefined } })
  }
}

function fieldsFor(x: Metered, now: number): FieldList {
  const { headers, scheme, authority } = x.request
  const passed = endToEnd(headers).without((name) => rewritten.has(name))
  passed
    .set('x-forwarded-for', [...headers.all('x-forwarded-for'), normalizeAddress(x.arrival.peer.address)].join(', '))
    .set('x-forwarded-proto', headers.get('x-forwarded-proto') ?? scheme)
    .set('x-forwarded-host', headers.get('x-forwarded-host') ?? authority)
    .set('x-request-id', x.id)
    .set('traceparent', traceparentOf(x.trace))
  if (x.trace.tracestate !== '') passed.set('tracestate', x.trace.tracestate)
  // Seconds, as the gateway reads them: the header the downstream used may not be one that an HTTP/1.1 hop carries.
  if (Number.isFinite(x.deadline)) passed.set('x-server-timeout', (Math.max(1, x.deadline - now) / 1000).toFixed(3))
  return passed
}
