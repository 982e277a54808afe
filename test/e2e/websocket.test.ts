import { once } from 'node:events'
import { connect } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Issuer } from '../../src/node/demo/issuer.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { type OddStreams, openOddStreams } from '../support/odd-streams.ts'
import { house, issuerSection, openHttp, openIssuer, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { type Opening, openBrowserSocket, openSocket, type Refused, type Socket, withToken } from '../support/web-socket.ts'

type Open = (port: number, path: string, opening?: Opening) => Socket

const clients: readonly (readonly [name: string, open: Open])[] = [
  ['ws', openSocket],
  ['the WebSocket of browsers', openBrowserSocket],
]

const rpc = (name: string) => `/shop.v1.Orders/${name}`
const said = (text: string) => JSON.stringify({ text })
const echoed = (text: string) => `{"from":"orders","text":"you said: ${text}"}`
const order = (note: string) => JSON.stringify({ tenant: 'red', note, items: [{ sku: 'b-1', quantity: 1, unitPrice: '5' }] })
const errorOf = (message: string | undefined) => (JSON.parse(message ?? '{}') as { readonly error?: unknown }).error

describe('WebSocket', () => {
  const keep = untilTheEnd()
  let issuer: Issuer
  let orders: WatchedOrders
  let odd: OddStreams
  let gateway: Gateway
  let alice: readonly string[]
  let bob: readonly string[]

  beforeAll(async () => {
    issuer = await openIssuer(keep)
    orders = await openOrders(keep)
    odd = await openOddStreams(keep)
    const web = await openHttp(keep, (_request, response) => response.end('reached'))
    alice = withToken(await issuer.mint('alice', { scope: 'orders:all' }))
    bob = withToken(await issuer.mint('bob', { scope: 'profile' }))
    const shop = `sallyport: v1
${issuerSection(issuer)}clusters:
  orders: { sidecar: none, address: "127.0.0.1:${orders.port}", protocol: grpc, descriptors: shop.binpb }
  odd: { sidecar: none, address: "127.0.0.1:${odd.port}", protocol: grpc, descriptors: shop.binpb }
  dead: { sidecar: none, address: "127.0.0.1:1", protocol: grpc, descriptors: shop.binpb }
  web: { sidecar: none, address: "127.0.0.1:${web}" }
limits:
  once: { rate: 1/1m, key: [route] }
access:
  staff: { authenticate: { jwt: shop }, rules: [{ id: all, allow: { grpc: ["shop.v1.Orders/*"], scopes: [orders:all] } }] }
  anyone: { rules: [{ id: all, allow: { anonymous: true } }] }
  readers: { rules: [{ id: reads, allow: { anonymous: true, methods: [GET] } }] }
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: anyone, timeout: 10s, to: orders }
  staff: { match: { grpc: shop.v1.Orders, hosts: [staff.example] }, access: staff, timeout: 10s, to: orders }
  odd: { match: { grpc: shop.v1.Orders, hosts: [odd.example] }, access: anyone, timeout: 10s, to: odd }
  dead: { match: { grpc: shop.v1.Orders, hosts: [dead.example] }, access: anyone, timeout: 10s, to: dead }
  small: { match: { grpc: shop.v1.Orders, hosts: [small.example] }, access: anyone, bodyLimit: 64B, to: orders }
  readers: { match: { grpc: shop.v1.Orders, hosts: [readers.example] }, access: readers, to: orders }
  limited: { match: { grpc: shop.v1.Orders, hosts: [limited.example] }, access: anyone, limits: [once], to: orders }
  web: { match: { path: "/web/{**}" }, access: anyone, to: web }
`
    gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': shop, 'shop.binpb': shopDescriptors })
  })

  const port = () => gateway.port('public')
  const kept = <S extends Socket>(socket: S): S => {
    keep(() => socket.close())
    return socket
  }
  const open = (path: string, host?: string, opening: Opening = {}) =>
    kept(openSocket(port(), path, { ...opening, headers: { ...(host === undefined ? {} : { host }), ...opening.headers } }))
  const refusalOf = async (socket: Socket): Promise<Refused & { readonly problem: Readonly<Record<string, unknown>> }> => {
    const refused = (await socket.open.then(
      () => expect.fail('it was opened'),
      (error: unknown) => error,
    )) as Refused
    return { ...refused, problem: JSON.parse(refused.text) as Record<string, unknown> }
  }
  /** The record of the last request on this path. */
  const recordOf = (path: string, fits: Readonly<Record<string, unknown>>) =>
    gateway.entry((entry) => entry['path'] === path && Object.entries(fits).every(([name, value]) => entry[name] === value))
  const idle = async () => {
    await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
  }

  describe.each(clients)('with %s', (_name, opened) => {
    const start = (path: string, opening?: Opening) => kept(opened(port(), path, opening))

    it('chats: each answer before the next question, until an empty message says that there are no more', async () => {
      const chat = start(rpc('Chat'))
      await chat.open
      const expected: string[] = []
      for (const text of ['one', 'zwölf', '😀']) {
        chat.say(said(text))
        expected.push(echoed(text))
        expect(await chat.hear(expected.length)).toEqual(expected)
      }
      chat.say('')
      expect(await chat.closed).toEqual({ code: 1000, reason: '' })
      expect(chat.heard).toEqual(expected)
      await idle()
    })

    it('watches orders by the path of GET, without a word of its own', async () => {
      const watching = start('/v1/orders:watch?count=3&interval_ms=1')
      expect(await watching.closed).toMatchObject({ code: 1000 })
      expect(watching.heard.map((text) => (JSON.parse(text) as { sequence: string }).sequence)).toEqual(['1', '2', '3'])
    })

    it('watches orders by the path of the RPC, with the request as its one message', async () => {
      const watching = start(rpc('WatchOrders'))
      await watching.open
      watching.say('{"count":2,"intervalMs":1}')
      expect(await watching.closed).toMatchObject({ code: 1000 })
      expect(watching.heard).toHaveLength(2)
    })

    it('imports orders and is answered once', async () => {
      const importing = start(rpc('ImportOrders'))
      await importing.open
      for (const note of ['a', 'b', 'c']) importing.say(order(note))
      importing.say('')
      expect(await importing.closed).toMatchObject({ code: 1000 })
      expect(importing.heard).toEqual(['{"imported":3}'])
    })

    it('speaks our subprotocol', async () => {
      const chat = start(rpc('Chat'), { protocols: ['other', 'sallyport.json'] })
      expect((await chat.open).protocol).toBe('sallyport.json')
      chat.say('')
      expect(await chat.closed).toMatchObject({ code: 1000 })
    })

    it('is told in a last message what is wrong with its own', async () => {
      const before = orders.calls.length
      const chat = start(rpc('Chat'))
      await chat.open
      chat.say(said('one'))
      await chat.hear(1)
      chat.say('{"nope":1}')
      expect(await chat.closed).toEqual({ code: 1007, reason: 'body_invalid' })
      expect(errorOf(chat.heard[1])).toEqual({ code: 3, message: expect.stringMatching(/^message 2: .*nope/), details: [] })
      await (await orders.call(before)).cancelled
      expect(await recordOf(rpc('Chat'), { ending: 'broken_off' })).toMatchObject({ status: 101, refusal: { code: 'body_invalid' } })
    })

    it('cancels the call when it leaves', async () => {
      for (const leave of ['at once', 'talking'] as const) {
        const before = orders.calls.length
        const chat = start(rpc('Chat'))
        await chat.open
        if (leave === 'talking') {
          chat.say(said('one'))
          await chat.hear(1)
        }
        const call = await orders.call(before)
        chat.close()
        await call.cancelled
        await chat.closed
      }
      await idle()
      expect(await recordOf(rpc('Chat'), { ending: 'given_up' })).toMatchObject({ refusal: { code: 'client_closed' } })
    })
  })

  it('takes a token as a subprotocol, which goes nowhere else', async () => {
    const before = orders.calls.length
    const chat = open(rpc('Chat'), 'staff.example', { protocols: alice })
    const { protocol, headers } = await chat.open
    expect([protocol, headers['sec-websocket-protocol']]).toEqual(['sallyport.json', 'sallyport.json'])
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(headers).not.toHaveProperty('sec-websocket-extensions')
    chat.say(said('hi'))
    chat.say('')
    await chat.closed
    const { metadata } = await orders.call(before)
    expect(Object.keys(metadata).filter((name) => name.startsWith('sec-') || name === 'authorization')).toEqual([])
    const record = await recordOf(rpc('Chat'), { route: 'staff', ending: 'whole' })
    expect(record).toMatchObject({ status: 101, principal: { subject: 'alice' }, rpc: 'shop.v1.Orders/Chat', method: 'POST', grpc_status: 0, bytes_in: 13 })
    expect(JSON.stringify(gateway.journal)).not.toContain(alice[1]?.split('.').at(-1))
  })

  it('takes a token in the header of a client that can set one', async () => {
    const token = Buffer.from(alice[1]?.split('.').at(-1) ?? '', 'base64url').toString()
    const chat = open(rpc('Chat'), 'staff.example', { headers: { authorization: `Bearer ${token}` } })
    await chat.open
    chat.say('')
    expect(await chat.closed).toMatchObject({ code: 1000 })
  })

  describe('answers with a problem in place of a WebSocket', () => {
    type Case = readonly [name: string, path: string, host: string, opening: () => Opening, status: number, code: string]
    const cases: readonly Case[] = [
      ['without a token', rpc('Chat'), 'staff.example', () => ({}), 401, 'unauthenticated'],
      ['without the scope', rpc('Chat'), 'staff.example', () => ({ protocols: bob }), 403, 'scope_insufficient'],
      ['with two credentials', rpc('Chat'), 'staff.example', () => ({ protocols: alice, headers: { authorization: 'Bearer x' } }), 400, 'credential_invalid'],
      [
        'with a token that is no base64url',
        rpc('Chat'),
        'staff.example',
        () => ({ protocols: ['sallyport.json', 'base64url.bearer.authorization.!'] }),
        400,
        'credential_invalid',
      ],
      ['with subprotocols that we do not speak', rpc('Chat'), 'orders.example', () => ({ protocols: ['graphql-ws'] }), 400, 'request_invalid'],
      ['where no route is', '/nowhere', 'orders.example', () => ({}), 404, 'route_not_found'],
      ['on a path route', '/web/x', 'orders.example', () => ({}), 501, 'not_implemented'],
      ['on a unary RPC', rpc('GetOrder'), 'orders.example', () => ({}), 501, 'not_implemented'],
      ['on a unary rule', '/v1/orders/7', 'orders.example', () => ({}), 501, 'not_implemented'],
      ['from a page of another origin', rpc('Chat'), 'orders.example', () => ({ headers: { origin: 'https://evil.example' } }), 403, 'forbidden'],
      ['from a page without an origin', rpc('Chat'), 'orders.example', () => ({ headers: { origin: 'null' } }), 403, 'forbidden'],
      ['from another port of the host', rpc('Chat'), 'orders.example:8080', () => ({ headers: { origin: 'http://orders.example:9090' } }), 403, 'forbidden'],
      ['with a body', rpc('Chat'), 'orders.example', () => ({ headers: { 'content-length': '4' } }), 400, 'request_invalid'],
      ['that reads alone and would write', rpc('Chat'), 'readers.example', () => ({}), 403, 'forbidden'],
      ['with a query that fits nothing', '/v1/orders:watch?nope=1', 'orders.example', () => ({}), 400, 'request_invalid'],
      ['with a query where the message is all', `${rpc('Chat')}?text=1`, 'orders.example', () => ({}), 400, 'request_invalid'],
    ]
    it.each(cases)('%s', async (_name, path, host, opening, status, code) => {
      const before = orders.calls.length
      const refused = await refusalOf(open(path, host, opening()))
      expect([refused.status, refused.headers['content-type'], refused.problem['code']]).toEqual([status, 'application/problem+json', code])
      expect(refused.headers['x-request-id']).toBe(refused.problem['instance'])
      expect((await gateway.entry((entry) => entry['id'] === refused.problem['instance']))['status']).toBe(status)
      expect(orders.calls.length).toBe(before)
    })

    it('over a limit', async () => {
      const first = open(rpc('Chat'), 'limited.example')
      expect((await first.open).headers['ratelimit']).toContain('"once";r=0')
      first.close()
      const second = await refusalOf(open(rpc('Chat'), 'limited.example'))
      expect([second.status, second.problem['code']]).toEqual([429, 'rate_limited'])
      expect(Number(second.headers['retry-after'])).toBeGreaterThan(0)
    })

    it('in another version of the protocol', async () => {
      const socket = connect(port(), '127.0.0.1')
      const key = 'dGhlIHNhbXBsZSBub25jZQ=='
      socket.write(
        `GET ${rpc('Chat')} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${key}\r\nsec-websocket-version: 8\r\n\r\n`,
      )
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 [\s\S]*sec-websocket-version: 13\r\n/)
      socket.destroy()
    })

    it('when the service fails before anything was said, with its status', async () => {
      const refused = await refusalOf(open('/v1/orders:watch', 'odd.example'))
      expect([refused.status, refused.problem]).toEqual([404, { code: 5, message: 'nothing to watch', details: [] }])
    })

    it('when the service is not there', async () => {
      const refused = await refusalOf(open('/v1/orders:watch', 'dead.example'))
      expect([refused.status, refused.problem['code']]).toEqual([503, 'upstream_unavailable'])
    })
  })

  it.each([
    ['http://orders.example', 'orders.example'],
    ['https://orders.example', 'orders.example:443'],
    ['https://orders.example:8443', 'orders.example:8443'],
  ])('lets a page of %s talk to %s', async (origin, host) => {
    const chat = open(rpc('Chat'), host, { headers: { origin } })
    await chat.open
    chat.say('')
    expect(await chat.closed).toMatchObject({ code: 1000 })
  })

  it('lets who may read alone watch', async () => {
    const watching = open('/v1/orders:watch?count=1', 'readers.example')
    expect(await watching.closed).toMatchObject({ code: 1000 })
    expect(await recordOf('/v1/orders:watch', { route: 'readers' })).toMatchObject({ method: 'GET', status: 101 })
  })

  type Broken = readonly [
    name: string,
    path: string,
    host: string,
    say: (socket: ReturnType<typeof openSocket>) => void,
    code: number,
    reason: string,
    error: unknown,
  ]
  const coded = (code: number): unknown => expect.objectContaining({ code })
  const broken: readonly Broken[] = [
    ['no JSON', rpc('Chat'), 'a.example', ({ raw }) => raw.send('{'), 1007, 'body_invalid', coded(3)],
    ['a message of another type', rpc('WatchOrders'), 'a.example', ({ raw }) => raw.send('{"count":"x"}'), 1007, 'body_invalid', coded(3)],
    ['a second message where there is one', rpc('WatchOrders'), 'a.example', ({ raw }) => (raw.send('{}'), raw.send('{}')), 1007, 'request_invalid', coded(3)],
    ['a message where none is wanted', '/v1/orders:watch?interval_ms=5', 'a.example', ({ raw }) => raw.send('{}'), 1007, 'request_invalid', coded(3)],
    ['a message after the last', rpc('Chat'), 'odd.example', ({ raw }) => (raw.send(''), raw.send('{}')), 1007, 'request_invalid', coded(3)],
    ['bytes', rpc('Chat'), 'a.example', ({ raw }) => raw.send(Buffer.from('{}')), 1003, 'media_type_unsupported', coded(3)],
    ['a message above the limit', rpc('Chat'), 'small.example', ({ raw }) => raw.send(said('x'.repeat(80))), 1009, '', undefined],
    ['no UTF-8', rpc('Chat'), 'a.example', ({ raw }) => raw.send(Buffer.from([0xff]), { binary: false }), 1007, '', undefined],
    [
      'what the service fails over',
      rpc('Chat'),
      'odd.example',
      ({ raw }) => (raw.send(said('a')), raw.send(said('fail'))),
      1011,
      'FAILED_PRECONDITION',
      { code: 9, message: 'not now', details: [] },
    ],
    ['anything to a service that is not there', rpc('Chat'), 'dead.example', ({ raw }) => raw.send('{}'), 1013, 'upstream_unavailable', coded(14)],
  ]
  it.each(broken)('closes with a code that fits: %s', async (_name, path, host, say, code, reason, error) => {
    const socket = open(path, host)
    await socket.open
    say(socket)
    expect(await socket.closed).toEqual({ code, reason })
    const last = errorOf(socket.heard.at(-1))
    expect(last).toEqual(error)
    await idle()
  })

  it('records what broke the frames', async () => {
    expect(await recordOf(rpc('Chat'), { route: 'small' })).toMatchObject({ refusal: { code: 'body_too_large' } })
  })

  it('answers pings', async () => {
    const chat = open(rpc('Chat'))
    await chat.open
    const pong = once(chat.raw, 'pong')
    chat.raw.ping('hello')
    expect(String((await pong)[0])).toBe('hello')
    chat.close()
    await chat.closed
  })

  it('stops reading while the service does not read, and hears of a downstream that leaves', async () => {
    const before = odd.calls.length
    const importing = open(rpc('ImportOrders'), 'odd.example')
    await importing.open
    const call = await odd.call(before)
    const bulk = order('x'.repeat(60_000))
    let sent = 0
    while (importing.raw.bufferedAmount < 4 * 1024 * 1024 && sent < 2000) {
      importing.raw.send(bulk)
      sent += 1
      if (sent % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sent).toBeLessThan(2000)
    importing.raw.terminate()
    await call.cancelled
    await idle()
  }, 30_000)

  it('slows the service while the downstream does not read, and goes on when it does', async () => {
    // Every event carries order 7: large events fill what buffers there are in little time.
    const body = JSON.stringify({ note: 'x'.repeat(64 * 1024) })
    await fetch(`http://127.0.0.1:${port()}/v1/orders/7`, { method: 'PATCH', body, headers: { 'content-type': 'application/json' } })
    const before = orders.calls.length
    const watching = open('/v1/orders:watch')
    await watching.open
    watching.raw.pause()
    const call = await orders.call(before)
    let last = -1
    let same = 0
    await expect
      .poll(
        () => {
          same = call.written() === last ? same + 1 : 0
          last = call.written()
          return same
        },
        { timeout: 20_000, interval: 20 },
      )
      .toBeGreaterThan(15)
    watching.raw.resume()
    await expect.poll(call.written, { timeout: 5000, interval: 5 }).toBeGreaterThan(last + 50)
    watching.close()
    await call.cancelled
  }, 40_000)
})
