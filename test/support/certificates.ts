import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** PEM texts of a certificate authority and of what it signed, made anew: nothing in the repository ever expires. */
export interface Certificates {
  readonly ca: string
  readonly server: { readonly certificate: string; readonly key: string }
  readonly client: { readonly certificate: string; readonly key: string }
  /** Signed by itself. */
  readonly stranger: { readonly certificate: string; readonly key: string }
}

/** Makes certificates with the system's openssl. The server's is for `service.test` and 127.0.0.1. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'))
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const selfSigned = (name: string, subject: string) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      subject,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.pem`),
    )
  const signed = (name: string, subject: string, names: string) => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at(`${name}.key`)]
    openssl(
      'req',
      '-x509',
      ...key,
      '-days',
      '2',
      '-subj',
      subject,
      '-addext',
      `subjectAltName=${names}`,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca.key'),
      '-out',
      at(`${name}.pem`),
    )
  }
  const read = (name: string) => ({ certificate: readFileSync(at(`${name}.pem`), 'utf8'), key: readFileSync(at(`${name}.key`), 'utf8') })
  try {
    selfSigned('ca', '/CN=Test CA')
    signed('server', '/CN=service.test', 'DNS:service.test,IP:127.0.0.1')
    signed('client', '/CN=client.test', 'DNS:client.test')
    selfSigned('stranger', '/CN=stranger.test')
    return { ca: read('ca').certificate, server: read('server'), client: read('client'), stranger: read('stranger') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
