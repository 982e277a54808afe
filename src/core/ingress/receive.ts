import { egressBodyBytes } from '../model/body.ts'
import type { Arrived, Received } from '../model/exchange.ts'
import { continueTrace, type Trace } from '../model/trace.ts'
import type { Fields, Inbound } from '../model/wire.ts'
import { formatAuthority, networkOf, normalizeAddress } from '../net.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { readAuthority } from './receive/authority.ts'
import { buildClientAddress } from './receive/client.ts'
import { egressTimeouts, ingressTimeouts, readTimeout, type TimeoutHeader } from './receive/deadline.ts'
import { type FieldLimits, readFields } from './receive/fields.ts'
import { checkFraming } from './receive/framing.ts'
import { checkLine, readTarget } from './receive/line.ts'
import { readProxied } from './receive/proxied.ts'
import { readSocketOffer } from './receive/socket.ts'
import { buildStrip } from './receive/strip.ts'

export { isRefusedMethod } from './receive/line.ts'

export type Receive = (x: Arrived) => Received

/** What a listener without stated limits takes, and what every egress listener takes. */
const headerLimits: FieldLimits = { headerBytes: 16 * 1024, headerCount: 100 }
const publicBodyBytes = 1024 * 1024

/**
 * Builds the front guard of the public listener: out of an arrival nobody has looked at, a request that can be read in one
 * way only, with the one canonical path, the address that asks, and no field that only the gateway may set.
 * @throws Fault (from the room) for everything ambiguous, oversized or not of HTTP/1.0, 1.1 or 2.
 */
export function buildReceive(policy: Policy, ports: Pick<Ports, 'clock' | 'random'>): Receive {
  const listener = policy.listeners.public
  let bodyLimit = listener?.limits.bodyBytes ?? publicBodyBytes
  // The route is not known yet: `match` holds the request to its own route's limit.
  for (const route of policy.routes) bodyLimit = Math.max(bodyLimit, route.bodyLimit ?? 0)
  const keyHeaders = [...new Set(Object.values(policy.apiKeys).map(({ header }) => header))].filter((name) => name !== '')
  return build(ports, {
    limits: listener?.limits ?? headerLimits,
    bodyLimit,
    trustedProxies: listener?.trustedProxies ?? [],
    own: [...ingressTimeouts.map(({ name }) => name), ...keyHeaders, ...ownHeaders(policy), ...pointHeaders(policy)],
    keyHeaders,
    keep: [],
    keepSpellings: [],
    timeouts: ingressTimeouts,
    isProxy: () => false,
  })
}

/** What decision points give to upstreams. */
function pointHeaders({ deciders }: Policy): readonly string[] {
  return Object.values(deciders).flatMap(({ point }) => (point.kind === 'extAuthz' ? point.upstreamHeaders : []))
}

/** Headers in which some route tells its upstream who asks: nobody else may say them, on any route. */
function ownHeaders(policy: Policy): readonly string[] {
  const made = policy.routes.flatMap(({ handOn }) => [
    ...handOn.claims.map(({ header }) => header),
    ...(handOn.introduce === undefined ? [] : [handOn.introduce.header]),
  ])
  // The downstream's own credential stands there too; what the upstream gets instead is settled when the call is made.
  const names = new Set(made.map((name) => name.toLowerCase()).filter((name) => name !== 'authorization'))
  return [...names]
}

/**
 * Builds the same guard for the egress listeners. No proxy stands in front of them; a caller's wishes (`x-egress-env`,
 * `x-egress-timeout-ms`, `x-egress-retry`, `x-egress-vend`) stay readable for the rooms that follow, which keep them from the vendor. What says
 * who the caller is, `proxy-authorization`, is put aside for `attribute` alone.
 */
export function buildEgressReceive(policy: Policy, ports: Pick<Ports, 'clock' | 'random'>): Receive {
  return build(ports, {
    limits: headerLimits,
    bodyLimit: egressBodyBytes,
    trustedProxies: [],
    own: [],
    keyHeaders: ['proxy-authorization'],
    keep: ['x-egress-timeout-ms', 'x-egress-retry', 'x-egress-vend'],
    keepSpellings: ['x-egress-env'],
    timeouts: egressTimeouts,
    isProxy: (listener) => listener === 'egress' && policy.listeners.egress?.proxy === true,
  })
}

interface Rules {
  readonly limits: FieldLimits
  /** Bytes. */
  readonly bodyLimit: number
  readonly trustedProxies: readonly string[]
  readonly own: readonly string[]
  /** Headers that hold API keys: put aside, and out of the request in every spelling. */
  readonly keyHeaders: readonly string[]
  readonly keep: readonly string[]
  readonly keepSpellings: readonly string[]
  readonly timeouts: readonly TimeoutHeader[]
  /** Whether a listener takes what only a proxy is sent. */
  readonly isProxy: (listener: string) => boolean
}

function build({ random }: Pick<Ports, 'random'>, rules: Rules): Receive {
  const clientOf = buildClientAddress(rules.trustedProxies)
  const strip = buildStrip(rules)
  const keyFieldsOf = buildKeyFields(rules.keyHeaders)
  return (x) => {
    const { arrival } = x
    const { certificate, connection } = arrival.peer
    const peer = normalizeAddress(arrival.peer.address)
    // A refusal below is answered and recorded under these.
    const direct = { address: peer, network: networkOf(peer), certificate, connection }
    Object.assign(x, { id: random.uuid(), client: direct })
    const isProxy = rules.isProxy(arrival.listener)
    checkLine(arrival, isProxy && arrival.httpVersion !== '2')
    const fields = readFields(arrival, rules.limits)
    const line = isProxy ? readProxied(arrival, fields) : undefined
    const { host, authority } =
      line === undefined ? readAuthority(arrival, fields) : { host: line.proxied.host, authority: formatAuthority(line.proxied.host, line.proxied.port) }
    const target = readTarget(arrival, line?.target ?? arrival.target)
    checkFraming(arrival, fields, rules.bodyLimit)
    const upgrade = arrival.socket === undefined ? undefined : readSocketOffer(arrival, arrival.socket, fields)
    const { address, trusted } = clientOf(arrival, fields)
    const headers = strip(arrival, fields, trusted)
    const { method, scheme, body } = arrival
    const request: Inbound = { method, scheme, authority, host, target, proxied: line?.proxied, headers, body, upgrade }
    const facts = {
      request,
      keyFields: keyFieldsOf(fields),
      client: address === peer ? direct : { address, network: networkOf(address), certificate, connection },
      deadline: x.receivedAt + readTimeout(fields, rules.timeouts),
      trace: traceOf(fields, random),
    }
    const id = trusted ? sanctionedId(fields) : undefined
    return Object.assign(x as Received, id === undefined ? facts : { ...facts, id }) // every slot of Received is filled from here on
  }
}

const noKeys: Received['keyFields'] = Object.freeze([])

function buildKeyFields(names: readonly string[]): (fields: Fields) => Received['keyFields'] {
  if (names.length === 0) return () => noKeys
  return (fields) => {
    if (!names.some((name) => fields.has(name))) return noKeys
    return names.flatMap((name) => fields.all(name).map((value) => [name, value] as const))
  }
}

/** A repeated `traceparent` is none (W3C Trace Context section 3.2); `tracestate` may be split over several fields. */
function traceOf(fields: Fields, random: Ports['random']): Trace {
  const parents = fields.all('traceparent')
  return continueTrace(parents.length === 1 ? parents[0] : undefined, fields.all('tracestate').join(','), (bytes) => random.hex(bytes))
}

/** The id that a trusted proxy gave the request, when it is one sane token. */
function sanctionedId(fields: Fields): string | undefined {
  const [id, ...more] = fields.all('x-request-id')
  return id !== undefined && more.length === 0 && /^[A-Za-z0-9._:+/=~-]{1,128}$/.test(id) ? id : undefined
}
