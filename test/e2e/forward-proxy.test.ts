import { once } from 'node:events'
import { createServer as createHttpServer, request as httpRequest } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'
import { helloMessage, realHello, records } from '../support/client-hello.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { vendorNames } from '../support/vendor-names.ts'

const patienceMs = 20_000
const keep = untilTheEnd()

/** What reached a vendor that says nothing by itself. */
const heard: Buffer[] = []
/** Vendors by name: two over TLS, one in the clear, one that keeps every byte it is sent, one port that nobody listens on. */
const ports = { a: 0, b: 0, clear: 0, deaf: 0, gone: 0 }
let ca = ''
let dialled = 0
let gateway: Gateway

beforeAll(async () => {
  vendorNames(keep, { 'inside.example': ['10.0.0.1'], 'mixed.example': ['127.0.0.1', '10.0.0.1'] })
  const certificates = await makeCertificates()
  const { certificate: cert, key } = await certificates.issue({ dns: 'a.example' })
  ca = certificates.ca
  const secure = (name: string) => listening(createHttpsServer({ cert, key }, (_, response) => void response.end(`hello from ${name}`)))
  ports.a = await secure('a')
  ports.b = await secure('b')
  ports.clear = await listening(createHttpServer((request, response) => void response.end(JSON.stringify({ url: request.url, headers: request.headers }))))
  ports.deaf = await listening(createTcpServer((socket) => void socket.on('data', (data) => heard.push(data))))
  ports.gone = await listening(createTcpServer(), true)
  const loopback = 'allowAddresses: ["127.0.0.0/8"]'
  gateway = await openGateway(
    keep,
    {
      'house.yaml': `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod }, prod: { class: prod } }
listeners:
  egress: { address: 127.0.0.1:0, proxy: true }
  admin: { address: 127.0.0.1:0 }
callers:
  shop: { listener: egress, mayChooseEnv: [test] }
egress:
  web:
    kind: proxy
    connect: true
    callers: [shop]
    clientHelloTimeout: 2s
    environments:
      dev: { hosts: [a.example, inside.example, mixed.example, "*.wild.example"], ports: [${ports.a}, ${ports.gone}], ${loopback} }
      test: { hosts: [a.example], ports: [${ports.b}], ${loopback} }
      prod: { hosts: [live.wild.example] }
  deaf:
    kind: proxy
    connect: true
    callers: [shop]
    clientHelloTimeout: 300ms
    connections: { max: 2 }
    environments: { dev: { hosts: [a.example, "127.0.0.1"], ports: [${ports.deaf}], ${loopback} } }
  moving:
    kind: proxy
    connect: true
    callers: [shop]
    switch: { drainTimeout: 600ms }
    environments:
      dev: { hosts: [moving.example], ports: [${ports.a}], ${loopback} }
      test: { hosts: [moving.example], ports: [${ports.a}], ${loopback} }
  plain:
    kind: proxy
    callers: [shop]
    allow: [{ methods: [GET], path: "/open/{**}" }]
    environments: { dev: { hosts: [clear.example], ports: [${ports.clear}], ${loopback} } }
  mixed:
    kind: proxy
    connect: true
    callers: [shop]
    allow: [{ methods: [GET], path: "/open/{**}" }]
    environments:
      dev: { hosts: [open.example], ports: [${ports.clear}], ${loopback} }
      test: { hosts: [open.example], ports: [${ports.clear}], ${loopback} }
  own:
    host: own.egress.internal
    callers: [shop]
    environments: { dev: { mode: mock, mock: mocks/own.yaml } }
`,
      'mocks/own.yaml': '- match: { path: /x }\n  text: mocked\n',
    },
    { flags: { lameDuck: '0s', drain: '500ms' } },
  )
})

/** Returns its port; `close` gives it back at once, so that nobody listens there. */
async function listening(server: Server, close = false): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    dialled += 1
    sockets.add(socket.on('error', () => {}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it is bound to an address
  if (close) server.close()
  else
    keep(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
  return port
}

interface Opened {
  readonly status: number
  readonly head: string
  readonly socket: Socket
}

/** Writes to the proxy and waits for the head of its answer. What follows is left to read. */
function say(text: string, behind: Uint8Array | string = ''): Promise<Opened> {
  const socket = connectTcp({ port: gateway.port('egress'), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.write(text)
  if (behind.length > 0) socket.write(behind)
  let said = Buffer.alloc(0)
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error(`closed after ${said.toString()}`))
    socket.once('close', closed)
    const look = () => {
      for (;;) {
        const chunk = socket.read() as Buffer | null
        if (chunk === null) return
        said = Buffer.concat([said, chunk])
        const end = said.indexOf('\r\n\r\n')
        if (end < 0) continue
        socket.off('readable', look)
        socket.off('close', closed)
        if (said.length > end + 4) socket.unshift(said.subarray(end + 4))
        resolve({ status: Number(String(said).split(' ')[1]), head: said.subarray(0, end).toString(), socket })
        return
      }
    }
    socket.on('readable', look)
  })
}

function tunnel(target: string, more = '', behind: Uint8Array | string = ''): Promise<Opened> {
  return say(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${more}\r\n`, behind)
}

/** Speaks TLS through an open tunnel. Rejects with what ends the handshake. */
function handshake({ socket }: Pick<Opened, 'socket'>, servername = 'a.example'): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({ socket, servername, ca, checkServerIdentity: () => undefined })
    onTestFinished(() => void tls.destroy())
    tls.once('secureConnect', () => resolve(tls))
    tls.once('error', reject)
    tls.once('close', () => reject(new Error('closed')))
  })
}

async function rest(socket: Socket): Promise<string> {
  let text = ''
  for await (const part of socket) text += (part as Buffer).toString('latin1')
  return text
}

function get(tls: TLSSocket): Promise<string> {
  tls.write('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n')
  return rest(tls)
}

/** The last record of a connection that ended so. */
const ended = (outcome: string, since: number) =>
  gateway.entry((one) => one['kind'] === 'stream' && one['outcome'] === outcome && gateway.journal.indexOf(one) >= since)

async function switchTo(service: string, environment: string): Promise<number> {
  const admin = `http://127.0.0.1:${gateway.port('admin')}`
  const { revision } = (await (await fetch(`${admin}/egress`)).json()) as { readonly revision: string }
  const headers = { 'content-type': 'application/json', 'if-match': revision }
  return (await fetch(`${admin}/egress/${service}/switch`, { method: 'POST', headers, body: JSON.stringify({ environment, by: 'ada', reason: 'a test' }) }))
    .status
}

describe('a tunnel', { timeout: patienceMs }, () => {
  it('leads to the vendor that was asked for, and is recorded with its bytes', async () => {
    const since = gateway.journal.length
    const opened = await tunnel(`a.example:${ports.a}`)
    expect(opened.head).toMatch(/^HTTP\/1\.1 200 .*x-egress-service: web\r\nx-egress-env: dev/s)
    expect(opened.head).not.toMatch(/content-length|transfer-encoding/i)
    expect(await get(await handshake(opened))).toContain('hello from a')
    const record = await ended('closed', since)
    expect(record).toMatchObject({
      service: 'web',
      caller: 'shop',
      environment: 'dev',
      target: `a.example:${ports.a}`,
      listener: 'egress',
      client: '127.0.0.1',
    })
    expect(record['bytes_out']).toBeGreaterThan(200)
    expect(/x-egress-request-id: (.*)/.exec(opened.head)?.[1]).toBe(record['id'])
    expect(await gateway.admin('/metrics')).toContain('sallyport_egress_streams_total{service="web",outcome="closed"}')
  })

  it('goes where x-egress-env says', async () => {
    const opened = await tunnel(`a.example:${ports.b}`, 'x-egress-env: test\r\n')
    expect(opened.head).toContain('x-egress-env: test')
    expect(await get(await handshake(opened))).toContain('hello from b')
  })

  it('takes a ClientHello that came with the request, or in single bytes', async () => {
    const whole = await realHello({ servername: 'a.example' })
    const early = await tunnel(`a.example:${ports.a}`, '', whole)
    expect([early.status, (await once(early.socket, 'data'))[0]?.[0]]).toEqual([200, 22])
    const slow = await tunnel(`a.example:${ports.a}`)
    slow.socket.setNoDelay(true)
    for (const byte of whole) slow.socket.write(Uint8Array.of(byte))
    expect((await once(slow.socket, 'data'))[0]?.[0]).toBe(22)
  })

  it.each<[string, () => Promise<Uint8Array> | Uint8Array, string]>([
    ['another name', () => realHello({ servername: 'b.example' }), 'the ClientHello names b.example'],
    ['no name', () => realHello({ host: '192.0.2.1' }), 'names no server'],
    ['the outer name of an encrypted one', () => records(helloMessage({ names: [[0, 'ech.example']], after: [[0xfe0d, [0, 0, 1]]] })), 'names ech.example'],
    [
      'two names',
      () =>
        records(
          helloMessage({
            names: [
              [0, 'a.example'],
              [0, 'b.example'],
            ],
          }),
        ),
      'does not fit',
    ],
    ['no TLS but SSH', () => Buffer.from('\x00SSH-2.0'), 'not TLS'],
    ['a length beyond all hellos', () => Uint8Array.of(22, 3, 1, 0, 4, 1, 1, 0, 0), 'too long'],
  ])('sends nothing to the vendor after a hello with %s, and says so in an alert', async (_, hello, reason) => {
    const since = gateway.journal.length
    const before = heard.length
    const opened = await tunnel(`a.example:${ports.deaf}`)
    opened.socket.write(await hello())
    expect(await rest(opened.socket)).toBe('\x15\x03\x03\x00\x02\x02\x70')
    expect(await ended('hello_refused', since)).toMatchObject({ service: 'deaf', bytes_out: 0, bytes_in: 0, reason: expect.stringContaining(reason) })
    expect(heard.length).toBe(before)
  })

  it('to an address takes a hello without a name, and none with one', async () => {
    const since = gateway.journal.length
    const before = heard.length
    const named = await tunnel(`127.0.0.1:${ports.deaf}`)
    named.socket.write(await realHello({ servername: 'a.example' }))
    await ended('hello_refused', since)
    expect(heard.length).toBe(before)
    const bare = await tunnel(`127.0.0.1:${ports.deaf}`)
    bare.socket.write(await realHello({ host: '127.0.0.1' }))
    await vi.waitFor(() => expect(heard.length).toBe(before + 1))
    bare.socket.destroy()
  })

  it('is closed when the hello does not come in time, when its client leaves, and when there are too many', async () => {
    const since = gateway.journal.length
    const before = heard.length
    const part = (await realHello({ servername: 'a.example' })).subarray(0, 100)
    const late = await tunnel(`a.example:${ports.deaf}`)
    late.socket.write(part)
    const leaver = await tunnel(`a.example:${ports.deaf}`)
    const full = await tunnel(`a.example:${ports.deaf}`)
    expect([full.status, full.head.includes('x-egress-reason: deaf has no room for another tunnel')]).toEqual([503, true])
    leaver.socket.destroy()
    expect(await ended('hello_refused', since)).toMatchObject({ reason: 'no whole ClientHello in time' })
    await ended('closed', since)
    await ended('full', since)
    expect(heard.length).toBe(before)
  })

  it('is refused with the reason in a header, closes, and what follows is never read as a request', async () => {
    const since = gateway.journal.length
    const smuggled = 'GET http://own.egress.internal/x HTTP/1.1\r\nHost: own.egress.internal\r\n\r\n'
    const refused = await tunnel('other.example:443', '', smuggled)
    expect(refused.status).toBe(403)
    expect(refused.head).toContain('content-type: application/problem+json')
    expect(refused.head).toContain('proxy-status: sallyport; error=http_request_denied; details="egress_denied"')
    expect(refused.head).toContain('x-egress-reason: no egress service lists other.example:443')
    expect(refused.head.toLowerCase()).toContain('connection: close')
    const body = await rest(refused.socket)
    expect(body).toContain('"egress_denied"')
    expect(body).not.toContain('mocked')
    expect(await ended('egress_denied', since)).toMatchObject({
      reason: 'no egress service lists other.example:443',
      target: 'other.example:443',
      caller: 'shop',
      bytes_out: 0,
    })
    expect(gateway.journal.slice(since).filter((one) => one['kind'] === 'request')).toEqual([])
  })

  it.each([
    ['/etc/passwd', '', 400],
    ['a@a.example:443', '', 400],
    ['a:443:22', '', 400],
    ['http://x/', '', 400],
    ['a.example:443', 'Host: second.example\r\n', 400],
    ['a.example:443', 'Content-Length: 3\r\n', 400],
    ['a.example:443', 'Transfer-Encoding: chunked\r\n', 400],
    ['a.example:80', '', 403],
    ['own.egress.internal:443', '', 403],
    ['a.example:443', 'x-egress-env: prod\r\n', 403],
    ['a.example:443', 'x-egress-env: test\r\nx-egress-env: test\r\n', 400],
  ])('to %s with %j is answered %i', async (target, more, status) => {
    const before = dialled
    expect((await tunnel(target, more)).status).toBe(status)
    expect(dialled).toBe(before)
  })

  it('never leads to an address that is closed, nor to production by name', async () => {
    const before = dialled
    for (const name of ['inside', 'mixed', 'live.wild']) expect([name, (await tunnel(`${name}.example:${ports.a}`)).status]).toEqual([name, 403])
    const gone = await tunnel(`a.example:${ports.gone}`)
    expect([gone.status, gone.head.includes('proxy-status: sallyport; error=destination_unavailable')]).toEqual([503, true])
    expect(dialled).toBe(before)
  })

  it('that rests ends when its service is switched, and one that does not is reset at the deadline', async () => {
    const since = gateway.journal.length
    const resting = await handshake(await tunnel(`moving.example:${ports.a}`), 'moving.example')
    const busy = await handshake(await tunnel(`moving.example:${ports.a}`), 'moving.example')
    // A request without an end has no answer: it does not rest.
    busy.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n')
    const writing = setInterval(() => busy.write('x'), 20)
    onTestFinished(() => clearInterval(writing))
    busy.on('error', () => {})
    expect(await switchTo('moving', 'test')).toBe(200)
    await ended('drained', since)
    await ended('reset', since)
    expect(resting.destroyed || resting.readableEnded || (await rest(resting)) === '').toBe(true)
    const after = await tunnel(`moving.example:${ports.a}`)
    expect(after.head).toContain('x-egress-env: test')
  })
})

describe('a request in absolute-form', { timeout: patienceMs }, () => {
  function ask(path: string, method = 'GET', headers: Readonly<Record<string, string>> = {}): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({ port: gateway.port('egress'), host: '127.0.0.1', path, method, headers, agent: false }, (response) => {
        rest(response as unknown as Socket).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject)
      })
      request.on('error', reject).end()
    })
  }

  it('reaches the host that its service lists, with what its caller says and nothing of the hop', async () => {
    const headers = { Host: 'else.example', 'Proxy-Connection': 'keep-alive', 'Proxy-Authorization': 'Basic YTpi', Authorization: 'Bearer mine' }
    const { status, text } = await ask(`http://clear.example:${ports.clear}/open/x?y=1`, 'GET', headers)
    expect(status).toBe(200)
    const seen = JSON.parse(text) as { readonly url: string; readonly headers: Readonly<Record<string, string>> }
    expect(seen.url).toBe('/open/x?y=1')
    expect(seen.headers).toMatchObject({ host: `clear.example:${ports.clear}`, authorization: 'Bearer mine' })
    expect(Object.keys(seen.headers).filter((name) => name.startsWith('proxy-'))).toEqual([])
  })

  it('is refused as its service says, and to https with a sentence', async () => {
    expect(await ask(`http://clear.example:${ports.clear}/closed`)).toMatchObject({ status: 403, text: expect.stringContaining('egress_denied') })
    expect(await ask(`http://clear.example:${ports.clear}/open/x`, 'POST')).toMatchObject({ status: 403 })
    expect(await ask(`https://clear.example:${ports.clear}/open/x`)).toMatchObject({ status: 400, text: expect.stringContaining('CONNECT') })
  })

  it('to the host of a service is a call of that service', async () => {
    expect(await ask('http://own.egress.internal/x')).toEqual({ status: 200, text: 'mocked' })
  })
})

describe('a tunnel that carries requests in the clear', { timeout: patienceMs }, () => {
  const inside = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: clear.example\r\n${more}\r\n`

  it('has each of them judged like one in absolute-form, and reaches no other place', async () => {
    const since = gateway.journal.length
    const place = `clear.example:${ports.clear}`
    const opened = await tunnel(`open.example:${ports.clear}`)
    expect(opened.status).toBe(200)
    opened.socket.write(inside('/open/x') + inside('/closed') + inside('/open/y', 'Connection: close\r\n'))
    const text = await rest(opened.socket)
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403', 'HTTP/1.1 200'])
    expect(text).toContain(`"host":"open.example:${ports.clear}"`)
    expect(text).not.toContain(place)
    const records = gateway.journal.slice(since).filter((one) => one['kind'] === 'request' || one['kind'] === 'stream')
    const id = /^x-egress-request-id: (\S+)/m.exec(opened.head)?.[1] ?? 'the answer names none'
    expect(records).toMatchObject([{ kind: 'stream', outcome: 'clear', id }, { path: '/open/x' }, { path: '/closed' }, { path: '/open/y' }])
  })

  it.each([
    ['another place', () => inside('http://own.egress.internal/x')],
    ['another tunnel', () => `CONNECT a.example:${ports.a} HTTP/1.1\r\nHost: a.example\r\n\r\n`],
    ['the whole server', () => 'OPTIONS * HTTP/1.1\r\nHost: clear.example\r\n\r\n'],
    ['another environment', () => inside('/open/x', 'x-egress-env: prod\r\n')],
    ['what is no request', () => 'EHLO here\r\n\r\n'],
  ])('refuses %s', async (_, text) => {
    const before = dialled
    const opened = await tunnel(`open.example:${ports.clear}`)
    opened.socket.write(text())
    expect(String((await once(opened.socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 (?:400|403|501) /)
    // That of the tunnel itself, which nothing was sent on.
    expect(dialled - before).toBeLessThanOrEqual(1)
  })

  it('is for the environment that CONNECT chose', async () => {
    const opened = await tunnel(`open.example:${ports.clear}`, 'x-egress-env: test\r\n')
    opened.socket.write(inside('/open/x', 'Connection: close\r\n'))
    expect(await rest(opened.socket)).toContain('x-egress-env: test')
    const twice = await tunnel(`open.example:${ports.clear}`, 'x-egress-env: test\r\n')
    twice.socket.write(inside('/open/x', 'x-egress-env: test\r\nConnection: close\r\n'))
    expect(await rest(twice.socket)).toContain('env_invalid')
  })
})

describe('the end of the gateway', () => {
  it('ends tunnels that rest within the drain', { timeout: patienceMs }, async () => {
    const since = gateway.journal.length
    const tls = await handshake(await tunnel(`a.example:${ports.a}`))
    const over = once(tls, 'close')
    tls.resume()
    await gateway.running.close()
    await over
    expect(gateway.journal.slice(since).find((one) => one['kind'] === 'stream')).toMatchObject({ outcome: 'drained' })
  })
})
