import type { IncomingMessage, RequestListener } from 'node:http'
import { createServer } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import type { JournalRecord } from '../../src/core/ports.ts'
import { type Answer, http1 } from '../support/clients.ts'
import { type ExtAuthzServer, openExtAuthz } from '../support/ext-authz.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'

/** Long enough for a busy machine to answer in, short enough to wait for. */
const budget = '1500ms'

const keep = untilTheEnd()
let gateway: Gateway
let authz: ExtAuthzServer
let orders: WatchedOrders
/** What the servers do from now on. */
let opa: RequestListener
let web: RequestListener
const asked: { readonly path: string; readonly body: string }[] = []
const passed: IncomingMessage[] = []
/** Requests to the OPA-shaped server whose connection was closed before it answered. */
let opaLeft: PromiseWithResolvers<void>

beforeAll(async () => {
  const opaPort = await openHttp(keep, (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      asked.push({ path: request.url ?? '', body: Buffer.concat(parts).toString() })
      const left = opaLeft
      response.on('close', () => left?.resolve())
      opa(request, response)
    })
  })
  const httpAuthz = await openHttp(keep, (request, response) => web(request, response))
  const service = await openHttp(keep, (request, response) => {
    passed.push(request)
    response.end('served')
  })
  authz = await openExtAuthz(keep, { json: { status: {} } })
  orders = await openOrders(keep)
  const anyone = 'rules: [{ id: all, allow: { anonymous: true } }]'
  const cluster = (port: number, protocol: string) => `{ address: "127.0.0.1:${port}", protocol: ${protocol} }`
  const opaAt = `opa: { url: "http://127.0.0.1:${opaPort}", path: shop/allow }, send: [method, path]`
  const text = `sallyport: v1
clusters:
  service: ${cluster(service, 'http')}
  authz: ${cluster(authz.port, 'grpc')}
  authz-http: ${cluster(httpAuthz, 'http')}
  opa: ${cluster(opaPort, 'http')}
  nobody: ${cluster(await closedPort(), 'grpc')}
  orders: { address: "127.0.0.1:${orders.port}", protocol: grpc, descriptors: shop.binpb }
deciders:
  opa: { ${opaAt}, timeout: ${budget} }
  opa-lenient: { ${opaAt}, timeout: ${budget}, onFailure: allow }
  opa-patient: { ${opaAt}, timeout: 10s }
  opa-cluster: { opa: { cluster: opa, path: shop/allow }, send: [method, path], timeout: ${budget} }
  grpc: { extAuthz: { cluster: authz, upstreamHeaders: [x-tier], keepStatus: true }, send: [method, path, header.x-a], timeout: ${budget} }
  grpc-lenient: { extAuthz: { cluster: authz }, send: [method, path], timeout: ${budget}, onFailure: allow }
  http: { extAuthz: { cluster: authz-http, pathPrefix: /check, upstreamHeaders: [x-tier] }, send: [method, path, query, header.x-a], timeout: ${budget} }
  gone: { extAuthz: { cluster: nobody }, send: [method], timeout: ${budget} }
routes:
${['opa', 'opa-lenient', 'opa-cluster', 'grpc', 'grpc-lenient', 'http', 'gone'].map((name) => `  ${name}: { match: { path: "/${name}/{**}" }, access: { ask: ${name}, ${anyone} }, to: service }\n`).join('')}
  patient: { match: { path: /patient }, access: { ask: opa-patient, ${anyone} }, timeout: 300ms, to: service }
  plain: { match: { path: /plain }, access: { ${anyone} }, to: service }
  orders: { match: { grpc: shop.v1.Orders }, access: { ask: grpc, ${anyone} }, to: orders }
`
  gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': text, 'shop.binpb': shopDescriptors })
})

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as { readonly port: number } // it listens on TCP
  await new Promise<void>((closed) => void server.close(() => closed()))
  return port
}

let count = 0

/** One request under a path that no other test asks about. */
async function ask(route: string, headers: readonly (readonly [string, string])[] = []): Promise<Answer & { readonly record: JournalRecord }> {
  const path = `/${route}/${++count}`
  opaLeft = Promise.withResolvers()
  const answer = await http1(gateway.port('public'), { path, headers })
  return { ...answer, record: await gateway.entry((record) => record['path'] === path) }
}

const codeOf = ({ status, text }: Answer): string => `${status} ${status === 200 ? '' : String((JSON.parse(text) as { readonly code: unknown }).code)}`.trim()
const problemOf = ({ record }: { readonly record: JournalRecord }) => (record['asked'] as readonly { readonly problem: string }[])[0]?.problem
const json =
  (value: unknown, status = 200): RequestListener =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))

/** Ways to be of no use, and what the record says of each. */
const broken: Readonly<Record<string, readonly [RequestListener, RegExp]>> = {
  'answers 500 with a true': [json({ result: true }, 500), /answered 500/],
  'redirects to somebody who says true': [(_, response) => void response.writeHead(307, { location: '/v1/data/true' }).end(), /answered 307/],
  'answers HTML': [(_, response) => void response.end('<html>maintenance</html>'), /not JSON/],
  'answers half an answer': [(_, response) => void response.end('{"result":true'), /not JSON/],
  'answers a text that says true': [json({ result: 'true' }), /neither true or false/],
  'answers 60 MB': [
    (_, response) => {
      const chunk = Buffer.alloc(1 << 20, ' ')
      let left = 60
      const pour = (): void => {
        while (left-- > 0 && !response.destroyed) if (!response.write(chunk)) return void response.once('drain', pour)
        response.end('{"result":true}')
      }
      pour()
    },
    /longer than 65536|broke off/,
  ],
  'closes the connection': [(_, response) => void response.destroy(), /upstream/],
  'breaks off in the middle': [
    (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"result":')
      setImmediate(() => response.destroy())
    },
    /upstream|broke/,
  ],
  'accepts and says nothing': [() => {}, /did not answer within 1500 ms|deadline_exceeded/],
  'begins and never ends': [(_, response) => void response.writeHead(200).write('{"result":true'), /did not answer within 1500 ms|deadline_exceeded|upstream/],
}

describe.each(['opa', 'opa-cluster'])('an OPA-shaped server asked as %s', (route) => {
  it('allows and denies, with the input that was declared', async () => {
    opa = json({ result: { allow: true } })
    expect(codeOf(await ask(route))).toBe('200')
    expect(asked.at(-1)).toEqual({ path: '/v1/data/shop/allow', body: JSON.stringify({ input: { method: 'GET', path: `/${route}/${count}` } }) })
    opa = json({ result: { allow: false, reason: 'not today' } })
    const before = passed.length
    const denied = await ask(route)
    expect(codeOf(denied)).toBe('403 forbidden')
    expect(denied.text).not.toContain('not today')
    expect(denied.record['asked']).toMatchObject([{ decider: route, outcome: 'denied', source: 'answer', reason: 'not today' }])
    expect(passed.length).toBe(before)
  })

  // Each is followed by a good answer, which closes the ranks of failures.
  it.each(Object.entries(broken))('that %s: the request is refused with 503, and nothing reaches the service', async (_, [handle, problem]) => {
    opa = handle
    const before = passed.length
    const refused = await ask(route)
    expect(codeOf(refused)).toBe('503 decision_unavailable')
    expect(refused.headers['retry-after']).toBe('1')
    expect(problemOf(refused)).toMatch(problem)
    expect(passed.length).toBe(before)
    opa = json({ result: true })
    expect(codeOf(await ask(route))).toBe('200')
  })
})

describe('an OPA-shaped server', () => {
  it.each(Object.entries(broken))('that %s lets pass where the policies say so, and the record shows it', async (_, [handle]) => {
    opa = handle
    const answer = await ask('opa-lenient')
    expect(codeOf(answer)).toBe('200')
    expect(answer.record['asked']).toMatchObject([{ outcome: 'failed_open', source: 'none' }])
    opa = json({ result: true })
    expect((await ask('opa-lenient')).record['asked']).toMatchObject([{ outcome: 'allowed', source: 'answer' }])
  })

  it('that is late is left: its connection is closed', async () => {
    opa = () => {}
    const refused = ask('opa')
    await expect.poll(() => asked.at(-1)?.body).toContain(`/opa/${count}`)
    expect(codeOf(await refused)).toBe('503 decision_unavailable')
    await opaLeft.promise
  })

  it('with more time than the request has costs the request its own deadline', async () => {
    opa = () => {}
    const path = '/patient'
    const answer = await http1(gateway.port('public'), { path })
    expect(codeOf(answer)).toBe('504 deadline_exceeded')
  })

  it('that is down is left alone after five failures', async () => {
    opa = json({}, 500)
    for (let i = 0; i < 5; i++) await ask('opa')
    const before = asked.length
    const refused = await ask('opa')
    expect([codeOf(refused), problemOf(refused)]).toEqual(['503 decision_unavailable', 'it failed several times in a row and is left alone for a moment'])
    expect(asked.length).toBe(before)
    expect(await gateway.admin('/metrics')).toContain('sallyport_decider_open{decider="opa"} 1')
  })
})

describe("a gRPC server of Envoy's external authorization", () => {
  it('allows, and gives the upstream the headers that it may, in place of what the caller claims', async () => {
    authz.answer({ json: { status: {}, okResponse: { headers: [{ header: { key: 'x-tier', value: 'gold' } }, { header: { key: 'x-admin', value: '1' } }] } } })
    const spoofed = [
      ['x-tier', 'platinum'],
      ['X_Tier', 'platinum'],
      ['x-a', 'b'],
    ] as const
    expect(codeOf(await ask('grpc', spoofed.slice(0, 1).concat(spoofed.slice(2))))).toBe('200')
    const { headers, rawHeaders } = passed.at(-1) as IncomingMessage
    expect([headers['x-tier'], headers['x-admin']]).toEqual(['gold', undefined])
    expect(rawHeaders.join(' ')).not.toContain('platinum')
    expect(authz.requests.at(-1)).toMatchObject({ attributes: { request: { http: { method: 'GET', path: `/grpc/${count}`, headers: { 'x-a': 'b' } } } } })
  })

  it('gives a service that speaks gRPC the same, and a caller cannot through the prefix of metadata', async () => {
    authz.answer({ json: { status: {}, okResponse: { headers: [{ header: { key: 'x-tier', value: 'gold' } }] } } })
    const before = orders.calls.length
    await http1(gateway.port('public'), { path: '/v1/orders/o-1', headers: [['grpc-metadata-x-tier', 'platinum']] })
    expect((await orders.call(before)).metadata['x-tier']).toBe('gold')
  })

  it('is the only one who may give these headers, also where it is not asked', async () => {
    await http1(gateway.port('public'), { path: '/plain', headers: [['x-tier', 'platinum']] })
    expect(passed.at(-1)?.headers['x-tier']).toBeUndefined()
  })

  it('denies, with 401 where that is kept', async () => {
    authz.answer({ json: { status: { code: 7 }, deniedResponse: { status: { code: 403 }, body: 'no such tier' } } })
    const denied = await ask('grpc')
    expect([codeOf(denied), denied.text.includes('tier')]).toEqual(['403 forbidden', false])
    authz.answer({
      json: { status: { code: 16 }, deniedResponse: { status: { code: 401 }, headers: [{ header: { key: 'www-authenticate', value: 'Step realm="up"' } }] } },
    })
    const unknown = await ask('grpc')
    expect([codeOf(unknown), unknown.headers['www-authenticate']]).toEqual(['401 unauthenticated', 'Step realm="up"'])
  })

  it.each<[string, Parameters<ExtAuthzServer['answer']>[0], RegExp]>([
    ['answers UNAVAILABLE', { code: 14, message: 'later' }, /status 14/],
    ['answers PERMISSION_DENIED as the status of the call', { code: 7, message: 'no' }, /status 7/],
    ['answers nonsense', { bytes: new Uint8Array([0xff, 0xff, 0xff, 0xff]) }, /no CheckResponse/],
    ['answers nothing', { bytes: new Uint8Array() }, /says nothing/],
    ['answers 5 MB', { bytes: new Uint8Array(5 << 20) }, /message|large|status/],
  ])('that %s: refused with 503, or let pass where the policies say so', async (_, answer, problem) => {
    authz.answer(answer)
    const before = passed.length
    const refused = await ask('grpc')
    expect(codeOf(refused)).toBe('503 decision_unavailable')
    expect(problemOf(refused)).toMatch(problem)
    expect(passed.length).toBe(before)
    expect(codeOf(await ask('grpc-lenient'))).toBe('200')
    // A good answer to each ends its row of failures.
    authz.answer({ json: { status: {} } })
    expect([codeOf(await ask('grpc')), (await ask('grpc-lenient')).record['asked']]).toEqual(['200', [expect.objectContaining({ outcome: 'allowed' })]])
  })

  it('that is silent: the same, and the call is given up', async () => {
    authz.answer('silence')
    const refused = await ask('grpc')
    expect([codeOf(refused), problemOf(refused)]).toEqual(['503 decision_unavailable', expect.stringMatching(/did not answer within 1500 ms|deadline/)])
    await expect.poll(() => authz.cancelled(), { timeout: 5_000 }).toBe(1)
    expect(codeOf(await ask('grpc-lenient'))).toBe('200')
    await expect.poll(() => authz.cancelled(), { timeout: 5_000 }).toBe(2)
    authz.answer({ json: { status: {} } })
    expect(codeOf(await ask('grpc'))).toBe('200')
  })

  it('that is not there: refused with 503', async () => {
    const refused = await ask('gone')
    expect([codeOf(refused), problemOf(refused)]).toEqual(['503 decision_unavailable', expect.stringMatching(/upstream_unavailable/)])
  })
})

describe('an HTTP server of external authorization', () => {
  it('is asked with the request itself, and allows or denies', async () => {
    const seen: (string | undefined)[] = []
    web = (request, response) => {
      seen.push(request.method, request.url, request.headers['x-a']?.toString(), request.headers.authorization)
      response.writeHead(204, { 'x-tier': 'gold' }).end()
    }
    expect(
      codeOf(
        await ask('http', [
          ['x-a', 'b'],
          ['authorization', 'Bearer x'],
        ]),
      ),
    ).toBe('200')
    expect(seen).toEqual(['GET', `/check/http/${count}`, 'b', undefined])
    expect(passed.at(-1)?.headers['x-tier']).toBe('gold')
    web = (_, response) => void response.writeHead(403).end('not you')
    const denied = await ask('http')
    expect(codeOf(denied)).toBe('403 forbidden')
    expect(denied.record['asked']).toMatchObject([{ reason: 'not you' }])
  })

  it('that fails or is silent: refused with 503', async () => {
    web = (_, response) => void response.writeHead(502).end()
    expect(codeOf(await ask('http'))).toBe('503 decision_unavailable')
    web = () => {}
    expect(codeOf(await ask('http'))).toBe('503 decision_unavailable')
  })
})
