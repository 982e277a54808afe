import { AlpnMissing, WrongIdentity } from '../channels/identity.ts'

/** Why something in the neighbourhood cannot be used. */
export interface Trouble {
  /** A clause that begins in lower case. */
  readonly problem: string
  /** What to do about it. */
  readonly hint: string
}

const certificates: Readonly<Record<string, Trouble>> = {
  CERT_HAS_EXPIRED: { problem: 'its certificate has expired', hint: 'Renew the certificate of the service.' },
  CERT_NOT_YET_VALID: { problem: 'its certificate is not valid yet', hint: 'Look at the clocks of both machines.' },
  DEPTH_ZERO_SELF_SIGNED_CERT: { problem: 'its certificate is signed by itself', hint: 'Name who signs it in tls.ca.' },
  SELF_SIGNED_CERT_IN_CHAIN: { problem: 'its certificate is signed by an authority that is not trusted', hint: 'Name the authority in tls.ca.' },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { problem: 'its certificate is signed by an authority that is not trusted', hint: 'Name the authority in tls.ca.' },
  CERT_SIGNATURE_FAILURE: { problem: 'its certificate is not signed by the authority that is trusted', hint: 'Name the authority in tls.ca.' },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { problem: 'its certificate is signed by an authority that is not trusted', hint: 'Name the authority in tls.ca.' },
}

const connecting: Readonly<Record<string, Trouble>> = {
  ECONNREFUSED: { problem: 'nothing listens there (connection refused)', hint: 'Start the service or the sidecar, or correct the address.' },
  ENOENT: { problem: 'there is no such socket', hint: 'Start the service or the sidecar, or correct the path.' },
  ENOTFOUND: { problem: 'the name has no address', hint: 'Correct the name, or look at DNS.' },
  EAI_AGAIN: { problem: 'DNS does not answer', hint: 'Look at the resolver of this machine.' },
  EHOSTUNREACH: { problem: 'there is no way to the host', hint: 'Look at routes and firewalls.' },
  ENETUNREACH: { problem: 'there is no way to the network', hint: 'Look at routes and firewalls.' },
  ETIMEDOUT: { problem: 'it does not accept a connection in time', hint: 'Look at firewalls, or raise connectTimeout.' },
  ECONNRESET: { problem: 'it cut the connection', hint: 'Look at whether it speaks TLS, and at its own log.' },
}

/** The trouble behind an error of dialling, `secure` when TLS was spoken. */
export function troubleOf(error: unknown, secure: boolean): Trouble {
  const causes = causesOf(error)
  for (const cause of causes) {
    if (cause instanceof WrongIdentity) return { problem: cause.message, hint: cause.expected.startsWith('spiffe://') ? otherId : otherName }
    if (cause instanceof AlpnMissing) return noAlpn
    const code = codeOf(cause)
    const known = certificates[code] ?? (secure && code === 'ECONNRESET' ? noTls : connecting[code])
    if (known !== undefined) return known
    if (code.startsWith('ERR_SSL') || code === 'EPROTO') return tlsTrouble(code, messageOf(cause))
    if (/took too long/.test(messageOf(cause))) return connecting['ETIMEDOUT'] as Trouble // stands in the table above
    if (/closed while connecting/.test(messageOf(cause)) && secure) return noTls
  }
  return { problem: messageOf(causes.at(-1)), hint: 'Correct what the message names.' }
}

const otherName = 'Set tls.serverName to a name in the certificate, or correct the authority.'
const otherId = 'Look at who answers at this address; correct tls.spiffe only if it is the right one.'

const noTls: Trouble = { problem: 'it does not speak TLS, or cut the handshake', hint: 'Remove tls: if it speaks clear text; look at its own log otherwise.' }

function tlsTrouble(code: string, message: string): Trouble {
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code) || /wrong version number|packet length too long/.test(message)) return noTls
  if (/NO_APPLICATION_PROTOCOL/.test(code)) return noAlpn
  if (/CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE/.test(code))
    return { problem: `it refuses the handshake (${code})`, hint: 'Look at whether it wants a client certificate: tls.certificate and tls.key.' }
  return { problem: `TLS fails (${code})`, hint: 'Look at the versions and certificates of both sides.' }
}

/** Over TLS, HTTP/2 is spoken where both sides said so in ALPN (RFC 9113 section 3.2). */
const noAlpn: Trouble = { problem: 'it does not offer HTTP/2 over TLS (ALPN)', hint: 'Turn HTTP/2 on there, or write protocol: http.' }

function causesOf(error: unknown): readonly unknown[] {
  const causes: unknown[] = []
  for (let at = error; at !== undefined && causes.length < 8; at = at instanceof Error ? at.cause : undefined) causes.push(at)
  return causes
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
