import type { Arrival } from '../../model/exchange.ts'
import type { Fields, Proxied } from '../../model/wire.ts'
import { parseAuthority } from '../../net.ts'
import { refusal } from './refusal.ts'

/** A request target that names the place itself, taken apart. */
export interface ProxyLine {
  readonly proxied: Proxied
  /** The rest in origin-form. Of a tunnel "/". */
  readonly target: string
}

/**
 * Reads what only a proxy is sent (RFC 9112 sections 3.2.2 and 3.2.3): an absolute-form target of http, or the authority of CONNECT. Undefined for
 * any other form. What Host says beside it counts for nothing, but must be a host.
 * @throws Fault `request_invalid`, `host_invalid`, `egress_denied`
 */
export function readProxied(arrival: Arrival, fields: Fields): ProxyLine | undefined {
  const { method, target, httpVersion } = arrival
  if (httpVersion === '2') return undefined
  const line = method === 'CONNECT' ? readTunnel(arrival, fields) : target.startsWith('/') ? undefined : readAbsolute(arrival)
  if (line !== undefined) checkHost(arrival, fields)
  return line
}

function readTunnel(arrival: Arrival, fields: Fields): ProxyLine {
  const proxied = placeOf(arrival, arrival.target, undefined)
  // RFC 9110 section 9.3.6: no content, and whoever frames some may frame a second request in it.
  if (fields.has('transfer-encoding') || (fields.get('content-length') ?? '0') !== '0') throw refusal(arrival, 'request_invalid', 'CONNECT has no body')
  return { proxied, target: '/' }
}

function readAbsolute(arrival: Arrival): ProxyLine {
  const [, scheme = '', authority = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/.exec(arrival.target) ?? []
  if (scheme === '') throw refusal(arrival, 'request_invalid', 'the request target is neither a path nor a URL')
  if (scheme.toLowerCase() !== 'http')
    throw refusal(arrival, 'request_invalid', `${scheme.toLowerCase()} is not spoken for callers in absolute-form: https goes through a tunnel (CONNECT)`)
  const proxied = placeOf(arrival, authority, 80)
  if (proxied.port === 443) throw refusal(arrival, 'egress_denied', 'port 443 speaks TLS: open a tunnel (CONNECT) instead of asking in the clear')
  return { proxied, target: rest.startsWith('/') ? rest : `/${rest}` }
}

function placeOf(arrival: Arrival, authority: string, usual: number | undefined): Proxied {
  const parsed = parseAuthority(authority)
  if ('problem' in parsed) throw refusal(arrival, 'host_invalid', `the host of the request target is not valid: ${parsed.problem}`)
  const port = parsed.port ?? usual
  if (port === undefined || port === 0) throw refusal(arrival, 'host_invalid', 'the request target names no port')
  return { host: parsed.host, port }
}

function checkHost(arrival: Arrival, fields: Fields): void {
  const host = fields.get('host')
  if (host === undefined) {
    if (arrival.httpVersion === '1.0') return
    throw refusal(arrival, 'host_invalid', 'the request names no host')
  }
  const parsed = parseAuthority(host)
  if ('problem' in parsed) throw refusal(arrival, 'host_invalid', `the host is not valid: ${parsed.problem}`)
}
