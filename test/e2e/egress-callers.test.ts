import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { type IssuerDouble, issuerDouble } from '../support/issuer.ts'
import { untilTheEnd } from '../support/keep.ts'

const keep = untilTheEnd()
let pem: Certificates
let stranger: Certificates
let gateway: Gateway
let idp: IssuerDouble
let folder: string
let vendor: number
/** Headers of every call that the vendor got. */
const seen: Readonly<Record<string, unknown>>[] = []

async function serve(answer: (url: string, headers: Readonly<Record<string, unknown>>) => string): Promise<number> {
  const server = createServer((call, response) => void response.end(answer(call.url ?? '', call.headers)))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  keep(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return (server.address() as AddressInfo).port // it is bound to an address, not to a pipe
}

beforeAll(async () => {
  pem = await makeCertificates()
  stranger = await makeCertificates()
  vendor = await serve((_, headers) => {
    seen.push(headers)
    return 'paid'
  })
  const port = await serve((url) => (url.endsWith('/jwks') ? idp.jwks() : idp.metadata()))
  idp = await issuerDouble(() => Date.now(), `http://127.0.0.1:${port}`)
  folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'))
  keep(() => rm(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries({ 'tls.crt': pem.server.certificate, 'tls.key': pem.server.key, 'ca.pem': pem.ca }))
    await writeFile(join(folder, name), text)
  const tls = `{ certificate: "file:${folder}/tls.crt", key: "file:${folder}/tls.key", clientCa: "file:${folder}/ca.pem" }`
  gateway = await openGateway(keep, {
    'a.yaml': `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod } }
listeners: { egress: { address: "127.0.0.1:0", proxy: true, tls: ${tls} } }
issuers: { main: { issuer: "${idp.url}", audiences: ["${idp.audience}"] } }
callers:
  checkout: { spiffe: "spiffe://corp.test/ns/*/sa/checkout" }
  qa: { spiffe: "spiffe://corp.test/ns/test/sa/qa", mayChooseEnv: [test] }
  batch: { token: { issuer: main, claims: { sub: batch } }, environment: test }
egress:
  pay:
    host: pay.egress.internal
    listen: 127.0.0.1:0
    tls: ${tls}
    callers: [checkout, qa, batch]
    environments:
      dev: { target: "http://127.0.0.1:${vendor}", allowAddresses: [127.0.0.0/8] }
      test: { mode: deny, reason: not today }
  crm:
    host: crm.egress.internal
    callers: [qa]
    environments: { dev: { mode: deny } }
  tunnels:
    kind: proxy
    connect: true
    callers: [checkout, batch]
    environments:
      dev: { hosts: [127.0.0.1], ports: [${vendor}], allowAddresses: [127.0.0.0/8] }
      test: { hosts: [127.0.0.1], ports: [${vendor}], allowAddresses: [127.0.0.0/8] }
`,
  })
})

interface Asked {
  readonly pair?: { readonly certificate: string; readonly key: string }
  readonly headers?: Readonly<Record<string, string>>
  readonly listener?: string
}

/** One call over a connection of its own: status and the code of a refusal, or `cut`; with the common name that the port showed. */
function ask({ pair, headers, listener = 'egress' }: Asked): Promise<{ readonly answer: string; readonly shown: string | undefined }> {
  const client = pair === undefined ? {} : { cert: pair.certificate, key: pair.key }
  const options = { host: '127.0.0.1', port: gateway.port(listener), path: '/v1/charges', agent: false, ca: pem.ca, servername: 'service.test', ...client }
  return new Promise((resolve) => {
    const call = request({ ...options, headers: { host: 'pay.egress.internal', ...headers } }, (response) => {
      const shown = String((response.socket as TLSSocket).getPeerCertificate().subject.CN) // it is an https request
      let text = ''
      response.on('data', (data: Buffer) => {
        text += data.toString()
      })
      response.on('end', () => {
        const code = text.startsWith('{') ? (JSON.parse(text) as { code: string }).code : text
        resolve({ answer: `${response.statusCode} ${code}`, shown })
      })
    })
    call.on('error', () => resolve({ answer: 'cut', shown: undefined })).end()
  })
}

/** A CONNECT to the vendor: its status, and the first line of what is answered to what is said in the tunnel. */
function tunnel({ pair, headers = {} }: Asked, say = ''): Promise<string> {
  const client = pair === undefined ? {} : { cert: pair.certificate, key: pair.key }
  const options = { host: '127.0.0.1', port: gateway.port('egress'), method: 'CONNECT', path: `127.0.0.1:${vendor}`, agent: false, ca: pem.ca }
  return new Promise((resolve) => {
    const call = request({ ...options, servername: 'service.test', ...client, headers: { host: `127.0.0.1:${vendor}`, ...headers } })
    call.on('connect', (response, socket) => {
      const done = (heard: string) => {
        resolve(`${response.statusCode}${heard}`)
        socket.destroy()
      }
      if (say === '') return done('')
      socket.on('data', (data: Buffer) => done(` ${data.toString().split('\r\n', 1)[0]}`))
      socket.write(say)
    })
    call.on('error', () => resolve('cut')).end()
  })
}

const answerTo = async (asked: Asked) => (await ask(asked)).answer
const svid = (...uri: readonly string[]) => pem.issue({ dns: 'workload.test', uri })
const bearer = (token: string) => ({ 'proxy-authorization': `Bearer ${token}` })

describe('over real listeners', () => {
  it('workloads are known by their SVIDs and a third by its token, each where it may go; the vendor hears of none of it', async () => {
    const checkout = await svid('spiffe://corp.test/ns/shop/sa/checkout')
    const qa = await svid('spiffe://corp.test/ns/test/sa/qa')
    seen.length = 0
    for (const listener of ['egress', 'egress:pay']) {
      expect(await answerTo({ pair: checkout, listener, headers: { authorization: 'Bearer sk_dummy' } })).toBe('200 paid')
      expect(await answerTo({ pair: qa, listener })).toBe('200 paid')
    }
    expect(await answerTo({ pair: qa, headers: { 'x-egress-env': 'test' } })).toBe('403 egress_denied')
    expect(await answerTo({ pair: checkout, headers: { 'x-egress-env': 'test' } })).toBe('403 env_denied')
    expect(await answerTo({ pair: checkout, headers: { host: 'crm.egress.internal' } })).toBe('403 egress_denied')
    const token = await idp.token({ sub: 'batch' })
    // Its own environment is closed today: that it got so far says who it was.
    for (const headers of [bearer(token), { authorization: `Bearer ${token}` }]) expect(await answerTo({ headers })).toBe('403 egress_denied')
    const record = await gateway.entry((entry) => (entry['egress'] as { caller?: string } | undefined)?.caller === 'batch')
    expect(record['egress']).toMatchObject({ caller_by: ['token'], caller_issuer: 'main', caller_subject: 'batch', environment: 'test' })
    expect(seen).toHaveLength(4)
    for (const headers of seen) expect(Object.keys(headers)).not.toEqual(expect.arrayContaining([expect.stringMatching(/authorization|forwarded|spiffe/)]))
  })

  it.each<[string, string, () => Promise<Asked>]>([
    ['nothing at all', '403 caller_unknown', async () => ({})],
    ['an id of another trust domain', '403 caller_unknown', async () => ({ pair: await svid('spiffe://other.test/ns/shop/sa/checkout') })],
    ['an id nobody named', '403 caller_unknown', async () => ({ pair: await svid('spiffe://corp.test/ns/shop/sa/other') })],
    ['two URIs', '403 caller_unknown', async () => ({ pair: await svid('spiffe://corp.test/ns/shop/sa/checkout', 'spiffe://corp.test/ns/test/sa/qa') })],
    ['a certificate without an id', '403 caller_unknown', async () => ({ pair: pem.client })],
    [
      'a certificate that is over',
      'cut',
      async () => ({ pair: await pem.issue({ dns: 'x', uri: ['spiffe://corp.test/ns/shop/sa/checkout'], expired: true }) }),
    ],
    ['the right id by another authority', 'cut', async () => ({ pair: await stranger.issue({ dns: 'x', uri: ['spiffe://corp.test/ns/shop/sa/checkout'] }) })],
    ['a token for another audience', '403 caller_unknown', async () => ({ headers: bearer(await idp.token({ sub: 'batch', aud: 'https://api.other' })) })],
    ['a token that is over', '403 caller_unknown', async () => ({ headers: bearer(await idp.token({ sub: 'batch', iat: 1, exp: 2 })) })],
    [
      'a good certificate and a bad token',
      '403 caller_unknown',
      async () => ({ pair: await svid('spiffe://corp.test/ns/shop/sa/checkout'), headers: bearer(await idp.token({ sub: 'batch', iat: 1, exp: 2 })) }),
    ],
  ])('%s is refused: %s', async (_, expected, make) => {
    seen.length = 0
    expect(await answerTo(await make())).toBe(expected)
    expect(seen).toEqual([])
  })

  it('tunnels are opened for those who are known by a certificate or a token, and say so in their record', async () => {
    expect(await tunnel({})).toMatch(/^403/)
    expect(await tunnel({ headers: bearer('rubbish') })).toMatch(/^403/)
    expect(await tunnel({ pair: await svid('spiffe://corp.test/ns/test/sa/qa') })).toMatch(/^403/)
    expect(await tunnel({ pair: await svid('spiffe://corp.test/ns/shop/sa/checkout'), headers: { authorization: 'Bearer its-own' } })).toBe('200')
    const token = await idp.token({ sub: 'batch' })
    expect(await tunnel({ headers: { authorization: `Bearer ${token}` } })).toMatch(/^403/)
    expect(await tunnel({ headers: { 'proxy-authorization': `Basic ${Buffer.from(`token:${token}`).toString('base64')}` } })).toBe('200')
    const plainly = `GET /in-the-clear HTTP/1.1\r\nHost: 127.0.0.1:${vendor}\r\n\r\n`
    expect(await tunnel({ headers: bearer(token) }, plainly)).toBe('200 HTTP/1.1 200 OK')
    const inside = await gateway.entry((entry) => entry['path'] === '/in-the-clear')
    expect(inside['egress']).toMatchObject({ service: 'tunnels', caller: 'batch', caller_by: ['token'] })
    const record = await gateway.entry((entry) => entry['kind'] === 'stream' && entry['caller'] === 'batch')
    expect(record).toMatchObject({ service: 'tunnels', caller_by: ['token'], caller_issuer: 'main', caller_subject: 'batch', environment: 'test' })
    expect(JSON.stringify(gateway.journal)).not.toContain(token)
  })

  it('the certificate and the authority of the ports change with their files, and who was known by the old one is not any more', async () => {
    const old = await svid('spiffe://corp.test/ns/shop/sa/checkout')
    const next = await stranger.issue({ dns: 'x', uri: ['spiffe://corp.test/ns/shop/sa/checkout'] })
    expect(await ask({ pair: old })).toEqual({ answer: '200 paid', shown: 'service.test' })
    const shown = await pem.issue({ dns: 'service.test', common: 'next' })
    const put = async (name: string, text: string) => {
      await writeFile(`${folder}/${name}.next`, text)
      await rename(`${folder}/${name}.next`, `${folder}/${name}`)
    }
    await put('tls.key', shown.key)
    await put('tls.crt', shown.certificate)
    await put('ca.pem', stranger.ca)
    for (const listener of ['egress', 'egress:pay']) {
      await expect.poll(() => ask({ pair: next, listener }), { timeout: 10_000 }).toEqual({ answer: '200 paid', shown: 'next' })
      expect(await answerTo({ pair: old, listener })).toBe('cut')
    }
  }, 30_000)
})
