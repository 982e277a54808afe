import { type AddressInfo, connect, createServer } from 'node:net'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Arrival } from '../../src/core/model/exchange.ts'
import { type FaultCode, faultCatalogue } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Counters } from '../../src/core/ports.ts'
import { buildRehearse, type Rehearse } from '../../src/core/rehearse.ts'
import { freePort } from '../../src/node/demo/workspace.ts'
import { createFetch } from '../../src/node/fetch.ts'
import { createOfflinePorts } from '../../src/node/offline-ports.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { type Answer, bytes, type Client, clients, h2c, http1, type Sent } from '../support/clients.ts'
import { sallyport } from '../support/command.ts'
import { type Gateway, openGateway, policiesFolder } from '../support/gateway.ts'
import { issuerDouble } from '../support/issuer.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, issuerSection, openHttp, openIssuer, openOrders, shopDescriptors } from '../support/shop.ts'

const keep = untilTheEnd()

/** One way to be refused. */
interface Row {
  readonly name: string
  readonly code: FaultCode
  /** `policy/rule` or the like that the answer names. */
  readonly rule?: string
  readonly sent: () => Sent
  /** `public` when left out. */
  readonly listener?: string
  /** Only this client can send it. */
  readonly over?: Client
  /**
   * Whether `explain` knows of it: everything the walk says before the upstream does. `wire`: refused by the listener, before there is
   * a request to record.
   */
  readonly where?: 'walk' | 'upstream' | 'egress' | 'wire'
  /** Ends when the answer is there. */
  readonly meanwhile?: () => Promise<() => Promise<void>>
}

let gateway: Gateway
let rehearse: Rehearse
let files: Record<string, string | Uint8Array>
let tokens: { readonly reader: string; readonly stranger: string; readonly orphan: string }
let arrived = 0

const bearer = (token: string) => ['authorization', `Bearer ${token}`] as const
const json = ['content-type', 'application/json'] as const
const get =
  (path: string, ...headers: readonly (readonly [string, string])[]) =>
  (): Sent => ({ path, headers })
const reader = (sent: Sent) => (): Sent => ({ ...sent, headers: [bearer(tokens.reader), ...(sent.headers ?? [])] })
const charge =
  (service: string, ...headers: readonly (readonly [string, string])[]) =>
  (): Sent => ({ path: '/v1/charges', body: '{}', headers: [['host', `${service}.internal`], json, ...headers] })

const rows: readonly Row[] = [
  { name: 'an absolute target', code: 'request_invalid', over: http1, sent: get('http://elsewhere.example/') },
  { name: 'an underscore in a header name', code: 'request_invalid', sent: get('/web/x', ['x_a', '1']) },
  { name: 'an encoded dot segment', code: 'path_ambiguous', sent: get('/web/%2e%2e/x') },
  { name: 'a host with a space in it', code: 'host_invalid', over: http1, sent: get('/web/x', ['host', 'a b']) },
  {
    name: 'two Authorization headers',
    code: 'credential_invalid',
    over: http1,
    sent: () => ({ path: '/v1/orders/7', headers: [bearer('a.b.c'), bearer('a.b.c')] }),
  },
  {
    name: 'JSON that does not fit the message',
    code: 'body_invalid',
    sent: reader({ path: '/v1/orders', body: '{"order":{"total":"much"}}', headers: [json] }),
    where: 'walk',
  },
  { name: 'no token', code: 'unauthenticated', sent: get('/v1/orders/7') },
  { name: 'a token that is none', code: 'token_invalid', sent: get('/v1/orders/7', bearer('nonsense')) },
  { name: 'a deny rule', code: 'forbidden', rule: 'orders/own-tenant-only', sent: reader({ path: '/v1/tenants/blue/orders/8' }) },
  { name: 'a missing scope', code: 'scope_insufficient', rule: 'orders/all', sent: () => ({ path: '/v1/orders/7', headers: [bearer(tokens.stranger)] }) },
  { name: 'a condition that cannot be evaluated', code: 'policy_error', rule: 'fragile/number', sent: get('/fragile?n=many') },
  { name: 'a path that nobody serves', code: 'route_not_found', sent: get('/nowhere') },
  {
    name: 'a preflight that no route grants',
    code: 'cors_denied',
    sent: () => ({
      method: 'OPTIONS',
      path: '/web/x',
      headers: [
        ['origin', 'https://app.example.com'],
        ['access-control-request-method', 'GET'],
      ],
    }),
  },
  { name: 'a method that the path does not take', code: 'method_not_allowed', sent: () => ({ method: 'DELETE', path: '/web/x' }) },
  { name: 'a body above the limit', code: 'body_too_large', sent: () => ({ method: 'POST', path: '/post/x', body: 'x'.repeat(3000), headers: [json] }) },
  {
    name: 'a body above the limit that does not say so',
    code: 'body_too_large',
    over: http1,
    where: 'upstream',
    sent: () => ({
      method: 'POST',
      path: '/v1/orders',
      body: `c00\r\n${'x'.repeat(3072)}\r\n0\r\n\r\n`,
      headers: [bearer(tokens.reader), json, ['transfer-encoding', 'chunked']],
    }),
  },
  { name: 'a target of 9 KiB', code: 'target_too_long', sent: get(`/web/${'x'.repeat(9000)}`) },
  {
    name: 'a media type that no message is read from',
    code: 'media_type_unsupported',
    sent: reader({ path: '/v1/orders', body: '<order/>', headers: [['content-type', 'text/xml']] }),
  },
  {
    name: 'a form that no stream is written in',
    code: 'not_acceptable',
    sent: reader({ path: '/v1/orders:watch', headers: [['accept', 'text/html']] }),
  },
  { name: 'a limit that is reached', code: 'rate_limited', sent: get('/limited'), meanwhile: reachLimit },
  { name: 'too many header fields', code: 'headers_too_large', sent: get('/web/x', ...Array.from({ length: 60 }, (_, at) => [`x-${at}`, '1'] as const)) },
  { name: 'header fields above the limit', code: 'headers_too_large', sent: get('/web/x', ['x-long', 'x'.repeat(5000)]) },
  { name: 'header fields that no parser takes', code: 'headers_too_large', over: http1, where: 'wire', sent: get('/web/x', ['x-long', 'x'.repeat(40_000)]) },
  {
    name: 'both framings of a body',
    code: 'request_invalid',
    over: http1,
    where: 'wire',
    sent: get('/web/x', ['content-length', '1'], ['transfer-encoding', 'chunked']),
  },
  { name: 'TRACE', code: 'not_implemented', sent: () => ({ method: 'TRACE', path: '/web/x' }) },
  { name: 'CONNECT', code: 'not_implemented', over: http1, where: 'wire', sent: () => ({ method: 'CONNECT', path: 'elsewhere.example:443' }) },
  { name: 'an upgrade', code: 'not_implemented', over: http1, where: 'wire', sent: get('/web/x', ['connection', 'Upgrade'], ['upgrade', 'websocket']) },
  { name: 'a route that did not load', code: 'config_quarantined', sent: get('/broken') },
  { name: 'an issuer that does not answer', code: 'idp_unavailable', sent: () => ({ path: '/partners', headers: [bearer(tokens.orphan)] }) },
  { name: 'an upstream that speaks no HTTP', code: 'upstream_protocol', where: 'upstream', sent: get('/garbage') },
  { name: 'an upstream that hangs up', code: 'upstream_reset', where: 'upstream', sent: get('/reset') },
  {
    name: 'a message above 4 MiB',
    code: 'upstream_message_too_large',
    where: 'upstream',
    sent: reader({ path: '/v1/orders/7', headers: [['host', 'large.example']] }),
  },
  { name: 'an upstream that is not there', code: 'upstream_unavailable', where: 'upstream', sent: get('/dead') },
  {
    name: 'a gRPC upstream that is not there',
    code: 'upstream_unavailable',
    where: 'upstream',
    sent: reader({ path: '/v1/orders/7', headers: [['host', 'dead.example']] }),
  },
  { name: 'an upstream that takes too long', code: 'deadline_exceeded', where: 'upstream', sent: get('/slow') },
  { name: 'a deadline that has no time left', code: 'deadline_exhausted', where: 'upstream', sent: get('/web/x', ['x-server-timeout', '0']) },
  { name: 'more at a time than the cluster takes', code: 'overloaded', where: 'upstream', sent: get('/busy'), meanwhile: fillBusy },
  { name: 'an upstream that failed and is left alone', code: 'circuit_open', where: 'upstream', sent: get('/left'), meanwhile: failOnce },
  { name: 'an egress service of no such name', code: 'service_unknown', listener: 'egress', where: 'egress', sent: charge('nobody') },
  {
    name: 'a call that the service does not allow',
    code: 'egress_denied',
    rule: 'payments/default',
    listener: 'egress',
    where: 'egress',
    sent: () => ({ path: '/v1/other', headers: [['host', 'payments.internal']] }),
  },
  {
    name: 'a service that is closed in this environment',
    code: 'egress_denied',
    rule: 'closed/dev',
    listener: 'egress',
    where: 'egress',
    sent: charge('closed'),
  },
  {
    name: 'another environment than the caller may choose',
    code: 'env_denied',
    listener: 'egress',
    where: 'egress',
    sent: charge('payments', ['x-egress-env', 'prod']),
  },
  {
    name: 'two environments',
    code: 'env_invalid',
    listener: 'egress',
    where: 'egress',
    sent: charge('payments', ['x-egress-env', 'dev'], ['x-egress-env', 'test']),
  },
  {
    name: 'an environment without a target',
    code: 'no_target_for_env',
    listener: 'egress',
    where: 'egress',
    sent: charge('payments', ['x-egress-env', 'test']),
  },
  { name: 'an address that is not listed', code: 'address_denied', listener: 'egress', where: 'egress', sent: charge('inside') },
  { name: 'a secret that is not there', code: 'credential_unavailable', listener: 'egress', where: 'egress', sent: charge('keyless') },
  { name: 'a request that no mock answers', code: 'mock_miss', listener: 'egress', where: 'egress', sent: charge('payments') },
  { name: 'a vendor that is not there', code: 'upstream_unavailable', listener: 'egress', where: 'egress', sent: charge('dead') },
  { name: 'a vendor that speaks no HTTP', code: 'upstream_protocol', listener: 'egress', where: 'egress', sent: charge('garbage') },
  { name: 'a vendor that takes too long', code: 'deadline_exceeded', listener: 'egress', where: 'egress', sent: charge('slow') },
]

/** Takes the one request a minute of `/limited`. */
async function reachLimit(): Promise<() => Promise<void>> {
  await http1(gateway.port('public'), { path: '/limited' })
  return async () => {}
}

/** Lets the upstream of `/left` fail. */
async function failOnce(): Promise<() => Promise<void>> {
  await http1(gateway.port('public'), { path: '/left' })
  return async () => {}
}

/** Takes the one place of `/busy`. */
async function fillBusy(): Promise<() => Promise<void>> {
  const before = arrived
  const socket = connect(gateway.port('public'), '127.0.0.1', () => socket.write('GET /busy HTTP/1.1\r\nhost: a.example\r\n\r\n'))
  await expect.poll(() => arrived, { timeout: 5000, interval: 2 }).toBe(before + 1)
  const idle = () => gateway.running.live.inFlight
  return async () => {
    socket.destroy()
    await expect.poll(idle, { timeout: 5000, interval: 2 }).toBe(0)
  }
}

beforeAll(async () => {
  const issuer = await openIssuer(keep)
  const dead = await freePort()
  const orphan = await issuerDouble(() => Date.now(), 'http://127.0.0.1:1', 'partners')
  tokens = {
    reader: await issuer.mint('alice', { scope: 'orders:all', tenant: 'red' }),
    stranger: await issuer.mint('bob', { scope: 'profile' }),
    orphan: await orphan.token(),
  }
  const orders = await openOrders(keep)
  const web = await openHttp(keep, (_, response) => response.end('web'))
  const silent = await openHttp(keep, () => {
    arrived += 1
  })
  const garbage = await openBare('SSH-2.0-OpenSSH_9.2\r\n\r\n')
  const reset = await openBare('')
  const large = await openLarge()
  const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
  const http = (name: string, port: number, more = '') => `  ${name}: { address: "127.0.0.1:${port}"${more} }\n`
  const grpc = (name: string, port: number) => `  ${name}: { protocol: grpc, address: "127.0.0.1:${port}", descriptors: shop.binpb }\n`
  const live = (port: number, more = '') => `environments: { dev: { target: "http://127.0.0.1:${port}", allowAddresses: ["127.0.0.0/8"]${more} } }`
  files = {
    'shop.binpb': shopDescriptors,
    'mock.yaml.mock': '- match: { method: GET, path: /v1/charges }\n',
    'house.yaml': `${house.replace('public: { address: "127.0.0.1:0" }', 'public: { address: "127.0.0.1:0", limits: { body: 2KiB, headers: 4KiB, headerCount: 50 } }')}${issuerSection(issuer)}  partners: { issuer: "${orphan.url}", audiences: ["${orphan.audience}"] }
`,
    'routes.yaml': `sallyport: v1
limits:
  once: { rate: 1/1m, key: [route] }
access:
  orders:
    authenticate: { jwt: shop }
    rules:
      - { id: all, allow: { scopes: [orders:all] } }
      - { id: own-tenant-only, deny: { paths: ["/v1/tenants/{tenant}/**"] }, when: claims.tenant != request.params.tenant }
  fragile: { rules: [{ id: all, allow: { anonymous: true } }, { id: number, deny: {}, when: "int(request.query.n) > 1" }] }
clusters:
${grpc('orders', orders.port)}${grpc('orders-large', large)}${grpc('orders-dead', dead)}${http('web', web)}${http('silent', silent)}${http('busy', silent, ', caps: { requests: 1 }')}${http('garbage', garbage)}${http('reset', reset)}${http('dead', dead)}${http('left', garbage, ', breaker: { consecutive: 1, open: 30s }')}
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: orders, to: orders }
  orders-large: { match: { grpc: shop.v1.Orders, hosts: [large.example] }, access: orders, to: orders-large }
  orders-dead: { match: { grpc: shop.v1.Orders, hosts: [dead.example] }, access: orders, to: orders-dead }
  web: { match: { path: "/web/{**}", methods: [GET] }, ${anyone}, to: web }
  post: { match: { path: "/post/{**}", methods: [POST] }, ${anyone}, to: web }
  fragile: { match: { path: /fragile }, access: fragile, to: web }
  limited: { match: { path: /limited }, ${anyone}, limits: [once], to: web }
  partners: { match: { path: /partners }, access: { authenticate: { jwt: partners }, rules: [{ id: all, allow: { scopes: [orders:read] } }] }, to: web }
  garbage: { match: { path: /garbage }, ${anyone}, to: garbage }
  reset: { match: { path: /reset }, ${anyone}, to: reset }
  dead: { match: { path: /dead }, ${anyone}, to: dead }
  left: { match: { path: /left }, ${anyone}, to: left }
  slow: { match: { path: /slow }, ${anyone}, timeout: 150ms, to: silent }
  busy: { match: { path: /busy }, ${anyone}, timeout: 10s, to: busy }
`,
    'egress.yaml': `sallyport: v1
callers:
  checkout: { listener: egress, mayChooseEnv: [dev, test] }
egress:
  payments:
    host: payments.internal
    callers: [checkout]
    allow: [{ methods: [POST], path: /v1/charges }]
    environments: { dev: { mode: mock, mock: mock.yaml.mock } }
  closed: { host: closed.internal, callers: [checkout], environments: { dev: { mode: deny, reason: not here } } }
  inside: { host: inside.internal, callers: [checkout], environments: { dev: { target: "http://127.0.0.1:${web}" } } }
  keyless: { host: keyless.internal, callers: [checkout], ${live(web, ', inject: { header: x-key, secret: "env:E2E_NO_SUCH_KEY" }')} }
  dead: { host: dead.internal, callers: [checkout], ${live(dead)} }
  garbage: { host: garbage.internal, callers: [checkout], ${live(garbage)} }
  slow: { host: slow.internal, callers: [checkout], timeout: { total: 150ms }, ${live(silent)} }
`,
  }
  gateway = await openGateway(keep, {
    ...files,
    'broken.yaml': `sallyport: v1\nroutes:\n  broken: { match: { path: /broken }, ${anyone}, timeout: soon, to: web }\n`,
  })
  const offline = createOfflinePorts()
  const resolve = createResolve(offline.clock)
  // A rehearsal counts nothing itself; its store knows of the one request a minute that has been.
  const reached = { allowed: false, refusedBy: 'once', readings: [{ limit: 'once', remaining: 0, resetMs: 60_000, degraded: false }] }
  const counters: Counters = {
    ...offline.counters,
    peek: (limits) => (limits.some(({ limit }) => limit.name === 'once') ? reached : offline.counters.peek(limits)),
  }
  rehearse = buildRehearse(gateway.running.live.current.policy, { ...offline, counters, resolve, fetch: createFetch({ ...offline, resolve }) })
  keep(() => rehearse.close())
})

/** A TCP service that says `words` to whatever it hears, and hangs up. Returns its port. */
async function openBare(words: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(words))
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** An Orders service whose one answer is longer than 4 MiB. Returns its port. */
async function openLarge(): Promise<number> {
  const server = new Server()
  const whole = (bytes: Buffer) => bytes
  const method = { path: '/shop.v1.Orders/GetOrder', requestStream: false, responseStream: false, requestSerialize: whole, requestDeserialize: whole }
  const answer = Buffer.alloc(5 * 1024 * 1024)
  server.addService(
    { GetOrder: { ...method, responseSerialize: whole, responseDeserialize: whole } },
    { GetOrder: (_call: unknown, done: (error: null, message: Buffer) => void) => done(null, answer) },
  )
  keep(() => server.forceShutdown())
  return await new Promise((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? bound(port) : fail(error)))
  })
}

interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance?: string
  readonly code: FaultCode
  readonly rule?: string
}

/** The problem document of an answer, after checking everything that every one of them promises (RFC 9457). */
function problemOf(answer: Answer, code: FaultCode): Problem {
  expect(answer.headers['content-type']).toBe('application/problem+json')
  const problem = JSON.parse(answer.text) as Problem
  const { http, title } = faultCatalogue[code]
  expect(problem).toMatchObject({ code, status: http, title, type: `urn:sallyport:problem:${code}` })
  expect(problem.detail.length).toBeGreaterThan(5)
  expect(answer.status).toBe(http)
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(problem.instance).toBe(answer.headers['x-request-id'])
  return problem
}

/** What a listener would hand over for the same request. */
function arrivalOf({ method, path, headers = [], body }: Sent): Arrival {
  const bytes = body === undefined ? undefined : new TextEncoder().encode(body)
  const host = headers.some(([name]) => name === 'host') ? [] : ['host', '127.0.0.1']
  const framing = bytes === undefined || headers.some(([name]) => name === 'transfer-encoding') ? [] : ['content-length', `${bytes.length}`]
  return {
    listener: 'public',
    method: method ?? (bytes === undefined ? 'GET' : 'POST'),
    target: path,
    httpVersion: '1.1',
    scheme: 'http',
    authority: undefined,
    rawHeaders: [...host, ...headers.flat(), ...framing],
    body:
      bytes === undefined
        ? undefined
        : {
            length: bytes.length,
            bytes: () => bytes,
            chunks: async function* () {
              yield bytes
            },
          },
    peer: { address: '127.0.0.1', certificate: undefined },
    receivedAt: 0,
    lifeline: new Lifeline(),
  }
}

describe.each(Object.entries(clients))('over %s, problem+json with its code and the id of the request answers', (_name, client) => {
  it.each(rows.filter((row) => row.over === undefined || row.over === client))(
    '$name: $code',
    async ({ code, rule, sent, listener = 'public', where, meanwhile }) => {
      const end = await meanwhile?.()
      const answer = await client(gateway.port(listener), sent())
      await end?.()
      const problem = problemOf(answer, code)
      expect(problem.rule).toBe(rule)
      expect(problem.instance).toMatch(/^[0-9a-f-]{36}$/)
      if (where === 'wire') return
      const record = await gateway.entry((entry) => entry['id'] === problem.instance)
      expect(record).toMatchObject({ kind: 'request', status: problem.status, refusal: { code } })
      expect(answer.headers['proxy-status']?.includes(`details="${code}"`)).toBe(where === 'egress' ? true : undefined)
    },
  )
})

describe('explain says the same of the same request', () => {
  it.each(rows.filter(({ where = 'walk' }) => where === 'walk'))('$name: $code', async ({ code, rule, sent }) => {
    const { refusal } = await rehearse(arrivalOf(sent()), { kind: 'own' })
    expect([refusal?.code, refusal?.detail.rule]).toEqual([code, rule])
  })

  it('and lets through what fails at the upstream alone', async () => {
    for (const row of rows.filter(({ where, over }) => where === 'upstream' && over === undefined)) {
      expect([row.name, (await rehearse(arrivalOf(row.sent()), { kind: 'own' })).refusal?.code]).toEqual([row.name, undefined])
    }
  })

  it('as a command', async () => {
    const { path } = await policiesFolder(keep, files)
    const asked = [
      {
        words: ['GET', 'http://api.example/v1/orders/7', '--token', tokens.stranger],
        outcome: { status: 403, code: 'scope_insufficient', rule: 'orders/all' },
      },
      {
        words: ['GET', 'http://api.example/v1/tenants/blue/orders/8', '--token', tokens.reader],
        outcome: { status: 403, code: 'forbidden', rule: 'orders/own-tenant-only' },
      },
    ]
    const answers = await Promise.all(asked.map(({ words }) => sallyport(['explain', ...words, '--env', 'dev', '--policies', path, '--json'])))
    for (const [at, { status, out, err }] of answers.entries()) {
      expect([status, err]).toEqual([1, ''])
      expect(JSON.parse(out)).toMatchObject({ outcome: asked[at]?.outcome })
    }
  })
})

describe('what only another listener shows', () => {
  it('a request that takes too long to arrive, and a caller that nobody knows', async () => {
    const strict = house.replace('public: { address: "127.0.0.1:0" }', 'public: { address: "127.0.0.1:0", limits: { requests: 300ms } }')
    const other = await openGateway(keep, { 'house.yaml': strict })
    const late = await bytes(other.port('public'), 'GET / HTTP/1.1\r\nhost: a.exa')
    expect(problemOf(late, 'request_timeout').instance).toMatch(/^[0-9a-f-]{36}$/)
    for (const client of [http1, h2c]) expect(problemOf(await client(other.port('egress'), { path: '/' }), 'caller_unknown').status).toBe(403)
  })
})

it('every fault of the catalogue that can be provoked from outside is provoked here', () => {
  const elsewhere: Readonly<Record<string, string>> = {
    request_timeout: 'above',
    caller_unknown: 'above',
    limiter_unavailable: 'redis-loss.test.ts',
    proof_invalid: 'identify/attacks/proofs.test.ts',
    proof_store_unavailable: 'identify/dpop.test.ts',
    api_key_invalid: 'e2e/api-keys.test.ts',
    key_store_unavailable: 'e2e/api-keys.test.ts',
    revocations_unavailable: 'e2e/api-keys.test.ts',
    certificate_invalid: 'e2e/client-certificates.test.ts',
    decision_unavailable: 'e2e/decision-points.test.ts',
    fault_injected: 'egress/disturb.test.ts, disturb/disturb.test.ts',
    quota_exceeded: 'upstream/vendor-quota.test.ts',
    cost_exceeded: 'upstream/vendor-quota.test.ts',
    vendor_paused: 'upstream/vendor-quota.test.ts',
    cache_miss: 'egress/cache.test.ts',
    replay_miss: 'e2e/cassettes.test.ts',
    client_closed: 'nobody is left to answer',
    drained: 'the connection has changed its protocol: test/e2e/upgrade.test.ts',
    compression_invalid: 'gRPC and gRPC-Web alone: translate/compression.test.ts',
    internal: 'would be a bug',
  }
  const provoked = new Set<string>([...rows.map(({ code }) => code), ...Object.keys(elsewhere)])
  expect(Object.keys(faultCatalogue).filter((code) => !provoked.has(code))).toEqual([])
})
