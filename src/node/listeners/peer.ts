import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/** A connection has one certificate and many requests, which know it by its very bytes. */
const known = new WeakMap<TLSSocket, Uint8Array>()

/** DER of the certificate that the peer proved, if TLS asked for one. Node has verified it against the client CA. */
export function peerCertificate(socket: Duplex): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const before = known.get(socket)
  if (before !== undefined) return before
  const raw = socket.getPeerX509Certificate()?.raw
  if (raw !== undefined) known.set(socket, raw)
  return raw
}

/** A certificate was shown, and it does not prove anything. */
export function showsBadCertificate(socket: TLSSocket): boolean {
  return !socket.authorized && socket.getPeerX509Certificate() !== undefined
}
