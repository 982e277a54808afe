import { base64url } from 'jose'
import { certificateReader, spiffeOf } from '../../certificate.ts'
import type { Received } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { Clock } from '../../ports.ts'
import type { Shown } from './known.ts'

/** The header that is for us alone, whatever else the request says to whom. */
export const tokenHeader = 'proxy-authorization'

/**
 * Builds what reads the SPIFFE id of the connection's certificate, whose chain the listener has verified, and when it ends; undefined without one. A certificate that
 * is no X.509-SVID, or is over, is refused: who shows one is that workload, or nobody. Throws Fault `caller_unknown`.
 */
export function buildSpiffeShown(clock: Pick<Clock, 'now'>): (x: Received) => Shown['svid'] {
  const read = certificateReader()
  return ({ client }) => {
    if (client.certificate === undefined) return undefined
    const certificate = read(client.certificate)
    if ('problem' in certificate) throw badCertificate(certificate.problem)
    // The listener looked when the connection was made; connections outlive certificates.
    const now = clock.now()
    if (now < certificate.notBefore || now > certificate.notAfter) throw badCertificate('it is not valid at this time')
    const svid = spiffeOf(certificate)
    if ('problem' in svid) throw badCertificate(svid.problem)
    return { id: svid.id, notAfter: certificate.notAfter }
  }
}

/**
 * The token in `proxy-authorization`: a bearer token, or the password of Basic, for tools that can say no more than a proxy's user and password.
 * Undefined without the header. Throws Fault `caller_unknown` for anything else that stands there.
 */
export function ownToken({ keyFields }: Received): string | undefined {
  const values = keyFields.flatMap(([name, value]) => (name === tokenHeader ? [value] : []))
  if (values.length === 0) return undefined
  const token = values.length === 1 ? (bearerIn(values[0] ?? '') ?? passwordIn(values[0] ?? '')) : undefined
  if (token === undefined) throw badToken(`${tokenHeader} does not hold one bearer token`)
  return token
}

/** The bearer token in `authorization`; undefined where another scheme stands there, or nothing. Throws Fault `caller_unknown` for one that cannot be read. */
export function plainToken({ request }: Received): string | undefined {
  const values = request.headers.all('authorization')
  if (!values.some((value) => /^bearer(?: |$)/i.test(value))) return undefined
  const token = values.length === 1 ? bearerIn(values[0] ?? '') : undefined
  if (token === undefined) throw badToken('authorization does not hold one bearer token')
  return token
}

/** 403: whoever shows a bad token is not taken for somebody without one. The reason goes to the record only. */
export function badToken(reason: string): Fault {
  return new Fault('caller_unknown', 'the token by which the caller is to be known is not accepted', { internal: reason })
}

function badCertificate(reason: string): Fault {
  return new Fault('caller_unknown', 'the client certificate by which the caller is to be known is not accepted', { internal: reason })
}

// RFC 6750 section 2.1.
const bearer = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i
// RFC 7617 section 2, with the lengths of RFC 4648 section 4.
const basic = /^basic +((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?)$/i

function bearerIn(value: string): string | undefined {
  return bearer.exec(value)?.[1]
}

function passwordIn(value: string): string | undefined {
  const encoded = basic.exec(value)?.[1]
  const text = encoded === undefined ? undefined : decoded(encoded)
  const colon = text?.indexOf(':') ?? -1
  return text === undefined || colon < 0 ? undefined : bearerIn(`bearer ${text.slice(colon + 1)}`)
}

/** Undefined for what is no base64 (RFC 4648 section 3.5: stray bits at the end). */
function decoded(encoded: string): string | undefined {
  try {
    return new TextDecoder().decode(base64url.decode(encoded.replace(/=+$/, '')))
  } catch {
    return undefined
  }
}
