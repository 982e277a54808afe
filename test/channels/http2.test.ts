import { once } from 'node:events'
import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { expect, onTestFinished, test } from 'vitest'
import { Fault, type FaultCode } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Channel, Endpoint } from '../../src/core/ports.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { callOptions, chunkedBody, endpointAt, httpCall } from '../support/calls.ts'
import { fakeSecrets } from '../support/ports.ts'
import { gate, httpServer, type Running, rawServer, running, settled, textOf } from '../support/sockets.ts'

const clock = createClock()

function open(port: number, given: Partial<Endpoint> = {}): Channel {
  const endpoint = endpointAt(port, { protocol: 'h2', ...given })
  const channel = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() }).acquire(endpoint)
  onTestFinished(() => channel.release())
  return channel
}

async function h2Server(
  handle: (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => unknown,
  settings: { maxConcurrentStreams?: number } = {},
): Promise<Running & { readonly server: Http2Server; readonly sessions: ServerHttp2Session[] }> {
  const server = createServer({ settings })
  const sessions: ServerHttp2Session[] = []
  server.on('session', (session) => {
    session.on('error', () => {})
    sessions.push(session)
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    void handle(stream, headers)
  })
  return { ...(await running(server)), server, sessions }
}

async function codeOf(promise: Promise<unknown>): Promise<FaultCode> {
  const error = await promise.then(
    () => new Error('it went well'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Fault)) throw error
  return error.code
}

test('a request arrives as it was called, and the answer comes with its trailers', async () => {
  const seen = gate<Readonly<Record<string, unknown>>>()
  const { port } = await h2Server((stream, headers) => {
    seen.resolve(headers)
    stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }))
    stream.pipe(stream)
  })
  const headers = new FieldList([
    ['x-one', '1'],
    ['connection', 'x-gone'],
    ['x-gone', '1'],
  ])
  const reply = await open(port).http(httpCall({ method: 'POST', target: '/a?b', headers, body: chunkedBody([Buffer.from('hello')]) }), callOptions())
  expect(await seen.promise).toMatchObject({ ':method': 'POST', ':path': '/a?b', ':authority': 'service.test', ':scheme': 'http', 'x-one': '1' })
  expect(await seen.promise).not.toHaveProperty('x-gone')
  expect(reply.headers.all('set-cookie')).toEqual(['a=1', 'b=2'])
  expect(await textOf(reply.body)).toBe('hello')
  expect(reply.trailers?.().get('x-sum')).toBe('42')
})

test('calls share a connection, up to the stream limit that the upstream states', async () => {
  const release = gate()
  let started = 0
  const server = await h2Server(
    async (stream) => {
      started += 1
      if (started === 5) release.resolve()
      await release.promise
      stream.respond({ ':status': 200 })
      stream.end('ok')
    },
    { maxConcurrentStreams: 2 },
  )
  const channel = open(server.port)
  const calls = [1, 2, 3, 4, 5].map(async () => textOf((await channel.http(httpCall(), callOptions())).body))
  expect(await Promise.all(calls)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
  expect(server.sessions.length).toBe(3)
})

for (const [name, cut] of [
  ['its stream is reset', (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
  ['its connection dies', (stream: ServerHttp2Stream) => stream.session?.socket.destroy()],
] as const) {
  test(`an answer ends with a fault, never cleanly, when ${name} in the middle`, async () => {
    const halfway = gate()
    const { port } = await h2Server(async (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.write('hello')
      await halfway.promise
      cut(stream)
    })
    const reply = await open(port).http(httpCall(), callOptions())
    const chunks = (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    expect(Buffer.from((await chunks.next()).value as Uint8Array).toString()).toBe('hello')
    halfway.resolve()
    expect(await codeOf(chunks.next())).toBe('upstream_reset')
  })

  test(`a call is a reset when ${name} before the answer`, async () => {
    const { port } = await h2Server((stream) => void cut(stream))
    expect(await codeOf(open(port).http(httpCall(), callOptions()))).toBe('upstream_reset')
  })
}

test('a field that a downstream repeats is sent as it came', async () => {
  const seen = gate<readonly string[]>()
  const { port, server } = await h2Server((stream) => {
    stream.respond({ ':status': 200 })
    stream.end()
  })
  server.prependListener('stream', (_stream, _headers, _flags, raw) => seen.resolve(raw ?? []))
  const headers = new FieldList([
    ['if-match', '"a"'],
    ['if-match', '"b"'],
    ['dnt', '1'],
    ['dnt', '1'],
  ])
  await open(port).http(httpCall({ headers }), callOptions())
  expect((await seen.promise).filter((text) => text.startsWith('"'))).toEqual(['"a"', '"b"'])
})

/** A frame (RFC 9113 section 4.1). */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** An upstream that says these frames when it is asked. */
async function scripted(answer: readonly Buffer[]): Promise<number> {
  const { port } = await rawServer((socket) => {
    let read = Buffer.alloc(0)
    socket.write(frame(4, 0, 0))
    socket.on('data', (data) => {
      read = Buffer.concat([read, data])
      // Behind the preface, the SETTINGS, and whatever else: HEADERS of the first stream, END_HEADERS and END_STREAM.
      if (!read.includes(Buffer.from([1, 5, 0, 0, 0, 1]))) return
      socket.removeAllListeners('data')
      socket.write(Buffer.concat([frame(4, 1, 0), ...answer]))
    })
  })
  return port
}

const answered = Buffer.from([0x88]) // HPACK, the static table's `:status: 200`

for (const code of [0, 2, 8]) {
  test(`half an answer that the upstream resets with code ${code} never looks whole`, async () => {
    const port = await scripted([frame(1, 4, 1, answered), frame(0, 0, 1, Buffer.from('half')), frame(3, 0, 1, Buffer.from([0, 0, 0, code]))])
    const reply = await open(port).http(httpCall(), callOptions())
    expect(await codeOf(textOf(reply.body))).toBe('upstream_reset')
  })
}

test('a whole answer whose upstream then asks for no more is whole', async () => {
  const port = await scripted([frame(1, 4, 1, answered), frame(0, 1, 1, Buffer.from('whole')), frame(3, 0, 1, Buffer.alloc(4))])
  const reply = await open(port).http(httpCall(), callOptions())
  expect(await textOf(reply.body)).toBe('whole')
})

test('a status that is none is a protocol fault', async () => {
  const status = Buffer.concat([Buffer.from([0x00, 7]), Buffer.from(':status'), Buffer.from([3]), Buffer.from('999')])
  const port = await scripted([frame(1, 4, 1, status), frame(0, 1, 1, Buffer.from('odd'))])
  expect(await codeOf(open(port).http(httpCall(), callOptions()))).toBe('upstream_protocol')
})

test('a refused stream counts as not sent', async () => {
  const { port } = await h2Server((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM))
  expect(await codeOf(open(port).http(httpCall(), callOptions()))).toBe('upstream_unavailable')
})

test('after GOAWAY the next call opens a new connection, and the one in flight finishes', async () => {
  const finish = gate()
  let turn = 0
  const server = await h2Server(async (stream) => {
    turn += 1
    stream.respond({ ':status': 200 })
    stream.write('a')
    if (turn === 1) await finish.promise
    stream.end('b')
  })
  const channel = open(server.port)
  const first = await channel.http(httpCall(), callOptions())
  server.sessions[0]?.close()
  // The next answer proves that GOAWAY has been read: it can only come over another connection.
  while (server.sessions.length < 2) expect(await textOf((await channel.http(httpCall(), callOptions())).body)).toBe('ab')
  finish.resolve()
  expect(await textOf(first.body)).toBe('ab')
})

test('an upstream that came back is reached by the next call', async () => {
  const server = await h2Server((stream) => {
    stream.respond({ ':status': 200 })
    stream.end('ok')
  })
  const channel = open(server.port)
  await textOf((await channel.http(httpCall(), callOptions())).body)
  for (const session of server.sessions) session.destroy()
  let text = ''
  while (text !== 'ok')
    text = await channel.http(httpCall(), callOptions()).then(
      (reply) => textOf(reply.body),
      () => 'lost',
    )
  expect(server.sessions.length).toBe(2)
})

test('an upstream that speaks HTTP/1 is found out before anything is sent', async () => {
  const { port } = await httpServer((_request, response) => response.end())
  expect(await codeOf(open(port).http(httpCall(), callOptions()))).toBe('upstream_unavailable')
})

test('a silent upstream costs the connect timeout', async () => {
  const server = await running((await import('node:net')).createServer(() => {}))
  expect(await codeOf(open(server.port, { connectTimeoutMs: 60 }).http(httpCall(), callOptions()))).toBe('upstream_unavailable')
})

test('a request that is cut short resets its stream upstream', async () => {
  const started = gate<ServerHttp2Stream>()
  const { port } = await h2Server((stream) => started.resolve(stream))
  const lifeline = new Lifeline()
  const call = codeOf(open(port).http(httpCall(), callOptions({ lifeline })))
  const stream = await started.promise
  const closed = once(stream, 'close')
  lifeline.end(new Fault('client_closed', 'gone'))
  expect(await call).toBe('client_closed')
  await closed
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
})

test('an upload that breaks off never looks complete to the upstream', async () => {
  const begun = gate()
  const ended = gate<number>()
  const { port } = await h2Server((stream) => {
    stream.once('data', () => begun.resolve())
    stream.on('close', () => ended.resolve(stream.rstCode))
    stream.resume()
  })
  const body = chunkedBody(
    (async function* () {
      yield Buffer.from('half')
      await begun.promise
      throw new Fault('client_closed', 'gone')
    })(),
  )
  expect(await codeOf(open(port).http(httpCall({ method: 'POST', body }), callOptions()))).toBe('client_closed')
  expect(await ended.promise).toBe(constants.NGHTTP2_CANCEL)
})

test('a reader that does not read holds its sender to the flow-control window', async () => {
  let taken = 0
  const { port } = await h2Server((stream) => {
    stream.respond({ ':status': 200 })
    const chunk = Buffer.alloc(16 * 1024)
    const more = () => {
      if (stream.destroyed) return
      do taken += chunk.length
      while (stream.write(chunk))
      stream.once('drain', more)
    }
    more()
  })
  const reply = await open(port).http(httpCall(), callOptions())
  const chunks = (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  await chunks.next()
  expect(await settled(() => taken)).toBeLessThan(1024 * 1024)
  await chunks.return?.()
})
