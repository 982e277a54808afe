import type { Arrival } from '../../model/exchange.ts'
import type { Fields } from '../../model/wire.ts'
import { formatAuthority, parseAuthority } from '../../net.ts'
import { refusal } from './refusal.ts'

/** Whom the request addresses: Host and `:authority` say one valid thing (RFC 9110 section 7.2, RFC 9113 section 8.3.1). @throws Fault `host_invalid` */
export function readAuthority(arrival: Arrival, fields: Fields): { readonly host: string; readonly authority: string } {
  const host = fields.get('host')
  const stated = arrival.authority ?? host
  if (stated === undefined) throw refusal(arrival, 'host_invalid', 'the request names no host')
  const read = parse(arrival, stated)
  if (host === undefined || stated === host) return read
  if (parse(arrival, host).authority !== read.authority) throw refusal(arrival, 'host_invalid', 'host and :authority differ')
  return read
}

function parse(arrival: Arrival, text: string): { readonly host: string; readonly authority: string } {
  const parsed = parseAuthority(text)
  if ('problem' in parsed) throw refusal(arrival, 'host_invalid', `the host is not valid: ${parsed.problem}`)
  return { host: parsed.host, authority: formatAuthority(parsed.host, parsed.port) }
}
