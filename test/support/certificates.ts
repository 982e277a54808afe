import { generate } from 'selfsigned'

interface Pair {
  readonly certificate: string
  readonly key: string
}

/** PEM texts of a certificate authority and of what it signed, made anew: nothing in the repository ever expires. */
export interface Certificates {
  readonly ca: string
  readonly server: Pair
  readonly client: Pair
  /** Signed by itself. */
  readonly stranger: Pair
  /** A further certificate, signed by the authority: with this address and these URIs among its names, over already where it is `expired`. Its common name is the DNS name's unless said. */
  readonly issue: (names: Names) => Promise<Pair>
}

interface Names {
  readonly dns: string
  readonly common?: string
  readonly ip?: string
  readonly uri?: readonly string[]
  readonly expired?: boolean
}

/** Makes certificates. The server's is for `service.test` and 127.0.0.1. Authorities that are trusted side by side need names of their own. */
export async function makeCertificates(name = 'Test CA'): Promise<Certificates> {
  const authority = await make({ dns: name }, true)
  const signer = { cert: authority.certificate, key: authority.key }
  return {
    ca: authority.certificate,
    server: await make({ dns: 'service.test', ip: '127.0.0.1' }, false, signer),
    client: await make({ dns: 'client.test' }, false, signer),
    stranger: await make({ dns: 'stranger.test' }, false),
    issue: (names) => make(names, false, signer),
  }
}

async function make(
  { dns, common = dns, ip, uri = [], expired = false }: Names,
  isAuthority: boolean,
  ca?: { readonly cert: string; readonly key: string },
): Promise<Pair> {
  const altNames = [
    { type: 2 as const, value: dns },
    ...(ip === undefined ? [] : [{ type: 7 as const, ip }]),
    ...uri.map((value) => ({ type: 6 as const, value })),
  ]
  const pem = await generate([{ name: 'commonName', value: common }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'basicConstraints', cA: isAuthority, critical: true }, ...(isAuthority ? [] : [{ name: 'subjectAltName' as const, altNames }])],
    ...(ca === undefined ? {} : { ca }),
    ...(expired ? { notBeforeDate: new Date(Date.now() - 172_800_000), notAfterDate: new Date(Date.now() - 86_400_000) } : {}),
  })
  return { certificate: pem.cert, key: pem.private }
}
