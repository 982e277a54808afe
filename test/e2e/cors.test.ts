import { beforeAll, describe, expect, it } from 'vitest'
import type { Issuer } from '../../src/node/demo/issuer.ts'
import { type Client, clients } from '../support/clients.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, issuerSection, openHttp, openIssuer, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'

const keep = untilTheEnd()
const app = 'https://app.example.com'
const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
let gateway: Gateway
let issuer: Issuer
let orders: WatchedOrders
let asked = 0

beforeAll(async () => {
  issuer = await openIssuer(keep)
  orders = await openOrders(keep)
  const web = await openHttp(keep, (request, response) => {
    asked += 1
    const own = { 'access-control-allow-origin': 'https://evil.example', 'access-control-allow-credentials': 'true', vary: 'accept-encoding' }
    response.writeHead(request.url === '/web/down' ? 503 : 200, own).end(request.method)
  })
  gateway = await openGateway(keep, {
    'shop.binpb': shopDescriptors,
    'house.yaml': house + issuerSection(issuer),
    'routes.yaml': `sallyport: v1
limits:
  once: { rate: 1/1m, key: [route] }
clusters:
  web: { address: "127.0.0.1:${web}" }
  orders: { protocol: grpc, address: "127.0.0.1:${orders.port}", descriptors: shop.binpb }
routes:
  web: { match: { path: "/web/{**}" }, ${anyone}, to: web, cors: { origins: ["${app}"], credentials: true, expose: [x-request-id] } }
  own: { match: { path: "/own/{**}" }, ${anyone}, to: web }
  limited: { match: { path: /limited, methods: [GET] }, ${anyone}, limits: [once], to: web, cors: { origins: ["*"] } }
  orders:
    match: { grpc: shop.v1.Orders }
    access: { authenticate: { jwt: shop }, rules: [{ id: all, allow: { scopes: [orders:all] } }] }
    to: orders
    cors: { origins: ["https://*.example.com"] }
`,
  })
}, 30_000)

describe.each(Object.entries(clients))('over %s', (_, ask: Client) => {
  const send = (method: string, path: string, headers: readonly (readonly [string, string])[], body?: string) =>
    ask(gateway.port('public'), { method, path, headers, body })
  const preflight = (path: string, method: string, headers: string, origin = app) =>
    send('OPTIONS', path, [
      ['origin', origin],
      ['access-control-request-method', method],
      ['access-control-request-headers', headers],
    ])

  it('a preflight is granted before anybody has to prove anything, and reaches no service', async () => {
    const before = asked
    const answer = await preflight('/v1/tenants/acme/orders/1', 'GET', 'authorization,x-grpc-web')
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': app, 'access-control-allow-headers': 'authorization, x-grpc-web' })
    expect((await preflight('/shop.v1.Orders/GetOrder', 'POST', 'connect-protocol-version,content-type')).status).toBe(204)
    expect((await preflight('/web/x', 'PUT', 'content-type')).headers).toMatchObject({ 'access-control-allow-credentials': 'true' })
    expect(asked).toBe(before)
    const { route, permit } = await gateway.entry((record) => record['method'] === 'OPTIONS' && record['route'] === 'orders')
    expect([route, permit]).toEqual(['orders', undefined])
  })

  it('a preflight that is not granted is a plain 403', async () => {
    for (const [path, method, headers, origin] of [
      ['/web/x', 'PUT', 'content-type', 'https://evil.example'],
      ['/web/x', 'PUT', 'x-other', app],
      ['/v1/tenants/acme/orders/1', 'GET', 'authorization', 'https://example.com'],
    ] as const) {
      const answer = await preflight(path, method, headers, origin)
      expect([answer.status, answer.headers['content-type']]).toEqual([403, 'application/problem+json'])
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
    }
  })

  it('a route without settings leaves its preflights to its service', async () => {
    const answer = await preflight('/own/x', 'PUT', 'content-type')
    expect([answer.status, answer.text, answer.headers['access-control-allow-origin']]).toEqual([200, 'OPTIONS', 'https://evil.example'])
  })

  it('an answer has the word of the route in place of that of its service, whatever its status', async () => {
    for (const [path, status] of [
      ['/web/x', 200],
      ['/web/down', 503],
    ] as const) {
      const answer = await send('GET', path, [['origin', app]])
      expect(answer.status).toBe(status)
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': app,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': 'x-request-id',
        vary: 'accept-encoding, origin',
      })
    }
    for (const headers of [[], [['origin', 'https://evil.example']] as const]) {
      const answer = await send('GET', '/web/x', headers)
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
      expect([answer.status, answer.headers['vary']]).toEqual([200, 'accept-encoding, origin'])
    }
  })

  it('so have refusals: 401, 400 and 429 can be read by scripts', async () => {
    const denied = await send('GET', '/v1/tenants/acme/orders/1', [['origin', app]])
    expect([denied.status, denied.headers['access-control-allow-origin']]).toEqual([401, app])
    expect(denied.headers['access-control-expose-headers']).toContain('grpc-status')
    const statuses: number[] = []
    for (let i = 0; i < 2; i++) {
      const answer = await send('GET', '/limited', [['origin', 'https://any.example']])
      statuses.push(answer.status)
      expect([answer.headers['access-control-allow-origin'], answer.headers['vary'] ?? '']).toEqual(['*', expect.not.stringContaining('origin')])
      expect(answer.headers['access-control-expose-headers']).toContain('retry-after')
    }
    expect(statuses.at(-1)).toBe(429)
    const web = await send(
      'POST',
      '/shop.v1.Orders/GetOrder',
      [
        ['origin', app],
        ['content-type', 'application/grpc-web+proto'],
      ],
      '',
    )
    expect([web.status, web.headers['grpc-status'], web.headers['access-control-allow-origin']]).toEqual([200, '16', app])
  })
})
