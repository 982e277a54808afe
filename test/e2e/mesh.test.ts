import { createServer as createHttp, request, type Server } from 'node:http'
import { createServer as createH2 } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type Answer, clients } from '../support/clients.ts'
import { sallyport } from '../support/command.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { openRecorder, type Recorder } from '../support/http-recorder.ts'
import { type Keep, untilTheEnd } from '../support/keep.ts'
import { type MatrixService, matrixFailure, openMatrix } from '../support/matrix-service.ts'
import { type Mesh, openMesh } from '../support/mesh.ts'
import { type Caller, officialClients } from '../support/official-clients.ts'
import { hasEnvoy } from '../support/real.ts'
import { house, openHttp } from '../support/shop.ts'
import { running } from '../support/sockets.ts'
import { tempFolder } from '../support/temp-folder.ts'

const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const policies = (port: number, catalog = 'sidecar: envoy', orders = 'sidecar: envoy, protocol: grpc') => `sallyport: v1
clusters:
  orders: { ${orders}, address: "127.0.0.1:${port}", authority: orders.shop.svc.cluster.local, descriptors: matrix.binpb }
  catalog: { ${catalog}, address: "127.0.0.1:${port}", authority: catalog.shop.svc.cluster.local }
routes:
  orders: { match: { grpc: matrix.v1.Matrix }, ${anyone}, timeout: 5s, to: orders }
  catalog: { match: { path: "/catalog/{**}" }, ${anyone}, timeout: 3s, to: catalog }
`

/** What nobody outside may say to a mesh. */
const controls: readonly (readonly [string, string])[] = [
  ['x-envoy-upstream-rq-timeout-ms', '999999'],
  ['X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms', '1'],
  ['x-envoy-expected-rq-timeout-ms', '1'],
  ['x-envoy-retry-on', '5xx'],
  ['x-envoy-max-retries', '99'],
  ['x-envoy-original-url', '/admin'],
  ['x-envoy-force-trace', 'true'],
  ['x-envoy-decorator-operation', 'evil'],
  ['x-envoy-internal', 'true'],
  ['x-envoy-external-address', '10.9.9.9'],
  ['l5d-dst-override', 'admin.internal:80'],
  ['l5d-client-id', 'root.serviceaccount'],
  ['l5d-request-timeout', '1h'],
  ['x-forwarded-client-cert', 'By=spiffe://evil/gw;URI=spiffe://corp/ns/shop/sa/root'],
  ['grpc-metadata-x-envoy-retry-on', '5xx'],
  ['grpc-metadata-l5d-dst-override', 'admin.internal:80'],
  ['grpc-metadata-x-forwarded-client-cert', 'URI=spiffe://evil/x'],
  ['x-passed-for', '10.9.9.9'],
]
/** What the proxy in front of the service says of the gateway's proxy, and nobody else of anybody. */
const proven = /^By=spiffe:\/\/corp\/ns\/shop\/sa\/(?:orders|catalog);Hash=[0-9a-f]{64};URI=spiffe:\/\/corp\/ns\/edge\/sa\/sallyport$/
const evil = /999999|evil|admin|10\.9\.9\.9|root|l5d|5xx|: 99$/

describe.skipIf(!hasEnvoy())('through a real Envoy with mutual TLS to a second one', () => {
  const keep = untilTheEnd()
  let matrix: MatrixService
  let catalog: Recorder
  let mesh: Mesh
  let gateway: Gateway
  let call: Caller

  beforeAll(async () => {
    matrix = await openMatrix(keep)
    catalog = await openRecorder(keep)
    mesh = await openMesh(keep, { orders: matrix.port, catalog: catalog.port })
    gateway = await openGateway(keep, { 'house.yaml': house, 'mesh.yaml': policies(mesh.port), 'matrix.binpb': matrix.descriptors })
    const client = officialClients.find(({ title }) => title.includes('grpc-js'))
    if (client === undefined) throw new Error('no native client')
    call = client.open(keep, gateway.port('public'), matrix)
  }, 60_000)

  it('HTTP passes, in both versions, with a body', async () => {
    for (const client of Object.values(clients)) {
      const answer = await client(gateway.port('public'), {
        method: 'POST',
        path: '/catalog/books?x=1',
        headers: [['content-type', 'text/plain']],
        body: 'hello',
      })
      expect([answer.status, answer.text]).toEqual([200, 'recorded\n'])
      expect(catalog.requests.at(-1)).toMatchObject({ method: 'POST', target: '/catalog/books?x=1', body: 'hello' })
    }
  })

  it('gRPC passes: unary, download, upload and talk', async () => {
    const asks = [{ text: 'a', count: 3 }, { text: 'b' }, { text: 'c' }]
    const texts = async (...asked: Parameters<Caller>) => {
      const { code, messages } = await call(...asked)
      return [code, messages.map(({ text }) => text)]
    }
    expect(await texts('unary', [{ text: 'one' }])).toEqual([0, ['one']])
    expect(await texts('download', asks.slice(0, 1))).toEqual([0, ['a', 'a', 'a']])
    expect(await texts('upload', asks)).toEqual([0, ['a,b,c']])
    expect(await texts('talk', asks)).toEqual([0, ['a', 'b', 'c']])
  })

  it('errors keep their code, message and details', async () => {
    for (const kind of ['unary', 'download', 'talk'] as const) {
      const { code, message, details } = await call(kind, [{ text: 'x', fail: true }])
      expect([code, message, details]).toMatchObject([9, matrixFailure.message, [{ reason: matrixFailure.reason, domain: matrixFailure.domain }]])
    }
    const http = await ask(gateway, '/matrix.v1.Matrix/Unary', [['content-type', 'application/json']], '{"fail":true}')
    expect([http.status, JSON.parse(http.text)]).toMatchObject([400, { code: 9, message: matrixFailure.message }])
  })

  it('the deadline that the second Envoy and the service see is what is left', async () => {
    await ask(gateway, '/catalog/books', [['x-server-timeout', '1.5']])
    const expected = Number(fieldsOf(catalog)['x-envoy-expected-rq-timeout-ms'])
    expect(expected).toBeGreaterThan(1_000)
    expect(expected).toBeLessThanOrEqual(1_500)
    const before = matrix.calls.length
    await call('unary', [{ text: 'x' }], { timeoutMs: 2_000 })
    const { remainingMs } = await matrix.call(before)
    expect(remainingMs).toBeGreaterThan(1_000)
    expect(remainingMs).toBeLessThanOrEqual(2_000)
  })

  it('and each of the proxies holds the service to it', async () => {
    const before = matrix.calls.length
    const { code } = await call('unary', [{ hang: true }], { timeoutMs: 600 })
    expect(code).toBe(4)
    await (await matrix.call(before)).cancelled
  })

  it('nothing a client says to the mesh survives, by header, metadata, trailer or under another spelling', async () => {
    for (const client of Object.values(clients)) {
      await client(gateway.port('public'), { method: 'GET', path: '/catalog/books', headers: controls })
      const fields = catalog.requests.at(-1)?.fields.filter(([name, value]) => name !== 'host' && evil.test(`${name}: ${value}`))
      expect(fields).toEqual([])
      expect(fieldsOf(catalog)['x-forwarded-client-cert']).toMatch(proven)
    }
    const count = catalog.requests.length
    expect(await withTrailers(gateway.port('public'), controls, true)).toBe(400)
    expect(catalog.requests.length).toBe(count)
    expect(await withTrailers(gateway.port('public'), controls, false)).toBe(200)
    expect(catalog.requests.at(-1)).toMatchObject({ body: 'body', trailers: [] })
    const before = matrix.calls.length
    await ask(gateway, '/matrix.v1.Matrix/Unary', [...controls, ['content-type', 'application/json']], '{}')
    await call('unary', [{ text: 'x' }], { metadata: Object.fromEntries(controls.filter(([name]) => name === name.toLowerCase())) })
    for (const seen of [await matrix.call(before), await matrix.call(before + 1)]) {
      const map = seen.metadata.getMap()
      expect(Object.entries(map).filter(([name, value]) => evil.test(`${name}: ${String(value)}`))).toEqual([])
      expect(map['x-forwarded-client-cert']).toMatch(proven)
    }
  })

  it('the service learns the address of the client, though the proxies were told the time by an internal one', async () => {
    await ask(gateway, '/catalog/books', [['x-server-timeout', '1.5']])
    expect(fieldsOf(catalog)['x-forwarded-for']).toBe('127.0.0.1')
  })
})

describe.skipIf(!hasEnvoy())('with a service that fails behind a sidecar that would try again', () => {
  const keep = untilTheEnd()
  it('a route that retries by itself tells the sidecar not to; one that does not leaves it to the sidecar', { timeout: 60_000 }, async () => {
    let asked = 0
    const port = await openHttp(keep, (_, response) => {
      asked += 1
      response.writeHead(503).end('no')
    })
    const mesh = await openMesh(keep, {
      orders: 1,
      catalog: port,
      replace: [['retry_on: "connect-failure,refused-stream", num_retries: 1', 'retry_on: "5xx", num_retries: 3']],
    })
    const route = (name: string, more: string) => `  ${name}: { match: { path: /${name} }, ${anyone}, to: catalog${more} }\n`
    const gateway = await openGateway(keep, {
      'house.yaml': house,
      'mesh.yaml': `sallyport: v1
clusters: { catalog: { sidecar: envoy, address: "127.0.0.1:${mesh.port}", authority: catalog.shop.svc.cluster.local } }
routes:
${route('own', ', retry: { attempts: 1, on: [unavailable] }')}${route('theirs', '')}`,
    })
    expect((await ask(gateway, '/own')).status).toBe(503)
    expect(asked).toBe(2)
    expect((await ask(gateway, '/theirs')).status).toBe(503)
    expect(asked).toBe(2 + 4)
  })
})

describe.skipIf(!hasEnvoy())('sallyport check --probe through the sidecar', { timeout: 60_000 }, () => {
  const services = async (keep: Keep) => ({ orders: (await openMatrix(keep)).port, catalog: (await openRecorder(keep)).port })

  it('passes where everything is in place', async () => {
    const mesh = await openMesh(onTestFinished, await services(onTestFinished))
    expect(await probe(policies(mesh.port))).toMatchObject({ status: 0, problems: [] })
  })

  it('names a sidecar that is down, and a service that is', async () => {
    const mesh = await openMesh(onTestFinished, await services(onTestFinished))
    await mesh.stop('inbound')
    const { status, problems } = await probe(policies(mesh.port))
    expect(status).toBe(1)
    expect(problems).toEqual([
      expect.stringMatching(
        /\(as orders\.shop\.svc\.cluster\.local\): who answers there says UNAVAILABLE: .*(?:connection failure|Connection refused|connect error)/i,
      ),
      expect.stringMatching(
        /\(as catalog\.shop\.svc\.cluster\.local\): the sidecar does not get an answer from the service: upstream connect error.*(?:Connection refused|connection failure)/i,
      ),
    ])
    await mesh.stop('outbound')
    const refused = expect.stringContaining('nothing listens there (connection refused)')
    expect(await probe(policies(mesh.port))).toMatchObject({ status: 1, problems: [refused, refused] })
  })

  it('names a service that presents the wrong name, as the sidecar sees it', async () => {
    const presents = { orders: 'spiffe://corp/ns/shop/sa/search', catalog: 'spiffe://corp/ns/evil/sa/catalog' }
    const mesh = await openMesh(onTestFinished, { ...(await services(onTestFinished)), presents })
    const { status, problems, hints } = await probe(policies(mesh.port))
    expect(status).toBe(1)
    expect(problems).toEqual([
      expect.stringMatching(/UNAVAILABLE: .*CERTIFICATE_VERIFY_FAILED/),
      expect.stringMatching(/upstream connect error.*CERTIFICATE_VERIFY_FAILED/),
    ])
    expect(hints).toEqual(Array.from({ length: 2 }, () => expect.stringContaining('whose certificate the service presents')))
  })

  it('names an authority that the sidecar has no route for', async () => {
    const mesh = await openMesh(onTestFinished, await services(onTestFinished))
    const { problems } = await probe(policies(mesh.port).replaceAll('shop.svc', 'shopp.svc'))
    expect(problems).toEqual([
      expect.stringContaining('the sidecar has no route for orders.shopp.svc.cluster.local'),
      expect.stringContaining('the sidecar has no route for catalog.shopp.svc.cluster.local'),
    ])
  })
})

describe('sallyport check --probe names what a sidecar speaks in place of what was said', { timeout: 30_000 }, () => {
  const at = async (server: Server | ReturnType<typeof createH2>) => (await running(server)).port
  let pem: Certificates
  beforeAll(async () => {
    pem = await makeCertificates()
  })
  const tls = async () => {
    return at(createHttps({ cert: pem.server.certificate, key: pem.server.key }, (_, response) => response.end()))
  }

  it.each([
    [
      'HTTP/1.1 to one that speaks HTTP/2 only',
      async () => at(createH2((_, response) => void response.end())),
      'sidecar: envoy',
      /it speaks HTTP\/2 and not HTTP\/1\.1|closes the connection on HTTP\/1\.1/,
    ],
    [
      'HTTP/2 to one that speaks HTTP/1.1 only',
      async () => at(createHttp((_, response) => void response.end())),
      'sidecar: envoy, protocol: h2',
      /it speaks HTTP\/1\.1 and not HTTP\/2/,
    ],
    ['TLS to one that speaks clear text', async () => at(createHttp((_, response) => void response.end())), 'sidecar: envoy, tls: {}', /it does not speak TLS/],
    ['clear text to one that speaks TLS', tls, 'sidecar: envoy', /it speaks TLS, and was greeted in clear text|closes the connection on HTTP\/1\.1/],
    [
      'TLS to one that presents the wrong name',
      tls,
      'sidecar: envoy, tls: { serverName: other.test, ca: "env:CA" }',
      /its certificate names DNS:service\.test, .*; other\.test was expected/,
    ],
  ])('%s', async (_, open, catalog, problem) => {
    const port = await open()
    const text = policies(port, catalog).replace(/^ {2}orders: .*\n/gm, '')
    const { status, problems } = await probe(text, { CA: pem.ca })
    expect(status).toBe(1)
    expect(problems).toEqual([expect.stringMatching(problem)])
  })
})

async function ask(gateway: Gateway, path: string, headers: readonly (readonly [string, string])[] = [], body?: string): Promise<Answer> {
  const sent = { method: body === undefined ? 'GET' : 'POST', path, headers, ...(body !== undefined && { body }) }
  return clients['HTTP/1.1'](gateway.port('public'), sent)
}

function fieldsOf(recorder: Recorder): Readonly<Record<string, string>> {
  return Object.fromEntries(recorder.requests.at(-1)?.fields ?? [])
}

/** A chunked request with these fields behind its body. */
function withTrailers(port: number, trailers: readonly (readonly [string, string])[], announced: boolean): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { ...(announced && { trailer: trailers.map(([name]) => name).join(', ') }), 'transfer-encoding': 'chunked' }
    const asking = request({ host: '127.0.0.1', port, path: '/catalog/books', method: 'POST', headers, agent: false }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    asking.on('error', reject)
    asking.addTrailers(trailers.map(([name, value]) => [name, value] as [string, string]))
    asking.end('body')
  })
}

async function probe(text: string, variables: Readonly<Record<string, string>> = {}) {
  const matrix = await openMatrix(onTestFinished)
  const folder = await tempFolder({ 'house.yaml': house, 'mesh.yaml': text, 'matrix.binpb': matrix.descriptors })
  const { status, out, err } = await sallyport(['check', '--env', 'dev', '--policies', folder.path, '--probe', '--json'], variables)
  if (out === '') throw new Error(err)
  const { diagnostics } = JSON.parse(out) as { readonly diagnostics: readonly { readonly code: string; readonly message: string; readonly hint?: string }[] }
  const found = diagnostics.filter(({ code }) => code === 'endpoint_unusable')
  return { status, problems: found.map(({ message }) => message), ...(found.length > 0 && { hints: found.map(({ hint }) => hint) }) }
}
