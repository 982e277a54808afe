import { describe, expect, it, onTestFinished as keep } from 'vitest'
import { http1 } from '../support/clients.ts'
import { openGateway } from '../support/gateway.ts'
import { openGrpcRecorder } from '../support/grpc-recorder.ts'
import { house, issuerSection, openHttp, openIssuer, openOrders, shopDescriptors } from '../support/shop.ts'

const audience = 'access: { authenticate: { jwt: shop }, rules: [{ id: known, allow: { scopes: [go] } }] }'

/** A gateway in front of one HTTP service, with an issuer whose tokens have the scope `go`. */
async function open(limits: string, routes: string, handle: Parameters<typeof openHttp>[1] = (_, response) => response.end('web')) {
  const issuer = await openIssuer(keep)
  const web = await openHttp(keep, handle)
  const text = `sallyport: v1\n${issuerSection(issuer)}limits:\n${limits}clusters:\n  web: { sidecar: none, address: "127.0.0.1:${web}" }\nroutes:\n${routes}`
  const gateway = await openGateway(keep, { 'house.yaml': house, 'web.yaml': text })
  const ask = (path: string, token?: string, headers: readonly (readonly [string, string])[] = []) =>
    http1(gateway.port('public'), { path, headers: token === undefined ? headers : [['authorization', `Bearer ${token}`], ...headers] })
  const statuses = async (times: number, path: string, token?: string) => {
    const all: number[] = []
    for (let i = 0; i < times; i++) all.push((await ask(path, token)).status)
    return all
  }
  return { issuer, gateway, ask, statuses }
}

describe('a limit whose numbers a claim says', () => {
  it('lets each plan have its own, and tells it', async () => {
    const { issuer, ask, statuses } = await open(
      '  plan: { rate: { claim: tenant, map: { pro: 4/1m }, default: 2/1m }, key: [issuer, subject] }\n',
      `  web: { match: { path: / }, ${audience}, limits: [plan], to: web }\n`,
    )
    const [pro, free] = [await issuer.mint('ann', { scope: 'go', tenant: 'pro' }), await issuer.mint('bob', { scope: 'go' })]
    expect((await ask('/', pro)).headers['ratelimit-policy']).toBe('"plan";q=4;w=60')
    expect((await ask('/', free)).headers['ratelimit-policy']).toBe('"plan";q=2;w=60')
    expect(await statuses(4, '/', pro)).toEqual([200, 200, 200, 429])
    expect(await statuses(2, '/', free)).toEqual([200, 429])
  })
})

describe('a limit before authentication', () => {
  it('refuses before a token is looked at, and is told on refusals too', async () => {
    const { gateway, issuer, ask, statuses } = await open(
      '  flood: { rate: 2/1m, key: [client.network], when: before_authentication }\n',
      `  web: { match: { path: / }, ${audience}, limits: [flood], to: web }\n`,
    )
    const refused = await ask('/', 'no.token.atall')
    expect([refused.status, refused.headers['ratelimit']]).toEqual([401, '"flood";r=1;t=60'])
    expect(await statuses(2, '/', 'no.token.atall')).toEqual([401, 429])
    const last = await ask('/', await issuer.mint('ann', { scope: 'go' }))
    expect(last.status).toBe(429)
    const record = await gateway.entry((entry) => entry['id'] === last.headers['x-request-id'])
    expect(record).toMatchObject({ limits: [{ limit: 'flood', remaining: 0 }] })
    expect(JSON.stringify(record)).not.toContain('ann')
  })
})

describe('a limit on failures', () => {
  it('counts refusals of the gateway and of the service alike, and then refuses before authentication', async () => {
    const { issuer, ask, statuses } = await open(
      '  guesses: { rate: 3/10m, key: [client.network], counts: failures }\n',
      `  web: { match: { path: "/{**}" }, ${audience}, limits: [guesses], to: web }\n`,
      (request, response) => {
        response.statusCode = request.url === '/wrong' ? 401 : 200
        response.end('web')
      },
    )
    const token = await issuer.mint('ann', { scope: 'go' })
    expect(await statuses(5, '/', token)).toEqual([200, 200, 200, 200, 200])
    expect(await statuses(1, '/wrong', token)).toEqual([401])
    expect(await statuses(1, '/', 'no.token.atall')).toEqual([401])
    expect(await statuses(1, '/', await issuer.mint('bob', { scope: 'none' }))).toEqual([403])
    const refused = await ask('/', token)
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([429, { code: 'rate_limited', limit: 'guesses' }])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(590)
  })
})

describe('costs', () => {
  const gateway = async (costs: string) => {
    const orders = await openOrders(keep)
    const text = `sallyport: v1
limits: { points: { rate: 10/1m, key: [client.network] } }
clusters: { orders: { sidecar: none, protocol: grpc, address: "127.0.0.1:${orders.port}", descriptors: shop.binpb } }
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [{ name: points, ${costs} }], to: orders }
`
    return openGateway(keep, { 'house.yaml': house, 'web.yaml': text, 'shop.binpb': shopDescriptors })
  }

  it('are those of the RPC, however it is called, and of the method for the rest', async () => {
    const { port } = await gateway('cost: 2, rpcs: { GetOrder: 3 }, methods: { GET: 1 }')
    const left = async (path: string, body?: string) => {
      const { headers } = await http1(port('public'), { path, body, headers: body === undefined ? [] : [['content-type', 'application/json']] })
      return headers['ratelimit']?.replace(/;t=.*/, '')
    }
    expect(await left('/v1/orders/o-1')).toBe('"points";r=7')
    expect(await left('/shop.v1.Orders/GetOrder', '{"id":"o-1"}')).toBe('"points";r=4')
    expect(await left('/v1/orders')).toBe('"points";r=3')
  })

  it('of an RPC that the service does not have quarantine the route', async () => {
    const { port } = await gateway('rpcs: { GetOrdr: 3 }')
    const { status, text } = await http1(port('public'), { path: '/v1/orders' })
    expect([status, JSON.parse(text)]).toMatchObject([503, { code: 'config_quarantined' }])
  })
})

describe('what an upstream says a request cost', () => {
  const grpcText = (port: number) => `sallyport: v1
limits: { points: { rate: 10/1m, key: [client.network] } }
clusters: { orders: { sidecar: none, protocol: grpc, address: "127.0.0.1:${port}", descriptors: shop.binpb } }
routes:
  orders:
    match: { grpc: shop.v1.Orders }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    limits: [{ name: points, response: { most: 6 } }]
    to: orders
`

  it('is charged before its answer goes out, refuses what comes next, and is for the gateway alone', async () => {
    const { ask, gateway } = await open(
      '  points: { rate: 10/1m, key: [client.network] }\n',
      '  web: { match: { path: "/{**}" }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [{ name: points, response: { most: 50 } }], to: web }\n',
      (request, response) => {
        const [, head = '', tail = ''] = (request.url ?? '').split('/')
        if (head !== '') response.setHeader('x-sallyport-cost', head)
        if (tail !== '') response.setHeader('trailer', 'x-sallyport-cost, x-more')
        response.write('web')
        if (tail !== '') response.addTrailers({ 'x-sallyport-cost': tail, 'x-more': 'yes' })
        response.end()
      },
    )
    const plain = await ask('/')
    expect([plain.status, plain.headers['ratelimit']?.replace(/;t=.*/, '')]).toEqual([200, '"points";r=9'])
    const wrong = await ask('/1.5')
    expect([wrong.status, wrong.headers['ratelimit']?.replace(/;t=.*/, '')]).toEqual([200, '"points";r=8'])
    const dear = await ask('/4')
    expect([dear.status, dear.headers['ratelimit']?.replace(/;t=.*/, '')]).toEqual([200, '"points";r=4'])
    const late = await ask('/2/30', undefined, [['te', 'trailers']])
    expect([late.status, late.headers['ratelimit']?.replace(/;t=.*/, '')]).toEqual([200, '"points";r=2'])
    expect((await ask('/')).status).toBe(429)
    for (const answer of [wrong, dear, late]) expect(JSON.stringify(answer)).not.toContain('x-sallyport-cost')
    expect(await gateway.entry((entry) => entry['id'] === late.headers['x-request-id'])).toMatchObject({
      limits: [{ limit: 'points', remaining: 0, charged: 29 }],
    })
    expect(await gateway.entry((entry) => entry['id'] === wrong.headers['x-request-id'])).toMatchObject({
      remark: 'x-sallyport-cost is not one integer of at least 1',
    })
  })

  it.each([
    ['metadata', { head: { 'x-sallyport-cost': '4' } }],
    ['trailing metadata', { tail: { 'x-sallyport-cost': '4' } }],
  ])('may stand in the %s of a gRPC answer, whoever reads it', async (_, fields) => {
    const orders = await openGrpcRecorder(keep, fields)
    const { port } = await openGateway(keep, { 'house.yaml': house, 'web.yaml': grpcText(orders.port), 'shop.binpb': shopDescriptors })
    const json = await http1(port('public'), { path: '/v1/orders/o-1' })
    expect([json.status, json.headers['ratelimit']?.replace(/;t=.*/, '')]).toEqual([200, '"points";r=6'])
    expect(JSON.stringify(json)).not.toContain('sallyport-cost')
    const headers = [['content-type', 'application/json'] as const]
    const connect = await http1(port('public'), { method: 'POST', path: '/shop.v1.Orders/GetOrder', body: '{"id":"o-1"}', headers })
    expect([connect.status, connect.headers['ratelimit']?.replace(/;t=.*/, '')]).toEqual([200, '"points";r=2'])
    expect(JSON.stringify(connect)).not.toContain('sallyport-cost')
  })
})

describe('the headers that were usual before', () => {
  it('are sent where the route says so, on refusals too, with the reset as it says', async () => {
    const { ask } = await open(
      '  few: { rate: 2/1m, key: [route] }\n  many: { rate: 100/1m, key: [route] }\n',
      ['off', 'seconds', 'epoch']
        .map(
          (form) =>
            `  ${form}: { match: { path: /${form} }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [many, few], legacyHeaders: ${JSON.stringify(form)}, to: web }\n`,
        )
        .join(''),
    )
    const names = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']
    const told = (answer: Awaited<ReturnType<typeof ask>>) => names.map((name) => answer.headers[name])
    expect(told(await ask('/off'))).toEqual([undefined, undefined, undefined])
    expect(told(await ask('/seconds'))).toEqual(['2', '1', '60'])
    const before = Math.floor(Date.now() / 1000)
    const [limit, remaining, reset] = told(await ask('/epoch'))
    expect([limit, remaining]).toEqual(['2', '1'])
    expect(Number(reset)).toBeGreaterThanOrEqual(before + 60)
    expect(Number(reset)).toBeLessThanOrEqual(Date.now() / 1000 + 62)
    await ask('/seconds')
    const refused = await ask('/seconds')
    expect([refused.status, ...told(refused).slice(0, 2)]).toEqual([429, '2', '0'])
  })
})
