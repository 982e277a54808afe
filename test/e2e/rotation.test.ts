import { rename, writeFile } from 'node:fs/promises'
import { createServer as createHttps, request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { openGateway } from '../support/gateway.ts'
import { running } from '../support/sockets.ts'
import { tempFolder } from '../support/temp-folder.ts'

let pem: Certificates
beforeAll(async () => {
  pem = await makeCertificates()
})

/** Puts a file in place in one step. */
async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.next`, text)
  await rename(`${path}.next`, path)
}

/** One request over a connection of its own: status, body, and whose certificate was shown. */
function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path: '/who', agent: false, ca: pem.ca, servername: 'service.test' }, (response) => {
      const shown = (response.socket as TLSSocket).getPeerCertificate() // it is an https request
      let text = ''
      response.on('data', (data: Buffer) => {
        text += data.toString()
      })
      response.on('end', () => resolve(`${response.statusCode} ${text} ${String(shown.subject.CN)}`))
      response.on('error', reject)
    })
    call.on('error', reject).end()
  })
}

test('certificates of the public listener and of a cluster rotate under load: no request fails, and new handshakes know the new ones', {
  timeout: 60_000,
}, async () => {
  const next = await pem.issue({ dns: 'service.test', common: 'next' })
  const nextClient = await pem.issue({ dns: 'next-client.test' })
  const folder = await tempFolder({
    'ca.pem': pem.ca,
    'tls.crt': pem.server.certificate,
    'tls.key': pem.server.key,
    'client.crt': pem.client.certificate,
    'client.key': pem.client.key,
  })
  const file = (name: string) => `${folder.path}/${name}`
  const options = { cert: pem.server.certificate, key: pem.server.key, ca: pem.ca, requestCert: true }
  const upstream = await running(
    // Without reuse every request is a handshake.
    createHttps(options, (call, response) => response.setHeader('connection', 'close').end((call.socket as TLSSocket).getPeerCertificate().subject.CN)),
  )
  const gateway = await openGateway(onTestFinished, {
    'a.yaml': `sallyport: v1
environments: { dev: { class: nonprod } }
listeners:
  public: { address: "127.0.0.1:0", tls: { certificate: "file:${file('tls.crt')}", key: "file:${file('tls.key')}" } }
  admin: { address: "127.0.0.1:0" }
clusters:
  who:
    address: "127.0.0.1:${upstream.port}"
    tls: { serverName: service.test, ca: "file:${file('ca.pem')}", certificate: "file:${file('client.crt')}", key: "file:${file('client.key')}" }
routes: { who: { match: { path: /who }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: who } }
`,
  })
  const port = gateway.port('public')
  const answers: string[] = []
  const load = { on: true }
  const loads = Array.from({ length: 4 }, async () => {
    while (load.on) answers.push(await ask(port).catch((error: unknown) => `failed: ${String(error)}`))
  })
  const taken = (use: string, count: number) =>
    gateway.entry((record) => {
      const all = gateway.journal.filter((each) => each['event'] === 'certificate_taken' && each['use'] === use)
      return all.length >= count && record === all.at(-1)
    })
  await taken('cluster who', 1)

  // Half of a pair: the last good one serves, and that is said.
  await put(file('tls.crt'), next.certificate)
  const refused = await gateway.entry((record) => record['event'] === 'certificate_refused' && record['use'] === 'listener public')
  expect(refused).toMatchObject({ level: 'error', serving: 'the last good ones' })
  expect(await ask(port)).toBe('200 client.test service.test')
  await put(file('tls.key'), next.key)
  // The first time was before anybody could listen to the journal.
  await taken('listener public', 1)
  await put(file('client.crt'), nextClient.certificate)
  await put(file('client.key'), nextClient.key)
  await taken('cluster who', 2)
  expect(await ask(port)).toBe('200 next-client.test next')
  load.on = false
  await Promise.all(loads)
  expect(answers.filter((answer) => !/^200 (?:next-)?client\.test (?:service\.test|next)$/.test(answer))).toEqual([])
  expect(answers).toContain('200 client.test service.test')
  expect(await gateway.admin('/metrics')).toMatch(/sallyport_certificate_reads_total\{use="listener public",outcome="failed"\} 1\n/)
})

test('an upstream with another SPIFFE id is refused, and the record says whose certificate it was and whose was expected', async () => {
  const search = await pem.issue({ dns: 'service.test', uri: ['spiffe://corp.test/ns/shop/sa/search'] })
  const upstream = await running(createHttps({ cert: search.certificate, key: search.key }, (_call, response) => response.end('secret')))
  const gateway = await openGateway(
    onTestFinished,
    {
      'a.yaml': `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: "127.0.0.1:0" } }
clusters:
  orders: { address: "127.0.0.1:${upstream.port}", tls: { spiffe: "spiffe://corp.test/ns/shop/sa/orders", ca: "env:CA" } }
  shop: { address: "127.0.0.1:${upstream.port}", tls: { spiffe: ["spiffe://corp.test/ns/shop/*"], ca: "env:CA" } }
routes:
  orders: { match: { path: /orders }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: orders }
  shop: { match: { path: /shop }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: shop }
`,
    },
    { variables: { CA: pem.ca } },
  )
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${gateway.port('public')}${path}`)).text()
  expect(await get('/shop')).toBe('secret')
  expect(await get('/orders')).not.toContain('search')
  const record = await gateway.entry((each) => each['route'] === 'orders')
  expect(record).toMatchObject({ status: 503 })
  expect(JSON.stringify(record)).toContain('its certificate names spiffe://corp.test/ns/shop/sa/search; spiffe://corp.test/ns/shop/sa/orders was expected')
})
