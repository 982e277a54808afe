import { capped, egressBodyBytes } from '../../model/body.ts'
import type { HttpCall } from '../../model/call.ts'
import type { LiveTarget } from '../../model/egress-target.ts'
import type { PlacedLive } from '../../model/exchange.ts'
import type { FieldList } from '../../model/fields.ts'
import { endToEnd } from '../../model/hop-by-hop.ts'
import { formatAuthority } from '../../net.ts'
import type { Injection } from './inject.ts'

/** Headers that carry the caller's own credentials, by their folded names. */
const credentials: ReadonlySet<string> = new Set(['authorization', 'cookie', 'cookie2', 'x-api-key', 'api-key', 'apikey', 'x-auth-token', 'x-access-token'])

/** The mesh's own business: where the call came from, by whom and in which trace. A third party is told none of it. */
const meshNames: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'x-request-id',
  'x-correlation-id',
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'uber-trace-id',
])
const meshPrefixes = ['x-egress-', 'proxy-', 'x-forwarded-', 'x-envoy-', 'l5d-', 'x-b3-', 'x-datadog-', 'x-sallyport-', 'x-spiffe-', 'x-caller'] as const

/** Framing is the channel's: it knows the body's length. */
const framing: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])

const partial: ReadonlySet<string> = new Set(['range', 'if-range'])

/** The call as the vendor gets it: the caller's credentials gone, ours added. `injected` names the header that belongs to the gateway even when it stays empty. */
export function outgoingCall(x: PlacedLive, injection: Injection | undefined, injected: string | undefined, newKey: () => string): HttpCall {
  const { target, request } = x
  const headers = outgoingFields(x, injection?.header, injected)
  if (x.service.idempotency?.generate === true && keyedMethods.has(request.method)) addKey(headers, x.service.idempotency.header, newKey)
  return {
    kind: 'http',
    method: request.method,
    scheme: target.scheme,
    authority: authorityOf(target),
    target: pathAndQuery(target.basePath, request.target.path, queryWith(request.target.query, injection?.query)),
    headers,
    body: request.body === undefined ? undefined : capped(request.body, egressBodyBytes),
  }
}

/** Methods that mean something else the second time (RFC 9110 section 9.2.2), and that vendors take keys for. */
export const keyedMethods: ReadonlySet<string> = new Set(['POST', 'PATCH'])

/** The caller's own key stands, whatever it is; an empty one is none. The call is made once and sent as often as it is tried, so its tries share the key. */
function addKey(headers: FieldList, name: string, newKey: () => string): void {
  if (headers.all(name).every((value) => value.trim() === '')) headers.set(name, newKey())
}

function authorityOf(target: LiveTarget): string {
  const host = target.host.startsWith('[') ? target.host.slice(1, -1) : target.host
  return formatAuthority(host, target.port === (target.scheme === 'https' ? 443 : 80) ? undefined : target.port)
}

function pathAndQuery(basePath: string, path: string, query: string): string {
  const whole = (basePath.endsWith('/') ? basePath.slice(0, -1) : basePath) + path
  return query === '' ? whole : `${whole}?${query}`
}

/** The headers of the call. A masked answer is searched or written down, so it must come whole and plain: a range could cut a secret in two, a content coding would hide it. */
export function outgoingFields({ request, service, target }: PlacedLive, header: Injection['header'], injected: string | undefined): FieldList {
  const masked = service.mask.responses || target.record !== undefined
  const own = injected === undefined ? undefined : fold(injected)
  const kept = endToEnd(request.headers).without((name) => isWithheld(fold(name), own, service.proxy !== undefined) || (masked && partial.has(fold(name))))
  if (masked) kept.set('accept-encoding', 'identity')
  return header === undefined ? kept : kept.append(header.name, header.value)
}

/** What the caller sent and the vendor is not to get. Through the forward proxy a caller speaks for itself: its credentials pass (RFC 9110 section 11.6.2). */
function isWithheld(name: string, own: string | undefined, proxied: boolean): boolean {
  return (
    name === own || (credentials.has(name) && !proxied) || framing.has(name) || meshNames.has(name) || meshPrefixes.some((prefix) => name.startsWith(prefix))
  )
}

/** CGI and its heirs read every character but letters and digits as one and the same: all spellings are one name. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}

/** The raw query with every parameter of the injected name taken out, and ours at its end. */
export function queryWith(query: string, injected: Injection['query']): string {
  if (injected === undefined) return query
  const own = parameterName(injected.name)
  const kept = query.split('&').map((pair) =>
    pair
      .split(';')
      .filter((part) => parameterName(part) !== own)
      .join(';'),
  )
  return [...kept.filter((pair) => pair !== ''), `${encodeURIComponent(injected.name)}=${encodeURIComponent(injected.value)}`].join('&')
}

/** The name as vendors read it: decoded, in any case, without the "[…]" that makes it a list, cut at NUL. */
function parameterName(part: string): string {
  const name = part.split('=', 1)[0] ?? ''
  const plain = decoded(name.replaceAll('+', ' ')).trim().toLowerCase()
  const end = plain.search(/[[\0]/)
  return end < 0 ? plain : plain.slice(0, end)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(/%[0-9A-Fa-f]{2}/g, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)))
  }
}
