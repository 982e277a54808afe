import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { HttpReply } from '../../src/core/model/call.ts'
import { Fault, type FaultCode } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Channel, Endpoint } from '../../src/core/ports.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { bodyOf } from '../support/arrival.ts'
import { callOptions, chunkedBody, endpointAt, httpCall } from '../support/calls.ts'
import { fakeSecrets } from '../support/ports.ts'
import { gate, httpServer, rawServer, settled, textOf } from '../support/sockets.ts'

const clock = createClock()

function open(endpoint: Endpoint): Channel {
  const channel = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() }).acquire(endpoint)
  onTestFinished(() => channel.release())
  return channel
}

async function codeOf(promise: Promise<unknown>): Promise<FaultCode> {
  const error = await promise.then(
    () => new Error('it went well'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Fault)) throw error
  return error.code
}

const drain = (reply: HttpReply) => textOf(reply.body)

/** Answers every request it reads with these bytes, in order, the last one for ever. */
function scripted(...answers: string[]) {
  return rawServer((socket) => {
    let turn = 0
    socket.on('data', () => socket.write(answers[Math.min(turn++, answers.length - 1)] as string))
    socket.on('end', () => socket.end())
  })
}

test('a request arrives as it was called, and its answer comes back with repeated fields in order', async () => {
  const seen = gate<{ url: string | undefined; raw: string[]; body: string }>()
  const { port } = await httpServer(async (request, response) => {
    seen.resolve({ url: request.url, raw: request.rawHeaders, body: await textOf(request) })
    response.writeHead(201, ['set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-answer', 'yes', 'connection', 'x-hop', 'x-hop', '1'])
    response.end('made')
  })
  const headers = new FieldList([
    ['x-one', '1'],
    ['connection', 'x-gone'],
    ['x-gone', '1'],
    ['trailer', 'expires'],
    ['transfer-encoding', 'gzip'],
  ])
  const reply = await open(endpointAt(port)).http(httpCall({ method: 'POST', target: '/a%2Fb?q=1', headers, body: bodyOf('hello') }), callOptions())
  const request = await seen.promise
  expect(request).toEqual({ url: '/a%2Fb?q=1', raw: ['host', 'service.test', 'x-one', '1', 'content-length', '5', 'Connection', 'keep-alive'], body: 'hello' })
  expect(reply.status).toBe(201)
  expect(reply.headers.all('set-cookie')).toEqual(['a=1', 'b=2'])
  expect(reply.headers.has('x-hop')).toBe(false)
  expect(await drain(reply)).toBe('made')
})

test('a DELETE with a body of unknown length is one request upstream', async () => {
  let requests = 0
  const { port } = await httpServer(async (request, response) => {
    requests += 1
    response.end(`${request.method} ${await textOf(request)}`)
  })
  const body = chunkedBody([Buffer.from('GET /other HTTP/1.1\r\n\r\n')])
  const channel = open(endpointAt(port))
  const reply = await channel.http(httpCall({ method: 'DELETE', body }), callOptions())
  expect(await drain(reply)).toBe('DELETE GET /other HTTP/1.1\r\n\r\n')
  await drain(await channel.http(httpCall(), callOptions()))
  expect(requests).toBe(2)
})

test('connections are reused, and shared by equal endpoints until the last has let go', async () => {
  const server = await httpServer((_request, response) => response.end('ok'))
  const channels = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() })
  const first = channels.acquire(endpointAt(server.port))
  const second = channels.acquire(endpointAt(server.port))
  await drain(await first.http(httpCall(), callOptions()))
  first.release()
  await drain(await second.http(httpCall(), callOptions()))
  expect(server.sockets.length).toBe(1)
  const closed = once(server.sockets[0] as Socket, 'close')
  second.release()
  await closed
})

test('a release in the middle of an answer lets the answer finish', async () => {
  const rest = gate()
  const { port } = await httpServer(async (_request, response) => {
    response.write('first ')
    await rest.promise
    response.end('last')
  })
  const channel = open(endpointAt(port))
  const reply = await channel.http(httpCall(), callOptions())
  channel.release()
  rest.resolve()
  expect(await drain(reply)).toBe('first last')
})

test('nothing listens: the fault says that nothing was sent', async () => {
  const server = await httpServer(() => {})
  await server.close()
  const body = chunkedBody([Buffer.from('x')])
  expect(await codeOf(open(endpointAt(server.port)).http(httpCall({ method: 'POST', body }), callOptions()))).toBe('upstream_unavailable')
  expect(body.pulled()).toBe(0)
})

test('an upstream that resets before the answer is a reset', async () => {
  const { port } = await rawServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
  expect(await codeOf(open(endpointAt(port)).http(httpCall(), callOptions()))).toBe('upstream_reset')
})

for (const [name, head] of [
  ['chunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'],
  ['chunked with connection: close', 'HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'],
  ['of known length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello'],
] as const) {
  for (const [way, cut] of [
    ['ends', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ] as const) {
    test(`an answer ${name} whose connection ${way} in the middle ends with a fault, never cleanly`, async () => {
      const halfway = gate()
      const { port } = await rawServer(async (socket) => {
        await once(socket, 'data')
        socket.write(head)
        await halfway.promise
        cut(socket)
      })
      const reply = await open(endpointAt(port)).http(httpCall(), callOptions())
      const chunks = (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
      expect(Buffer.from((await chunks.next()).value as Uint8Array).toString()).toBe('hello')
      halfway.resolve()
      expect(await codeOf(chunks.next())).toMatch(/^upstream_(?:reset|protocol)$/)
    })
  }
}

for (const [name, answer] of [
  ['two Content-Lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'],
  ['both framings', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['an unasked 101', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
  ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['a coding that was not asked for', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['a coding that tells no end', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok'],
  ['no length in the mesh', 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok'],
  ['a header of 200 KiB', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(200 * 1024)}\r\n\r\n`],
] as const) {
  test(`an answer with ${name} is a protocol fault and its connection is not used again`, async () => {
    const server = await scripted(answer)
    const channel = open(endpointAt(server.port))
    expect(await codeOf(channel.http(httpCall({ method: 'POST' }), callOptions()))).toBe('upstream_protocol')
    await codeOf(channel.http(httpCall({ method: 'POST' }), callOptions()))
    expect(server.sockets.length).toBe(2)
  })
}

test('an early answer is passed on and the connection, which is owed the rest of the body, is not used again', async () => {
  const server = await rawServer((socket) => socket.once('data', () => socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno')))
  const never = gate<Uint8Array>()
  const body = chunkedBody(
    (async function* () {
      yield Buffer.alloc(10)
      yield await never.promise
    })(),
  )
  const channel = open(endpointAt(server.port))
  const reply = await channel.http(httpCall({ method: 'POST', body }), callOptions())
  expect(reply.status).toBe(413)
  expect(await drain(reply)).toBe('no')
  never.resolve(Buffer.alloc(1))
  await drain(await channel.http(httpCall(), callOptions()))
  expect(server.sockets.length).toBe(2)
})

test('bytes that follow an answer never become the next answer', async () => {
  const server = await scripted('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngoodHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil')
  const channel = open(endpointAt(server.port))
  for (let i = 0; i < 20; i += 1) {
    // The surplus may also break its own exchange; what it may not do is answer the next.
    const text = await channel.http(httpCall(), callOptions()).then(drain, () => 'broken')
    expect(text).not.toBe('evil')
  }
})

test('bytes that come while the connection is idle never become the next answer', async () => {
  const sockets: Socket[] = []
  const server = await rawServer((socket) => {
    sockets.push(socket)
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood'))
    socket.on('end', () => socket.end())
  })
  const channel = open(endpointAt(server.port))
  await drain(await channel.http(httpCall(), callOptions()))
  const dropped = once(sockets[0] as Socket, 'close')
  sockets[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil')
  await dropped
  expect(await drain(await channel.http(httpCall(), callOptions()))).toBe('good')
})

test('an idle connection that dies as it is chosen costs a GET nothing, and a POST is not sent twice', async () => {
  let posts = 0
  const server = await rawServer((socket) => {
    let requests = 0
    socket.on('data', (data) => {
      requests += 1
      if (data.toString().startsWith('POST')) posts += 1
      // The second request on a connection meets an upstream that is closing it.
      if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      else socket.resetAndDestroy()
    })
  })
  const channel = open(endpointAt(server.port))
  await drain(await channel.http(httpCall(), callOptions()))
  expect(await drain(await channel.http(httpCall(), callOptions()))).toBe('ok')
  expect(await codeOf(channel.http(httpCall({ method: 'POST' }), callOptions()))).toBe('upstream_reset')
  expect(posts).toBe(1)
})

test.each([
  ['idempotent', 'DELETE', true],
  ['safe', 'DELETE', false],
  ['safe', 'GET', true],
  ['never', 'GET', false],
] as const)('where %s calls are sent once more after an idle connection died, %s: %s', async (resend, method, good) => {
  let arrived = 0
  const server = await rawServer((socket) => {
    let requests = 0
    socket.on('data', () => {
      arrived += 1
      requests += 1
      if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      else socket.resetAndDestroy()
    })
  })
  const channel = open(endpointAt(server.port))
  await drain(await channel.http(httpCall(), callOptions()))
  const second = channel.http(httpCall({ method }), callOptions({ resend })).then(drain, (error: unknown) => Fault.from(error).code)
  expect([await second, arrived]).toEqual(good ? ['ok', 3] : ['upstream_reset', 2])
})

test('a request that is cut short cancels its upstream request, before and in the middle of the answer', async () => {
  const closed = [gate(), gate()]
  let turn = 0
  const started = [gate(), gate()]
  const { port } = await httpServer((request, response) => {
    const mine = turn++
    request.socket.once('close', () => closed[mine]?.resolve())
    started[mine]?.resolve()
    if (mine === 1) response.write('some')
  })
  const channel = open(endpointAt(port))
  const before = new Lifeline()
  const waiting = codeOf(channel.http(httpCall(), callOptions({ lifeline: before })))
  await started[0]?.promise
  before.end(new Fault('client_closed', 'gone'))
  expect(await waiting).toBe('client_closed')
  await closed[0]?.promise

  const during = new Lifeline()
  const reply = await channel.http(httpCall(), callOptions({ lifeline: during }))
  during.end(new Fault('client_closed', 'gone'))
  expect(await codeOf(drain(reply))).toBe('client_closed')
  await closed[1]?.promise
})

test('a reader that stops in the middle closes the upstream request', async () => {
  const closed = gate()
  const { port } = await httpServer((_request, response) => {
    response.on('close', () => closed.resolve())
    response.write('some')
  })
  const reply = await open(endpointAt(port)).http(httpCall(), callOptions())
  for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
    expect(chunk.byteLength).toBe(4)
    break
  }
  await closed.promise
})

test('an answer that does not begin by the deadline is a deadline fault', async () => {
  const { port } = await httpServer(() => {})
  expect(await codeOf(open(endpointAt(port)).http(httpCall(), callOptions({ deadline: clock.ticks() + 50 })))).toBe('deadline_exceeded')
})

test('an answer that stalls longer than the idle limit is cut', async () => {
  const { port } = await httpServer((_request, response) => void response.write('some'))
  const reply = await open(endpointAt(port)).http(httpCall(), callOptions({ idleMs: 60 }))
  expect(await codeOf(drain(reply))).toBe('upstream_reset')
})

test('a reader that does not read bounds what its upstream can send', async () => {
  let written = 0
  const { port } = await httpServer((_request, response) => {
    const chunk = Buffer.alloc(64 * 1024)
    const more = () => {
      do written += chunk.length
      while (response.write(chunk))
      response.once('drain', more)
    }
    more()
  })
  const reply = await open(endpointAt(port)).http(httpCall(), callOptions())
  const chunks = (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  await chunks.next()
  expect(await settled(() => written)).toBeLessThan(32 * 1024 * 1024)
  await chunks.return?.()
})

test('an upstream that does not read bounds what is pulled from the downstream', async () => {
  const stuck = gate()
  const server = await rawServer((socket) => {
    socket.pause()
    stuck.resolve()
  })
  const chunk = Buffer.alloc(64 * 1024)
  const lifeline = new Lifeline()
  const body = chunkedBody(
    (function* () {
      for (let i = 0; i < 4_000; i += 1) yield chunk
    })(),
  )
  const call = codeOf(open(endpointAt(server.port)).http(httpCall({ method: 'POST', body }), callOptions({ lifeline })))
  await stuck.promise
  expect(await settled(() => body.pulled())).toBeLessThan(32 * 1024 * 1024)
  lifeline.end(new Fault('client_closed', 'gone'))
  expect(await call).toBe('client_closed')
})

test('a body that breaks ends the upstream request, and the fault is the body’s own', async () => {
  const aborted = gate()
  const begun = gate()
  const { port } = await httpServer((request) => {
    request.once('data', () => begun.resolve())
    request.on('error', () => aborted.resolve())
  })
  const body = chunkedBody(
    (async function* () {
      yield Buffer.from('half')
      await begun.promise
      throw new Fault('request_timeout', 'stalled')
    })(),
  )
  expect(await codeOf(open(endpointAt(port)).http(httpCall({ method: 'POST', body }), callOptions()))).toBe('request_timeout')
  await aborted.promise
})

test('a HEAD answer keeps its length and has no body', async () => {
  const { port } = await httpServer((_request, response) => {
    response.setHeader('content-length', '12345')
    response.end()
  })
  const reply = await open(endpointAt(port)).http(httpCall({ method: 'HEAD' }), callOptions())
  expect([reply.headers.get('content-length'), reply.body]).toEqual(['12345', undefined])
})

test('no header of an answer is dropped, however many there are', async () => {
  const { port } = await rawServer((socket) =>
    socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${'a: \r\n'.repeat(2_100)}content-length: 2\r\n\r\nok`)),
  )
  const reply = await open(endpointAt(port)).http(httpCall(), callOptions())
  expect(reply.headers.all('a').length).toBe(2_100)
  expect(await textOf(reply.body)).toBe('ok')
})

test('informational answers are passed over', async () => {
  const server = await scripted('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  expect(await drain(await open(endpointAt(server.port)).http(httpCall(), callOptions()))).toBe('ok')
})
