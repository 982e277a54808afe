import { beforeAll, describe, expect, it } from 'vitest'
import { found } from '../../support/canary.ts'
import { dpopClient } from '../../support/dpop.ts'
import { segments } from '../../support/forge.ts'
import { type GrpcRecorder, openGrpcRecorder } from '../../support/grpc-recorder.ts'
import { fieldBlock, speakFrames } from '../../support/h2-frames.ts'
import { sideEffectFree } from '../../support/idempotent.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { envelope, type RawRequest, rawClients } from '../../support/raw.ts'
import { shopDescriptors } from '../../support/shop.ts'
import { codecOf } from '../../support/shop-messages.ts'
import { type House, openHouse } from './house.ts'
import { attackPolicies } from './policies.ts'

const keep = untilTheEnd()
let house: House
let orders: GrpcRecorder
let proof: string

/** Hosts whose gRPC routes need a token, take one, or do not look; and those that hand the token on because the route says so. */
const grpcRoutes = `
  orders-authenticated: { match: { grpc: shop.v1.Orders, hosts: [authenticated.example] }, access: orders, handOn: { claims: { x-user: sub } }, to: orders }
  orders-optional: { match: { grpc: shop.v1.Orders, hosts: [optional.example] }, access: maybe, handOn: { claims: { x-user: sub } }, to: orders }
  orders-anonymous: { match: { grpc: shop.v1.Orders, hosts: [anonymous.example] }, access: open, handOn: { claims: { x-user: sub } }, to: orders }
  orders-saying-so: { match: { grpc: shop.v1.Orders, hosts: [saying-so.example] }, access: orders, handOn: { token: true }, to: orders }
  http-authenticated: { match: { path: "/leak/{**}", hosts: [authenticated.example] }, access: private, handOn: { claims: { x-user: sub } }, to: service }
  http-optional: { match: { path: "/leak/{**}", hosts: [optional.example] }, access: maybe, handOn: { claims: { x-user: sub } }, to: service }
  http-anonymous: { match: { path: "/leak/{**}", hosts: [anonymous.example] }, access: open, handOn: { claims: { x-user: sub } }, to: service }
  http-saying-so: { match: { path: "/leak/{**}", hosts: [saying-so.example] }, access: private, handOn: { token: true }, to: service }
`
const policies = `${attackPolicies
  .replace(
    'access:\n',
    'access:\n  orders: { authenticate: { jwt: main }, rules: [{ id: all, allow: { grpc: ["shop.v1.Orders/*"], scopes: [orders:read] } }] }\n',
  )
  .replace('clusters:\n', 'clusters:\n  orders: { sidecar: none, protocol: grpc, address: "127.0.0.1:${ORDERS}", descriptors: shop.binpb }\n')
  .trimEnd()}${grpcRoutes}`

beforeAll(async () => {
  orders = await openGrpcRecorder(keep)
  const descriptors = sideEffectFree(shopDescriptors, ['GetOrder'])
  house = await openHouse(keep, { policies, variables: { ORDERS: `${orders.port}` }, files: { 'shop.binpb': descriptors } })
  const client = await dpopClient()
  proof = await client.proof({ url: 'http://a.example/', token: 'x', now: Date.now() })
})

type Fields = Readonly<Record<string, string>>

/** Said by the client about itself, in names of the gateway; nobody may hear it. */
const said = 'the-client-says-so-of-itself'
const names = [
  'x-user',
  'x.user',
  'x--user',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-user',
  'x-forwarded-client-cert',
  'x-envoy-peer-metadata',
  'x-envoy-original-path',
  'l5d-client-id',
  'l5d-dst-override',
  'x-sallyport-decision',
  'x-egress-env',
  'x-request-id',
  'x-real-ip',
  'x-b3-traceid',
  'b3',
  'x-original-url',
  'x-http-method-override',
  'proxy-authorization',
]
const identity: Fields = Object.fromEntries(
  names.flatMap((name) => [
    [name, said],
    [`grpc-metadata-${name}`, said],
  ]),
)

const path = '/shop.v1.Orders/GetOrder'
const message = () => codecOf('GetOrderRequest').write({ id: '7' })
const version = { 'connect-protocol-version': '1' }

/** A way to call: to which of the two services, and how. Each brings these fields, and where it can, these trailers. */
interface Way {
  readonly title: string
  readonly to: 'http' | 'grpc'
  readonly call: (port: number, host: string, fields: Fields) => Promise<unknown>
}

const raw = (title: string, to: Way['to'], request: (fields: Fields) => RawRequest): readonly Way[] =>
  Object.entries(rawClients).map(([protocol, client]) => ({
    title: `${title} over ${protocol}`,
    to,
    call: async (port, host, fields) => expect((await client(port, { ...request(fields), host })).status).toBe(200),
  }))

/** Over HTTP/2 frames, with everything said once more in the trailers. */
const inFrames = (title: string, to: Way['to'], target: string, own: Fields, body: () => Uint8Array): Way => ({
  title: `${title}, with trailers`,
  to,
  async call(port, host, fields) {
    const head = Object.entries({ ':method': 'POST', ':scheme': 'http', ':authority': host, ':path': target, ...own, ...fields })
    const end = await speakFrames(port, [
      { type: 'headers', flags: 4, stream: 1, payload: fieldBlock(head) },
      { type: 'data', flags: 0, stream: 1, payload: body() },
      { type: 'headers', flags: 5, stream: 1, payload: fieldBlock(Object.entries(fields)) },
    ])
    expect(end.kind).toBe('answer')
  },
})

const ways: readonly Way[] = [
  ...raw('HTTP', 'http', (headers) => ({ method: 'GET', path: '/leak/x?a=1', headers })),
  ...raw('HTTP with a body', 'http', (headers) => ({ path: '/leak/x', headers, body: Buffer.from('hello') })),
  inFrames('HTTP', 'http', '/leak/x', {}, () => Buffer.from('hello')),
  ...raw('JSON', 'grpc', (headers) => ({ method: 'GET', path: '/v1/orders/7', headers })),
  ...raw('gRPC-Web, binary', 'grpc', (headers) => ({
    path,
    headers: { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1', ...headers },
    body: envelope(message()),
  })),
  ...raw('gRPC-Web, text', 'grpc', (headers) => ({
    path,
    headers: { 'content-type': 'application/grpc-web-text+proto', ...headers },
    body: Buffer.from(envelope(message()).toString('base64')),
  })),
  ...raw('Connect, proto', 'grpc', (headers) => ({ path, headers: { 'content-type': 'application/proto', ...version, ...headers }, body: message() })),
  ...raw('Connect, JSON', 'grpc', (headers) => ({
    path,
    headers: { 'content-type': 'application/json', ...version, ...headers },
    body: Buffer.from('{"id":"7"}'),
  })),
  ...raw('Connect, GET', 'grpc', (headers) => ({
    method: 'GET',
    path: `${path}?connect=v1&encoding=json&message=${encodeURIComponent('{"id":"7"}')}`,
    headers,
  })),
  ...raw('Connect, stream', 'grpc', (headers) => ({
    path: '/shop.v1.Orders/WatchOrders',
    headers: { 'content-type': 'application/connect+proto', ...version, ...headers },
    body: envelope(codecOf('WatchOrdersRequest').write({ count: 1, intervalMs: 1 })),
  })),
  inFrames('native gRPC', 'grpc', path, { te: 'trailers', 'content-type': 'application/grpc+proto' }, () => envelope(message())),
]

/** Everything that the one request brought that came of this call. @throws AssertionError when there was none, or more */
async function heard(way: Way, host: string, fields: Fields): Promise<string> {
  const calls = orders.calls.length
  const requests = house.upstream.requests.length
  const bytes = house.upstream.bytes().length
  await way.call(house.port, host, fields)
  expect([house.upstream.requests.length - requests, orders.calls.length - calls]).toEqual(way.to === 'http' ? [1, 0] : [0, 1])
  const call = orders.calls[calls]
  return way.to === 'http'
    ? house.upstream.bytes().slice(bytes)
    : [JSON.stringify(call?.fields), JSON.stringify(call?.trailers), call?.body.toString('latin1')].join('\n')
}

async function secretsOf(): Promise<{ readonly token: string; readonly secrets: Fields }> {
  const token = await house.main.token({ sub: 'u1', jti: 'jti-that-is-nobodys-business' })
  const [, payload, signature] = segments(token)
  return { token, secrets: { token, 'payload of the token': payload, 'signature of the token': signature, jti: 'jti-that-is-nobodys-business', proof, said } }
}
const bearing = (token: string): Fields => ({
  ...identity,
  authorization: `Bearer ${token}`,
  'grpc-metadata-authorization': `Bearer ${token}`,
  dpop: proof,
  'grpc-metadata-dpop': proof,
})

describe.each(ways)('$title', (way) => {
  it('control: where the route says so the service gets the token, and the search finds it', async () => {
    const { token, secrets } = await secretsOf()
    const text = await heard(way, 'saying-so.example', { authorization: `Bearer ${token}` })
    expect(found(text, secrets)).toEqual(expect.arrayContaining(['token, plain', 'signature of the token, plain']))
  })

  it.each(['authenticated', 'optional', 'anonymous'])('brings no token and no word of the client to a service behind an %s route', async (kind) => {
    const { token, secrets } = await secretsOf()
    const text = await heard(way, `${kind}.example`, bearing(token))
    expect(found(text, secrets)).toEqual([])
    // The claim that the route hands on is there, from the token and nobody else.
    expect(/x-user[^\n]*u1/.test(text)).toBe(kind !== 'anonymous')
  })

  it.each(['optional', 'anonymous'])('without a token brings no word of the client to a service behind an %s route', async (kind) => {
    const text = await heard(way, `${kind}.example`, identity)
    expect(found(text, { said })).toEqual([])
    expect(text).not.toContain('x-user')
  })

  it('behind a public route a token that nobody looks at goes no further', async () => {
    const rubbish = 'Rubbish.That-looks.like-a-Token-and-is-none'
    const text = await heard(way, 'anonymous.example', { ...identity, authorization: `Bearer ${rubbish}` })
    expect(found(text, { rubbish, said })).toEqual([])
  })
})

it('the search finds a text in every form it knows', () => {
  const secret = 'a-secret-text-of-some-length'
  for (const offset of [0, 1, 2]) {
    const wrapped = `${'x'.repeat(offset)}${secret}behind`
    expect(found(Buffer.from(wrapped).toString('base64'), { secret })).toContain(`secret, base64 at ${offset}`)
    expect(found(Buffer.from(wrapped).toString('base64url'), { secret })).toContain(`secret, base64url at ${offset}`)
  }
  expect(found(Buffer.from(secret).toString('hex').toUpperCase(), { secret })).toContain('secret, hexadecimal')
  expect(found(`x${secret}y`, { secret })).toContain('secret, plain')
  expect(found('nothing of it', { secret })).toEqual([])
})
