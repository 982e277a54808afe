import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/** DER of the certificate that the peer proved, if TLS asked for one. Node has verified it against the client CA. */
export function peerCertificate(socket: Duplex): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  return socket.getPeerX509Certificate()?.raw
}

/** A certificate was shown, and it does not prove anything. */
export function showsBadCertificate(socket: TLSSocket): boolean {
  return !socket.authorized && socket.getPeerX509Certificate() !== undefined
}
