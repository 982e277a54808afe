import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Issuer } from '../../src/node/demo/issuer.ts'
import { acceptOf } from '../../src/node/web-socket-key.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { type Keep, untilTheEnd } from '../support/keep.ts'
import { talkTo } from '../support/listener.ts'
import { house, issuerSection, openIssuer } from '../support/shop.ts'
import { settled } from '../support/sockets.ts'
import { ways } from '../support/ways.ts'
import { type Opening, openBrowserSocket, openSocket, type Refused, type Socket as TestSocket, withToken } from '../support/web-socket.ts'

/** An upstream that speaks WebSocket with the `ws` library. */
interface Chat {
  readonly port: number
  readonly requests: IncomingMessage[]
  /** The next WebSocket that is opened. */
  next(): Promise<WebSocket>
}

async function openChat(keep: Keep): Promise<Chat> {
  const requests: IncomingMessage[] = []
  let waiting: ((socket: WebSocket) => void)[] = []
  const server = createHttpServer((request, response) => {
    requests.push(request)
    response.end('plain')
  })
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true, handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false) })
  server.on('upgrade', (request, socket, head) => {
    requests.push(request)
    if (request.url === '/ws/forbidden') {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nx-why: because\r\n\r\nno')
      return
    }
    if (request.url === '/ws/plain') {
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (web) => {
      web.on('error', () => {})
      web.on('message', (data, isBinary) => web.send(data, { binary: isBinary }))
      const all = waiting
      waiting = []
      for (const one of all) one(web)
    })
  })
  const port = await listening(keep, server)
  return { port, requests, next: () => new Promise((resolve) => waiting.push(resolve)) }
}

/** An upstream of bare bytes: each connection is handed to whoever asked for the next, with what its request said. */
interface Bare {
  readonly port: number
  /** Everything that ever came, connection by connection. */
  readonly heard: string[]
  next(): Promise<{ readonly socket: Socket; readonly head: string; readonly key: string }>
}

async function openBare(keep: Keep): Promise<Bare> {
  const heard: string[] = []
  let waiting: ((one: Awaited<ReturnType<Bare['next']>>) => void)[] = []
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    const at = heard.push('') - 1
    socket.on('error', () => {})
    let told = false
    socket.on('data', (data) => {
      heard[at] += data.toString('latin1')
      const head = heard[at] ?? ''
      if (told || !head.includes('\r\n\r\n')) return
      told = true
      const all = waiting
      waiting = []
      for (const one of all) one({ socket, head, key: /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? '' })
    })
  })
  const port = await listening(keep, server as Server)
  return { port, heard, next: () => new Promise((resolve) => waiting.push(resolve)) }
}

async function listening(keep: Keep, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  keep(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** The other end has ended the connection, or cut it. */
const over = (socket: Socket) =>
  new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error']) socket.on(event, () => resolve())
  })

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const handshake = (path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${more}\r\n`
const switching = (its: string, more = '') =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(its)}\r\n${more}\r\n`

const [, envoy] = ways

describe.skipIf(envoy?.there !== true)(`a WebSocket ${envoy?.title ?? ''}`, () => {
  const keep = untilTheEnd()

  it('goes through to the service and back, longer than its handshake may take', async () => {
    const chat = await openChat(keep)
    const clusters = await envoy?.clusters(keep, { chat: { port: chat.port, protocol: 'http' } })
    const route =
      'chat: { match: { path: "/ws/{**}" }, timeout: 1s, access: { rules: [{ id: all, allow: { anonymous: true } }] }, upgrade: [websocket], to: chat }'
    const gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': `sallyport: v1\n${clusters}routes: { ${route} }\n` })
    const talk = openSocket(gateway.port('public'), '/ws/room', { protocols: ['chat.v2'] })
    keep(() => talk.close())
    expect((await talk.open).protocol).toBe('chat.v2')
    talk.say('one')
    expect(await talk.hear(1)).toEqual(['one'])
    await new Promise((resolve) => setTimeout(resolve, 1500))
    talk.say('two')
    expect(await talk.hear(2)).toEqual(['one', 'two'])
    talk.close(3000)
    expect((await talk.closed).code).toBe(3000)
    const refused = openSocket(gateway.port('public'), '/ws/forbidden')
    expect(await refused.open.catch((error: unknown) => error)).toMatchObject({ status: 403, text: 'no' })
  })
})

describe('a WebSocket on a path route', () => {
  const keep = untilTheEnd()
  let issuer: Issuer
  let chat: Chat
  let bare: Bare
  let gateway: Gateway
  let alice: string

  const policies = (more: string) => `sallyport: v1
${issuerSection(issuer)}clusters:
  chat: { address: "127.0.0.1:${chat.port}" }
  bare: { address: "127.0.0.1:${bare.port}" }
  dead: { address: "127.0.0.1:1" }
limits:
  one: { concurrent: 1, key: [route] }
access:
  staff: { authenticate: { jwt: shop }, rules: [{ id: all, allow: { scopes: [chat] } }] }
  anyone: { rules: [{ id: all, allow: { anonymous: true } }] }
routes:
  chat: { match: { path: "/ws/{**}" }, access: anyone, upgrade: [websocket], to: chat }
  staff: { match: { path: "/staff" }, access: staff, upgrade: [websocket], handOn: { claims: { x-user: sub } }, to: chat }
  pages: { match: { path: "/pages" }, access: anyone, upgrade: [websocket], cors: { origins: ["https://app.example"] }, to: chat }
  limited: { match: { path: "/limited" }, access: anyone, upgrade: [websocket], limits: [one], to: chat }
  plain: { match: { path: "/plain/{**}" }, access: anyone, to: bare }
  bare: { match: { path: "/bare/{**}" }, access: anyone, timeout: 5s, upgrade: [websocket], to: bare }
  raw: { match: { path: "/raw" }, access: anyone, upgrade: [tcp, SPDY/3.1], to: bare }
  short: { match: { path: "/short" }, access: anyone, upgrade: { protocols: [websocket], idle: 1s }, to: chat }
  aging: { match: { path: "/aging" }, access: anyone, upgrade: { protocols: [websocket], lifetime: 1s }, to: chat }
  rawshort: { match: { path: "/raw-short" }, access: anyone, upgrade: { protocols: [tcp], idle: 1s }, to: bare }
  late: { match: { path: "/late" }, access: anyone, timeout: 200ms, upgrade: [websocket], to: bare }
  dead: { match: { path: "/dead" }, access: anyone, upgrade: [websocket], to: dead }
${more}`

  beforeAll(async () => {
    issuer = await openIssuer(keep)
    chat = await openChat(keep)
    bare = await openBare(keep)
    alice = await issuer.mint('alice', { scope: 'chat' })
    gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': policies('') })
  })

  const port = () => gateway.port('public')
  const kept = <S extends TestSocket>(socket: S): S => {
    keep(() => socket.close())
    return socket
  }
  const open = (path: string, opening: Opening = {}) => kept(openSocket(port(), path, opening))
  const refusalOf = async (socket: TestSocket): Promise<Refused> =>
    (await socket.open.then(
      () => expect.fail('it was opened'),
      (error: unknown) => error,
    )) as Refused
  const recordOf = (path: string, fits: Readonly<Record<string, unknown>>) =>
    gateway.entry((entry) => entry['path'] === path && Object.entries(fits).every(([name, value]) => entry[name] === value))
  const idle = async () => {
    await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
  }
  /** A bare client, and what the upstream got of it. */
  const opened = async (path: string, request = handshake(path)) => {
    const coming = bare.next()
    const talk = talkTo(port())
    talk.say(request)
    const upstream = await coming
    upstream.socket.write(switching(upstream.key))
    await talk.hear('\r\n\r\n')
    return { talk, upstream, at: bare.heard.length - 1 }
  }

  describe.each([
    ['ws', openSocket],
    ['the WebSocket of browsers', openBrowserSocket],
  ] as const)('with %s', (_name, client) => {
    it('goes through to the service, both ways, and says goodbye to both', async () => {
      const before = chat.requests.length
      const coming = chat.next()
      const talk = kept(client(port(), '/ws/room?name=blue', { protocols: ['chat.v1', 'chat.v2'] }))
      expect((await talk.open).protocol).toBe('chat.v2')
      const web = await coming
      const closed = once(web, 'close') as Promise<[number, Buffer]>
      for (const text of ['one', 'zwölf', 'x'.repeat(200_000)]) talk.say(text)
      expect((await talk.hear(3)).map((text) => text.length)).toEqual([3, 5, 200_000])
      talk.close(3000)
      expect((await talk.closed).code).toBe(3000)
      expect((await closed)[0]).toBe(3000)
      const request = chat.requests[before]
      expect(request?.url).toBe('/ws/room?name=blue')
      expect(request?.headers['sec-websocket-extensions']).toMatch(/permessage-deflate/)
      expect(await gateway.admin('/metrics')).toMatch(/^sallyport_upgraded_bytes_total\{route="chat",direction="out"\} [1-9]/m)
      expect(await recordOf('/ws/room', { ending: 'whole', route: 'chat' })).toMatchObject({
        status: 101,
        destination: { cluster: 'chat' },
        bytes_in: expect.any(Number),
        bytes_out: expect.any(Number),
      })
      await idle()
    })
  })

  it('takes a token as a header or a subprotocol, hands claims on, and keeps the token', async () => {
    for (const opening of [{ headers: { authorization: `Bearer ${alice}` } }, { protocols: ['chat.v2', ...withToken(alice).slice(1)] }]) {
      const before = chat.requests.length
      const talk = open('/staff', opening)
      await talk.open
      const headers = chat.requests[before]?.headers ?? {}
      expect([headers['x-user'], headers.authorization, headers['sec-websocket-protocol']]).toEqual([
        'alice',
        undefined,
        'protocols' in opening ? 'chat.v2' : undefined,
      ])
      talk.close()
      await talk.closed
    }
    const before = chat.requests.length
    expect((await refusalOf(open('/staff'))).status).toBe(401)
    expect(chat.requests).toHaveLength(before)
  })

  it('is opened by pages of its own host and of origins that the route allows alone', async () => {
    for (const [path, origin, passes] of [
      ['/ws/a', 'https://evil.example', false],
      ['/ws/a', 'null', false],
      ['/ws/a', `http://127.0.0.1:${port()}`, true],
      ['/pages', 'https://evil.example', false],
      ['/pages', 'https://app.example', true],
    ] as const) {
      const before = chat.requests.length
      const talk = open(path, { headers: { origin } })
      const status = await talk.open.then(
        () => 101,
        (error: unknown) => (error as Refused).status,
      )
      expect([path, origin, status]).toEqual([path, origin, passes ? 101 : 403])
      expect(chat.requests).toHaveLength(before + (passes ? 1 : 0))
      talk.close()
    }
  })

  it('hears a refusal of the service as it is', async () => {
    const refused = await refusalOf(open('/ws/forbidden'))
    expect([refused.status, refused.text, refused.headers['x-why']]).toEqual([403, 'no', 'because'])
    const plain = await refusalOf(open('/ws/plain'))
    expect([plain.status, plain.text]).toEqual([200, 'onetwo'])
    expect(await recordOf('/ws/forbidden', { status: 403 })).toMatchObject({ ending: 'whole', bytes_out: 2 })
    expect((await refusalOf(open('/dead'))).status).toBe(503)
    expect((await refusalOf(open('/nowhere'))).status).toBe(404)
    await idle()
  })

  it('is one request of a limit, and keeps its place until it is closed', async () => {
    const first = open('/limited')
    await first.open
    expect((await refusalOf(open('/limited'))).status).toBe(429)
    first.close()
    await first.closed
    await idle()
    const second = open('/limited')
    await second.open
    second.close()
  })

  it('passes other requests of the route on as they are', async () => {
    const answer = await fetch(`http://127.0.0.1:${port()}/ws/page`)
    expect([answer.status, await answer.text()]).toEqual([200, 'plain'])
  })

  it('is closed with a close frame on both sides when it is silent in both directions', async () => {
    const coming = chat.next()
    const talk = open('/short')
    await talk.open
    const closed = once(await coming, 'close')
    expect(await talk.closed).toEqual({ code: 1001, reason: '' })
    expect((await closed)[0]).toBe(1001)
    expect(await recordOf('/short', { ending: 'broken_off' })).toMatchObject({ status: 101, refusal: { code: 'request_timeout' } })
  })

  it('is closed at the end of its life, whatever is said', async () => {
    const talk = open('/aging')
    await talk.open
    const chatter = setInterval(() => talk.raw.readyState === 1 && talk.say('on and on'), 50)
    expect((await talk.closed).code).toBe(1001)
    clearInterval(chatter)
    expect(talk.heard.length).toBeGreaterThan(1)
  })

  it('outlives a reload, under the policies that it was opened by', async () => {
    const talk = open('/ws/stays')
    await talk.open
    const { revision } = gateway.running.live.current
    await gateway.policies.write(
      'shop.yaml',
      policies('').replace(
        '  chat: { match: { path: "/ws/{**}" }, access: anyone, upgrade: [websocket]',
        '  chat: { match: { path: "/ws/{**}" }, access: anyone',
      ),
    )
    await expect.poll(() => gateway.running.live.current.revision, { timeout: 10_000, interval: 20 }).not.toBe(revision)
    talk.say('still there?')
    expect(await gateway.admin('/metrics')).toMatch(/^sallyport_upgraded_connections\{listener="public"\} 1$/m)
    expect(await talk.hear(1)).toEqual(['still there?'])
    expect((await refusalOf(open('/ws/new'))).status).toBe(501)
    talk.close()
    await talk.closed
    expect(await recordOf('/ws/stays', { ending: 'whole' })).toMatchObject({ revision })
    const next = gateway.running.live.current.revision
    await gateway.policies.write('shop.yaml', policies(''))
    await expect.poll(() => gateway.running.live.current.revision, { timeout: 10_000, interval: 20 }).not.toBe(next)
  })

  it('is told to go away when the gateway stops', async () => {
    const other = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': policies('') }, { flags: { drain: '1s' } })
    const coming = chat.next()
    const talk = kept(openSocket(other.port('public'), '/ws/a'))
    await talk.open
    const closed = once(await coming, 'close')
    await other.running.close()
    expect((await talk.closed).code).toBe(1001)
    expect((await closed)[0]).toBe(1001)
    const records = other.journal.filter(({ path }) => path === '/ws/a')
    expect(records).toMatchObject([{ status: 101, ending: 'broken_off', refusal: { code: 'drained' } }])
  })

  describe('attacked', () => {
    const smuggled = 'GET /plain/secret HTTP/1.1\r\nHost: a\r\nX-Smuggled: 1\r\n\r\n'

    it('sends nothing that comes behind the handshake before the service has changed the protocol', async () => {
      const coming = bare.next()
      const talk = talkTo(port())
      talk.say(handshake('/bare/a') + smuggled)
      const { socket, key: its } = await coming
      const at = bare.heard.length - 1
      expect(bare.heard[at]).not.toContain('Smuggled')
      socket.write(switching(its))
      await talk.hear('\r\n\r\n')
      // Now it is bytes of the new protocol, on that connection alone.
      await expect.poll(() => bare.heard[at]).toContain('X-Smuggled')
      expect(bare.heard).toHaveLength(at + 1)
    })

    it('drops what comes behind a handshake that the service refuses, and uses neither connection again', async () => {
      const coming = bare.next()
      const talk = talkTo(port())
      talk.say(handshake('/bare/b') + smuggled)
      const { socket } = await coming
      const gone = over(socket)
      const at = bare.heard.length - 1
      socket.write('HTTP/1.1 426 Upgrade Required\r\ncontent-length: 4\r\n\r\nnope')
      const answer = await talk.end()
      expect(answer).toMatch(/^HTTP\/1\.1 426 [\s\S]*\r\nconnection: close\r\n[\s\S]*\r\n\r\nnope$/i)
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1)
      expect(bare.heard[at]).not.toContain('Smuggled')
      await gone
      expect(bare.heard).toHaveLength(at + 1)
    })

    it.each([
      ['a wrong accept', () => switching('other')],
      ['no accept', () => 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
      ['two accepts', (its: string) => switching(its, `Sec-WebSocket-Accept: ${acceptOf(its)}\r\n`)],
      ['another protocol', (its: string) => switching(its).replace('Upgrade: websocket', 'Upgrade: h2c')],
      ['no protocol', (its: string) => switching(its).replace('Upgrade: websocket\r\n', '')],
      ['a subprotocol that nobody offered', (its: string) => switching(its, 'Sec-WebSocket-Protocol: other\r\n')],
      ['an extension that nobody offered', (its: string) => switching(its, 'Sec-WebSocket-Extensions: x-secret\r\n')],
    ])('takes no 101 with %s', async (_name, answer) => {
      const coming = bare.next()
      const talk = talkTo(port())
      talk.say(handshake('/bare/c', 'Sec-WebSocket-Protocol: chat\r\n') + smuggled)
      const { socket, key: its } = await coming
      const at = bare.heard.length - 1
      socket.write(answer(its))
      expect(await talk.end()).toMatch(/^HTTP\/1\.1 502 /)
      expect(bare.heard[at]).not.toContain('Smuggled')
    })

    it.each(['GET', 'POST'])('takes no 101 that was not asked for (%s)', async (method) => {
      const coming = bare.next()
      const talk = talkTo(port())
      talk.say(`${method} /plain/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`)
      const { socket } = await coming
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
      expect(await talk.hear('\r\n\r\n')).toMatch(/^HTTP\/1\.1 502 /)
    })

    it.each([
      ['h2c', 'GET /bare/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n', 501],
      [
        'h2c where other protocols pass',
        'GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
        501,
      ],
      ['TLS', 'GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n', 501],
      ['another version', handshake('/bare/x').replace('Version: 13', 'Version: 777'), 400],
      ['a short key', handshake('/bare/x').replace(key, 'short'), 400],
      ['no key', handshake('/bare/x').replace(`Sec-WebSocket-Key: ${key}\r\n`, ''), 501],
      ['POST', handshake('/bare/x').replace('GET', 'POST'), 400],
      ['HTTP/1.0', handshake('/bare/x').replace('HTTP/1.1', 'HTTP/1.0'), 400],
      ['a body', `${handshake('/bare/x', 'Content-Length: 5\r\n')}hello`, 400],
      ['chunks', `${handshake('/bare/x', 'Transfer-Encoding: chunked\r\n')}0\r\n\r\n`, 400],
      ['two protocols in two fields', handshake('/bare/x', 'Upgrade: tcp\r\n'), 501],
      ['two protocols in one field', handshake('/bare/x').replace('Upgrade: websocket', 'Upgrade: websocket, h2c'), 501],
      ['no Connection', handshake('/bare/x').replace('Connection: Upgrade\r\n', ''), 501],
      ['Connection that names its own fields', handshake('/bare/x').replace('Connection: Upgrade', 'Connection: Upgrade, Sec-WebSocket-Key'), 400],
      ['a route without it', handshake('/plain/x'), 501],
      ['a route for other protocols', handshake('/raw'), 501],
      ['a protocol that the route does not name', 'GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ssh\r\n\r\n', 501],
      ['a raw protocol with a body', 'POST /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 5\r\n\r\nhello', 400],
    ])('is refused with %s, and nothing reaches the service', async (_name, request, status) => {
      const before = bare.heard.length
      const talk = talkTo(port())
      talk.say(request + smuggled)
      const answer = await talk.end()
      expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`])
      expect(bare.heard).toHaveLength(before)
    })

    it('waits no longer for the 101 than the route says', async () => {
      const coming = bare.next()
      const talk = talkTo(port())
      talk.say(handshake('/late'))
      const { socket } = await coming
      const gone = over(socket)
      expect(await talk.end()).toMatch(/^HTTP\/1\.1 504 /)
      await gone
    })
  })

  it('is not cut by the time that its handshake may take, stated or not', async () => {
    const coming = bare.next()
    const talk = talkTo(port())
    talk.say(handshake('/late', 'X-Server-Timeout: 0.15\r\n'))
    const { socket, key: its, head } = await coming
    expect(head.toLowerCase()).not.toContain('x-server-timeout')
    socket.write(switching(its))
    await talk.hear('\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 400))
    socket.write('later')
    expect(await talk.hear('later')).toContain('later')
    talk.socket.resetAndDestroy()
    await idle()
  })

  it('of one side that reads nothing stops the other, in bounds', async () => {
    const { talk, upstream, at } = await opened('/bare/slow')
    upstream.socket.pause()
    let sent = 0
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const pour = () => {
      while (!talk.socket.destroyed) {
        sent += chunk.length
        if (talk.socket.write(chunk)) continue
        talk.socket.once('drain', pour)
        return
      }
    }
    pour()
    const stopped = await settled(() => talk.socket.bytesWritten)
    expect(stopped).toBeLessThan(32 * 1024 * 1024)
    upstream.socket.resume()
    await expect.poll(() => bare.heard[at]?.length ?? 0, { timeout: 10_000 }).toBeGreaterThan(stopped)
    const gone = over(upstream.socket)
    talk.socket.resetAndDestroy()
    await gone
    await idle()
    expect(sent).toBeGreaterThan(stopped)
  })

  it('ends at the service when the downstream is cut, and the other way round', async () => {
    const first = await opened('/bare/cut')
    const gone = over(first.upstream.socket)
    first.talk.socket.resetAndDestroy()
    await gone
    expect(await recordOf('/bare/cut', { ending: 'given_up' })).toMatchObject({ status: 101, refusal: { code: 'client_closed' } })
    const second = await opened('/bare/cut')
    second.upstream.socket.resetAndDestroy()
    expect(await second.talk.end()).toContain('(reset)')
    expect(await recordOf('/bare/cut', { ending: 'broken_off' })).toMatchObject({ status: 101, refusal: { code: 'upstream_reset' } })
    await idle()
  })

  describe('other protocols', () => {
    const ask = (path: string, protocol: string, method = 'POST') =>
      `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
    const agreed = (protocol: string) =>
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`

    /** Goes on listening when it has no more to say, and the other way round. */
    const listener = () => {
      const socket = connect({ host: '127.0.0.1', port: port(), allowHalfOpen: true })
      keep(() => void socket.destroy())
      let heard = ''
      socket.on('data', (data) => {
        heard += data.toString('latin1')
      })
      return { socket, heard: () => heard }
    }

    it('pass under their names, byte by byte, and each side may end before the other', async () => {
      const coming = bare.next()
      const talk = listener()
      talk.socket.write(ask('/raw', 'spdy/3.1'))
      const { socket, head } = await coming
      const at = bare.heard.length - 1
      expect(head).toMatch(/^POST \/raw HTTP\/1\.1\r\n[\s\S]*upgrade: SPDY\/3\.1\r\n/i)
      expect(head).not.toMatch(/websocket/i)
      socket.write(`${agreed('SPDY/3.1')}hello`)
      await expect.poll(talk.heard).toContain('hello')
      expect(talk.heard()).toMatch(/^HTTP\/1\.1 101 [\s\S]*upgrade: spdy\/3\.1\r\n[\s\S]*\r\n\r\nhello$/i)
      // The service has no more to say, and still listens.
      const ended = once(talk.socket, 'end')
      socket.end('bye')
      await ended
      const both = [once(socket, 'end'), once(talk.socket, 'close')]
      talk.socket.end('last words')
      await Promise.all(both)
      expect(talk.heard()).toMatch(/\r\n\r\nhellobye$/)
      expect(bare.heard[at]).toMatch(/\r\n\r\nlast words$/)
      expect(await recordOf('/raw', { ending: 'whole', status: 101 })).toMatchObject({ bytes_in: 10, bytes_out: 8, method: 'POST' })
      await idle()
    })

    it('end the other way round too', async () => {
      const coming = bare.next()
      const talk = listener()
      talk.socket.write(ask('/raw', 'tcp', 'GET'))
      const { socket } = await coming
      socket.write(agreed('tcp'))
      await expect.poll(talk.heard).toContain('\r\n\r\n')
      const told = once(socket, 'end')
      const closed = once(talk.socket, 'close')
      talk.socket.end('that is all')
      await told
      socket.end('thanks')
      await closed
      expect(talk.heard()).toMatch(/thanks$/)
    })

    it('are cut, not ended, when they are silent', async () => {
      const coming = bare.next()
      const talk = talkTo(port())
      talk.say(ask('/raw-short', 'tcp'))
      const { socket } = await coming
      const cut = over(socket)
      socket.write(agreed('tcp'))
      expect(await talk.end()).toContain('(reset)')
      await cut
      expect(await recordOf('/raw-short', { ending: 'broken_off' })).toMatchObject({ refusal: { code: 'request_timeout' } })
    })
  })
})
