import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'

const keep = untilTheEnd()

let certificates: Certificates
let vendor: number
let connections = 0

beforeAll(async () => {
  certificates = await makeCertificates()
  const { certificate: cert, key } = certificates.server
  const server = createServer({ cert, key, ca: certificates.ca, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    response.end((request.socket as TLSSocket).getPeerX509Certificate()?.subject)
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  keep(() => new Promise((resolve) => server.close(() => resolve())))
  vendor = (server.address() as AddressInfo).port
})

async function open(tls: string, variables: Readonly<Record<string, string>>) {
  const policies = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { egress: { address: "127.0.0.1:0" } }
callers: { shop: { listener: egress } }
egress:
  bank:
    listen: 127.0.0.1:0
    callers: [shop]
    environments:
      dev: { target: "https://127.0.0.1:${vendor}", allowAddresses: [127.0.0.1/32], ca: env:CA${tls} }
`
  const gateway = await openGateway(onTestFinished, { 'all.yaml': policies }, { variables: { CA: certificates.ca, ...variables }, flags: { strict: true } })
  return { gateway, call: () => fetch(`http://127.0.0.1:${gateway.port('egress:bank')}/`) }
}

const own = ', tls: { certificate: env:CERTIFICATE, key: env:KEY }'

describe('a vendor that asks for a client certificate', () => {
  it('is shown the target’s, and nobody comes without', async () => {
    const { certificate, key } = certificates.client
    const { call } = await open(own, { CERTIFICATE: certificate, KEY: key })
    expect(await (await call()).text()).toContain('client.test')
    const without = await open('', {})
    expect((await without.call()).status).toBeGreaterThanOrEqual(502)
  })

  it('is not dialled while the certificate or its key is missing', async () => {
    const before = connections
    for (const variables of [{ CERTIFICATE: certificates.client.certificate }, { KEY: certificates.client.key, CERTIFICATE: 'no certificate' }]) {
      const { call, gateway } = await open(own, variables)
      expect(await (await call()).json()).toMatchObject({ status: 503, code: 'credential_unavailable' })
      await gateway.entry((entry) => JSON.stringify(entry).includes('is missing, empty or no PEM text'))
    }
    expect(connections).toBe(before)
  })
})
