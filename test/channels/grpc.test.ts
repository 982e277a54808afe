import { constants, createServer as createHttp2Server, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { status as Code, Metadata, Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition } from '@grpc/grpc-js'
import { expect, onTestFinished, test } from 'vitest'
import type { GrpcReply } from '../../src/core/model/call.ts'
import { Fault, type FaultCode } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Channel } from '../../src/core/ports.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { callOptions, endpointAt, grpcCall } from '../support/calls.ts'
import { fakeSecrets } from '../support/ports.ts'
import { gate, rawServer, running, settled } from '../support/sockets.ts'

const clock = createClock()
type Duplex = ServerDuplexStream<Buffer, Buffer>

const same = (bytes: Buffer) => bytes
/** On the wire all four kinds of call look alike; the server sees every one as a stream. */
const definition: ServiceDefinition = {
  talk: {
    path: '/test.Echo/Talk',
    requestStream: true,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
}

async function grpcServer(talk: (call: Duplex) => void, port = 0): Promise<{ readonly port: number; readonly server: Server }> {
  const server = new Server()
  server.addService(definition, {
    talk: (call: Duplex) => {
      call.on('error', () => {})
      talk(call)
    },
  })
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, chosen) => (error === null ? resolve(chosen) : reject(error)))
  })
  onTestFinished(() => server.forceShutdown())
  return { port: bound, server }
}

function open(port: number): Channel {
  const channel = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() }).acquire(endpointAt(port, { protocol: 'grpc' }))
  onTestFinished(() => channel.release())
  return channel
}

const talkCall = (given: Parameters<typeof grpcCall>[0] = {}) => grpcCall({ path: '/test.Echo/Talk', ...given })

async function messagesOf(reply: GrpcReply): Promise<string[]> {
  const texts: string[] = []
  for await (const message of reply.messages) texts.push(Buffer.from(message).toString())
  return texts
}

async function codeOf(promise: Promise<unknown>): Promise<FaultCode> {
  const error = await promise.then(
    () => new Error('it went well'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Fault)) throw error
  return error.code
}

test('a unary call carries message, authority and metadata there, and message, metadata and trailers back', async () => {
  const seen = gate<{ host: string; metadata: Metadata }>()
  const { port } = await grpcServer((call) => {
    seen.resolve({ host: call.getHost(), metadata: call.metadata })
    const head = new Metadata()
    head.set('x-head', 'h')
    head.set('raw-bin', Buffer.from([0, 255]))
    call.sendMetadata(head)
    call.on('data', (message: Buffer) => call.write(Buffer.from(`got ${message.toString()}`)))
    call.on('end', () => {
      const trailers = new Metadata()
      trailers.set('x-tail', 't')
      call.end(trailers)
    })
  })
  const metadata = new FieldList([
    ['x-one', '1'],
    ['x-one', '2'],
    ['key-bin', 'AP8'],
    ['grpc-timeout', '500m'],
  ])
  const reply = await open(port).grpc(talkCall({ messages: Buffer.from('this'), metadata, authority: 'orders.mesh:81' }), callOptions())
  const request = await seen.promise
  expect(request.host).toBe('orders.mesh:81')
  expect(request.metadata.get('x-one')).toEqual(['1, 2'])
  expect(request.metadata.get('key-bin')).toEqual([Buffer.from([0, 255])])
  expect([reply.metadata.get('x-head'), reply.metadata.get('raw-bin')]).toEqual(['h', 'AP8'])
  expect(await messagesOf(reply)).toEqual(['got this'])
  expect(reply.status()).toMatchObject({ code: 0 })
  expect(reply.status().trailers.get('x-tail')).toBe('t')
})

test('the stated deadline reaches the service', async () => {
  const seen = gate<unknown>()
  const { port } = await grpcServer((call) => {
    seen.resolve(call.getDeadline())
    call.end()
  })
  const before = Date.now()
  await open(port).grpc(talkCall({ metadata: new FieldList([['grpc-timeout', '2000m']]) }), callOptions())
  const deadline = (await seen.promise) as Date | number
  expect(Number(deadline) - before).toBeGreaterThan(1_000)
  expect(Number(deadline) - before).toBeLessThanOrEqual(3_000)
})

test('messages of both directions stream as they come', async () => {
  const { port } = await grpcServer((call) => {
    call.on('data', (message: Buffer) => call.write(Buffer.from(`got ${message.toString()}`)))
    call.on('end', () => call.end())
  })
  const next = gate()
  async function* messages() {
    yield Buffer.from('one')
    await next.promise
    yield Buffer.from('two')
  }
  const reply = await open(port).grpc(talkCall({ messages: messages(), serverStream: true }), callOptions())
  const answers = reply.messages[Symbol.asyncIterator]()
  expect(Buffer.from((await answers.next()).value as Uint8Array).toString()).toBe('got one')
  next.resolve()
  expect(Buffer.from((await answers.next()).value as Uint8Array).toString()).toBe('got two')
  expect((await answers.next()).done).toBe(true)
})

test('a refusal by the service is a reply with its status and details, not a fault', async () => {
  const { port } = await grpcServer((call) => {
    const metadata = new Metadata()
    metadata.set('grpc-status-details-bin', Buffer.from([8, 5]))
    call.emit('error', { code: Code.NOT_FOUND, details: 'no such order: ä', metadata })
  })
  const reply = await open(port).grpc(talkCall(), callOptions())
  expect(await messagesOf(reply)).toEqual([])
  expect(reply.status()).toMatchObject({ code: 5, message: 'no such order: ä', details: Buffer.from([8, 5]) })
})

test('the service’s own UNAVAILABLE is its answer; nobody listening is a fault that says nothing was sent', async () => {
  const { port, server } = await grpcServer((call) => call.emit('error', { code: Code.UNAVAILABLE, details: 'No connection established' }))
  const channel = open(port)
  expect((await channel.grpc(talkCall(), callOptions())).status().code).toBe(14)
  server.forceShutdown()
  expect(await codeOf(open(port).grpc(talkCall(), callOptions()))).toBe('upstream_unavailable')
})

test('a connection that dies before the answer is a reset, in the middle of it an UNAVAILABLE at the end', async () => {
  const sent = gate()
  const first = await grpcServer((call) => {
    call.write(Buffer.from('one'))
    sent.resolve()
  })
  const reply = await open(first.port).grpc(talkCall({ serverStream: true }), callOptions())
  const answers = reply.messages[Symbol.asyncIterator]()
  await answers.next()
  first.server.forceShutdown()
  expect((await answers.next()).done).toBe(true)
  expect(reply.status().code).not.toBe(0)

  const second = await grpcServer(() => second.server.forceShutdown())
  expect(await codeOf(open(second.port).grpc(talkCall(), callOptions()))).toMatch(/^upstream_(?:reset|unavailable)$/)
})

/** A service that answers in bare HTTP/2: headers, one frame of a message, and an end of its own kind. */
async function bareService(end: (stream: ServerHttp2Stream) => void, frame: Buffer = framed(0, 'one'), headers: OutgoingHttpHeaders = {}): Promise<number> {
  const server = createHttp2Server()
  server.on('session', (session) => void session.on('error', () => {}))
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { waitForTrailers: true })
    stream.write(frame, () => end(stream))
  })
  return (await running(server)).port
}

function framed(flag: number, text: string | Buffer): Buffer {
  const head = Buffer.from([flag, 0, 0, 0, 0])
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

const endWith = (trailers: OutgoingHttpHeaders) => (stream: ServerHttp2Stream) => {
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.end()
}

for (const [name, end, frame, code] of [
  ['ends without a status', endWith({}), framed(0, 'one'), 'upstream_protocol'],
  ['is reset', (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR), framed(0, 'one'), 'upstream_reset'],
  ['holds a message that cannot be unpacked', endWith({ 'grpc-status': '0' }), framed(1, 'one'), 'upstream_protocol'],
] as const) {
  test(`an answer of one message that ${name} after its headers is a fault of the gateway's own`, async () => {
    const reply = await open(await bareService(end, frame)).grpc(talkCall(), callOptions())
    expect(await codeOf(messagesOf(reply))).toBe(code)
  })
}

const packed = (text: string | Buffer) => framed(1, gzipSync(text))
const gzip = { 'grpc-encoding': 'gzip' }

test('an answer in gzip comes out inflated, message by message', async () => {
  const port = await bareService(endWith({ 'grpc-status': '0' }), Buffer.concat([packed('one'), framed(0, 'two'), packed('')]), gzip)
  const reply = await open(port).grpc(talkCall({ serverStream: true }), callOptions())
  expect(await messagesOf(reply)).toEqual(['one', 'two', ''])
  expect(reply.metadata.entries().filter(([name]) => name.startsWith('grpc-'))).toEqual([])
})

const bomb = packed(Buffer.alloc(64 * 1024 * 1024))
for (const [name, frame, headers, code] of [
  ['inflates past the limit of the channel', bomb, gzip, 'upstream_message_too_large'],
  ['inflates past the limit of the call', packed(Buffer.alloc(2_000)), gzip, 'upstream_message_too_large'],
  ['is no gzip', framed(1, 'one'), gzip, 'upstream_protocol'],
  ['is half a gzip', framed(1, gzipSync('one').subarray(0, 12)), gzip, 'upstream_protocol'],
  ['is in a coding that nobody asked for', framed(1, 'one'), { 'grpc-encoding': 'br' }, 'upstream_protocol'],
] as const) {
  for (const [where, before] of [
    ['', []],
    [' after others', [framed(0, 'zero')]],
  ] as const) {
    test(`a message that ${name}${where} is a fault, not a message`, async () => {
      const port = await bareService(endWith({ 'grpc-status': '0' }), Buffer.concat([...before, frame]), headers)
      const reply = await open(port).grpc(talkCall({ serverStream: true }), callOptions({ messageLimit: 1_000 }))
      expect(await codeOf(messagesOf(reply))).toBe(code)
    })
  }
}

for (const status of ['abc', '-1', '1.5']) {
  test(`a grpc-status of ${status} counts as UNKNOWN`, async () => {
    const reply = await open(await bareService(endWith({ 'grpc-status': status }))).grpc(talkCall(), callOptions())
    expect(await messagesOf(reply)).toEqual(['one'])
    expect(reply.status().code).toBe(Code.UNKNOWN)
  })
}

test('a request that is cut short cancels the call at the service', async () => {
  const started = gate()
  const cancelled = gate()
  const { port } = await grpcServer((call) => {
    call.on('cancelled', () => cancelled.resolve())
    started.resolve()
  })
  const lifeline = new Lifeline()
  const call = codeOf(open(port).grpc(talkCall(), callOptions({ lifeline })))
  await started.promise
  lifeline.end(new Fault('client_closed', 'gone'))
  expect(await call).toBe('client_closed')
  await cancelled.promise
})

test('a reader that stops in the middle cancels the call at the service', async () => {
  const cancelled = gate()
  const { port } = await grpcServer((call) => {
    call.on('cancelled', () => cancelled.resolve())
    call.write(Buffer.from('one'))
  })
  const reply = await open(port).grpc(talkCall({ serverStream: true }), callOptions())
  for await (const message of reply.messages) {
    expect(Buffer.from(message).toString()).toBe('one')
    break
  }
  await cancelled.promise
})

test('a slow reader slows the service', async () => {
  let written = 0
  const { port } = await grpcServer((call) => {
    const message = Buffer.alloc(16 * 1024)
    const more = () => {
      if (call.cancelled) return
      do written += message.length
      while (call.write(message))
      call.once('drain', more)
    }
    more()
  })
  const reply = await open(port).grpc(talkCall({ serverStream: true }), callOptions())
  const answers = reply.messages[Symbol.asyncIterator]()
  await answers.next()
  expect(await settled(() => written)).toBeLessThan(8 * 1024 * 1024)
  await answers.return?.()
})

test('a service that never answers is cut at the deadline', async () => {
  const { port } = await grpcServer(() => {})
  expect(await codeOf(open(port).grpc(talkCall(), callOptions({ deadline: clock.ticks() + 60 })))).toBe('deadline_exceeded')
})

test('an endpoint that accepts and says nothing costs the connect timeout', async () => {
  const server = await rawServer(() => {})
  const channel = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() }).acquire(
    endpointAt(server.port, { protocol: 'grpc', connectTimeoutMs: 80 }),
  )
  expect(await codeOf(channel.grpc(talkCall(), callOptions()))).toBe('upstream_unavailable')
  channel.release()
})

test('too large a message is refused on its way out and on its way back', async () => {
  const { port } = await grpcServer((call) => {
    call.write(Buffer.alloc(2_000))
    call.end()
  })
  const options = () => callOptions({ messageLimit: 1_000 })
  expect(await codeOf(open(port).grpc(talkCall({ messages: new Uint8Array(1_001) }), options()))).toBe('body_too_large')
  const reply = await open(port).grpc(talkCall(), options())
  expect(await codeOf(messagesOf(reply))).toBe('upstream_message_too_large')
})

test('a service that comes back is reached again within two seconds', async () => {
  const answer = (call: Duplex) => {
    call.write(Buffer.from('back'))
    call.end()
  }
  const first = await grpcServer(answer)
  const channel = open(first.port)
  await messagesOf(await channel.grpc(talkCall(), callOptions()))
  first.server.forceShutdown()
  expect(await codeOf(channel.grpc(talkCall(), callOptions()))).toMatch(/^upstream_(?:reset|unavailable)$/)
  await grpcServer(answer, first.port)
  const until = clock.ticks() + 2_500
  let texts: string[] = []
  while (texts.length === 0 && clock.ticks() < until) {
    texts = await channel.grpc(talkCall(), callOptions()).then(messagesOf, () => [])
    if (texts.length === 0) await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(texts).toEqual(['back'])
})
