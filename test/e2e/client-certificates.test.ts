import { createHash, X509Certificate } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { type IssuerDouble, issuerDouble } from '../support/issuer.ts'
import { untilTheEnd } from '../support/keep.ts'

const keep = untilTheEnd()
const id = 'spiffe://shop.test/ns/shop/sa/web'
let pem: Certificates
let gateway: Gateway
let idp: IssuerDouble

/** A server that answers with what `answer` says of the headers. */
async function serve(answer: (url: string, headers: Readonly<Record<string, unknown>>) => string): Promise<number> {
  const server = createServer((request, response) => void response.end(answer(request.url ?? '', request.headers)))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  keep(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

beforeAll(async () => {
  pem = await makeCertificates()
  const upstream = await serve((_, headers) => JSON.stringify({ who: headers['x-user'], serial: headers['x-serial'] }))
  const port = await serve((url) => (url.endsWith('/jwks') ? idp.jwks() : idp.metadata()))
  idp = await issuerDouble(() => Date.now(), `http://127.0.0.1:${port}`)
  const policies = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners:
  public:
    address: 127.0.0.1:0
    tls: { certificate: "env:E2E_CERTIFICATE", key: "env:E2E_KEY", clientAuth: optional, clientCa: "env:E2E_CA" }
issuers: { main: { issuer: "${idp.url}", audiences: ["${idp.audience}"] } }
certificates:
  mesh: { spiffe: { trustDomain: shop.test }, names: ["spiffe://shop\\\\.test/ns/shop/.*"], scopes: ["orders:read"] }
clusters: { web: { address: "127.0.0.1:${upstream}" } }
access:
  workloads: { authenticate: { mtls: mesh }, rules: [{ id: read, allow: { methods: [GET], scopes: ["orders:read"] } }] }
  tokens:
    authenticate: { jwt: main }
    rules:
      - { id: inside, allow: { methods: [GET], tls: { spiffe: ["spiffe://shop.test/ns/shop/*"] } } }
      - { id: not-old, deny: { tls: { dns: ["old.test"] } } }
  bound: { authenticate: { jwt: main }, rules: [{ id: any, allow: { methods: [GET] } }] }
routes:
  workloads: { match: { path: /workloads }, access: workloads, to: web, handOn: { claims: { x-user: sub, x-serial: serial } } }
  tokens: { match: { path: /tokens }, access: tokens, to: web }
  bound: { match: { path: /bound }, access: bound, to: web }
`
  const variables = { E2E_CERTIFICATE: pem.server.certificate, E2E_KEY: pem.server.key, E2E_CA: pem.ca }
  gateway = await openGateway(keep, { 'a.yaml': policies }, { variables })
})

/** Status and body of a GET over a connection with these TLS options, or `cut` when there was no answer. */
async function ask(path: string, options: ConnectionOptions = {}, headers: readonly string[] = []): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: gateway.port('public'), ca: pem.ca, servername: 'service.test', ALPNProtocols: ['http/1.1'], ...options })
  onTestFinished(() => void socket.destroy())
  let heard = ''
  socket.on('error', () => {})
  socket.on('data', (data) => {
    heard += data.toString()
  })
  socket.on('secureConnect', () => socket.write(`GET ${path} HTTP/1.1\r\n${['Host: api.shop.test', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`))
  await new Promise((resolve) => socket.once('close', resolve))
  const [head = '', body = ''] = heard.split('\r\n\r\n')
  if (head === '') return 'cut'
  const json = /\{.*\}/s.exec(body)?.[0]
  const code: unknown = json === undefined ? undefined : (JSON.parse(json) as Record<string, unknown>)['code']
  return `${head.split(' ')[1] ?? ''} ${typeof code === 'string' ? code : (json ?? '')}`
}

const issued = async (names: Parameters<Certificates['issue']>[0]) => {
  const pair = await pem.issue(names)
  return { cert: pair.certificate, key: pair.key }
}

describe('over a real listener, a client certificate', () => {
  it('of a workload that the mapping knows is let in, and the upstream learns who it is', async () => {
    const web = await issued({ dns: 'web.test', uri: [id] })
    const serial = new X509Certificate(web.cert).serialNumber
    expect(await ask('/workloads', web)).toBe(`200 ${JSON.stringify({ who: id, serial })}`)
    expect((await gateway.entry((record) => record['route'] === 'workloads'))['principal']).toMatchObject({ issuer: 'mesh', subject: id })
  })

  it('is asked for', async () => {
    expect(await ask('/workloads')).toBe('401 unauthenticated')
  })

  it.each([
    ['of another trust domain', ['spiffe://evil.test/ns/shop/sa/web']],
    ['of another namespace', ['spiffe://shop.test/ns/other/sa/web']],
    ['with two ids', [id, `${id}2`]],
    ['without an id', []],
  ])('%s is refused', async (_, uri) => {
    expect(await ask('/workloads', await issued({ dns: 'web.test', uri }))).toBe('403 certificate_invalid')
  })

  it('of another authority, or one that is over, does not even get to ask', async () => {
    expect(await ask('/workloads', { cert: pem.stranger.certificate, key: pem.stranger.key })).toBe('cut')
    expect(await ask('/workloads', await issued({ dns: 'web.test', uri: [id], expired: true }))).toBe('cut')
  })

  it('is not to be had by words: nobody believes a header', async () => {
    const xfcc = `X-Forwarded-Client-Cert: By=spiffe://shop.test/gw;URI=${id}`
    expect(await ask('/workloads', {}, [xfcc])).toBe('401 unauthenticated')
  })
})

describe('beside a token', () => {
  const bearer = async (claims: Readonly<Record<string, unknown>> = {}) => [`Authorization: Bearer ${await idp.token(claims)}`]

  it('a rule can ask what certificate the connection has', async () => {
    expect(await ask('/tokens', await issued({ dns: 'web.test', uri: [id] }), await bearer())).toMatch(/^200/)
    expect(await ask('/tokens', await issued({ dns: 'old.test', uri: [id] }), await bearer())).toBe('403 forbidden')
    expect(await ask('/tokens', await issued({ dns: 'web.test' }), await bearer())).toBe('403 forbidden')
    expect(await ask('/tokens', {}, await bearer())).toBe('403 forbidden')
  })

  it('a token bound to a certificate is good over connections with it alone', async () => {
    const web = await issued({ dns: 'web.test', uri: [id] })
    const thumbprint = createHash('sha256').update(new X509Certificate(web.cert).raw).digest('base64url')
    const bound = await bearer({ cnf: { 'x5t#S256': thumbprint } })
    expect(await ask('/bound', web, bound)).toMatch(/^200/)
    expect(await ask('/bound', await issued({ dns: 'web.test', uri: [id] }), bound)).toBe('401 token_invalid')
    expect(await ask('/bound', {}, bound)).toBe('401 token_invalid')
  })
})
