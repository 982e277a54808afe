import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { readCertificate, spiffeOf } from '../../core/certificate.ts'
import type { EndpointTls } from '../../core/ports.ts'
import { compileSpiffe } from '../../core/spiffe.ts'

/** The upstream proved who it is, and it is somebody else. The message says who, and who was expected. */
export class WrongIdentity extends Error {
  override readonly name = 'WrongIdentity'
  readonly presented: string
  readonly expected: string

  constructor(presented: string, expected: string) {
    super(`its certificate names ${presented}; ${expected} was expected`)
    this.presented = presented
    this.expected = expected
  }
}

/** Over TLS, HTTP/2 is spoken where both sides said so in ALPN (RFC 9113 section 3.2). */
export class AlpnMissing extends Error {
  override readonly name = 'AlpnMissing'

  constructor() {
    super('it does not offer HTTP/2 over TLS (ALPN)')
  }
}

/**
 * Judges the certificate of an upstream after its chain was verified: by its SPIFFE id where one is expected (X509-SVID section 5.2: names
 * of other kinds count for nothing then), else by its DNS names or addresses (RFC 9525). Undefined when it is the right one.
 */
export function identityCheck({ serverName, spiffe }: EndpointTls): (host: string, certificate: PeerCertificate) => Error | undefined {
  if (spiffe === undefined) return (_dialled, certificate) => namedOtherwise(serverName, certificate)
  const fits = compileSpiffe(spiffe)
  const expected = spiffe.join(' or ')
  return (_dialled, { raw }) => {
    const certificate = readCertificate(raw)
    if ('problem' in certificate) return new WrongIdentity(`nobody that can be read (${certificate.problem})`, expected)
    const svid = spiffeOf(certificate)
    if ('problem' in svid) return new WrongIdentity(`${namesIn(certificate.san)} (${svid.problem})`, expected)
    return fits(svid.id) ? undefined : new WrongIdentity(svid.id, expected)
  }
}

function namedOtherwise(serverName: string, certificate: PeerCertificate): Error | undefined {
  const wrong = checkServerIdentity(serverName, certificate)
  return wrong && new WrongIdentity(shortened(certificate.subjectaltname ?? '') || 'no name', serverName)
}

function namesIn({ uri, dns }: { readonly uri: readonly string[]; readonly dns: readonly string[] }): string {
  return shortened([...uri, ...dns.map((name) => `DNS:${name}`)].join(', ')) || 'no name'
}

/** What another side says of itself goes to the record: not without end, and nothing that is not printed. */
function shortened(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?')
  return plain.length > 300 ? `${plain.slice(0, 300)}…` : plain
}
