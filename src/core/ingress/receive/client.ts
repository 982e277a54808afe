import type { Arrival } from '../../model/exchange.ts'
import type { Fields } from '../../model/wire.ts'
import { compileCidrs, normalizeAddress } from '../../net.ts'
import { addressOfHop, parseForwarded } from './forwarded.ts'
import { refusal } from './refusal.ts'

export interface ClientAddress {
  readonly address: string
  /** The peer is a proxy whose word about its own downstream counts. */
  readonly trusted: boolean
}

/**
 * Compiles the walk to the address that asks: the peer, or, while the hop is a trusted proxy, the hop before it as
 * X-Forwarded-For or Forwarded (RFC 7239) tells, right to left. It ends at the first untrusted hop, at the last hop there is, or at
 * a proxy that does not name the one before. @throws Fault when both headers are there and lead to different
 * addresses, for one of them was not written by the proxy, or when Forwarded is malformed.
 */
export function buildClientAddress(trustedProxies: readonly string[]): (arrival: Arrival, fields: Fields) => ClientAddress {
  const isTrusted = compileCidrs(trustedProxies)
  return (arrival, fields) => {
    const peer = normalizeAddress(arrival.peer.address)
    if (!isTrusted(peer)) return { address: peer, trusted: false }
    const byList = fields.has('x-forwarded-for') ? walk(peer, listHops(fields), isTrusted) : undefined
    const byForwarded = fields.has('forwarded') ? walk(peer, forwardedHops(arrival, fields), isTrusted) : undefined
    if (byList !== undefined && byForwarded !== undefined && byList !== byForwarded)
      throw refusal(arrival, 'request_invalid', 'forwarded and x-forwarded-for tell different addresses')
    return { address: byList ?? byForwarded ?? peer, trusted: true }
  }
}

function walk(peer: string, hops: readonly string[], isTrusted: (address: string) => boolean): string {
  let at = peer
  for (let i = hops.length - 1; i >= 0 && isTrusted(at); i--) {
    const address = addressOfHop(hops[i] as string) // i is inside
    if (address === undefined) break
    at = address
  }
  return at
}

function listHops(fields: Fields): readonly string[] {
  return fields.all('x-forwarded-for').flatMap((line) =>
    line
      .split(',')
      .map((hop) => hop.trim())
      .filter((hop) => hop !== ''),
  )
}

function forwardedHops(arrival: Arrival, fields: Fields): readonly string[] {
  return fields.all('forwarded').flatMap((line) => {
    const hops = parseForwarded(line)
    if (hops === undefined) throw refusal(arrival, 'request_invalid', 'forwarded is malformed')
    return hops
  })
}
