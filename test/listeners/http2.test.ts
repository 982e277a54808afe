import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from 'node:http2'
import { expect, onTestFinished, test } from 'vitest'
import type { Arrival } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { listen, outbound, talkTo } from '../support/listener.ts'
import { memoryMeter } from '../support/ports.ts'
import { gate, settled, textOf } from '../support/sockets.ts'

function session(port: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`)
  client.on('error', () => {})
  onTestFinished(() => client.destroy())
  return client
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly trailers: Readonly<Record<string, unknown>>
  /** HTTP/2 error code of the stream's end. */
  readonly code: number
}

async function ask(stream: ClientHttp2Stream): Promise<Answer> {
  let status = 0
  let trailers = {}
  stream.on('error', () => {})
  stream.on('response', (headers) => {
    status = headers[':status'] ?? 0
  })
  stream.on('trailers', (fields) => {
    trailers = fields
  })
  const closed = new Promise((resolve) => stream.once('close', resolve))
  const text = await textOf(stream).catch(() => 'broken')
  await closed
  return { status, text, trailers, code: stream.rstCode ?? -1 }
}

const get = (client: ClientHttp2Session, headers: OutgoingHttpHeaders = {}) => ask(client.request({ ':path': '/', ...headers }))

test('all that comes by one connection has the same one, and nothing else has', async () => {
  const seen: unknown[] = []
  const { address } = await listen(async ({ peer }) => {
    seen.push(peer.connection)
    return outbound(`request ${seen.length}`)
  })
  const one = session(address.port)
  const talk = talkTo(address.port)
  await get(one)
  await get(one)
  await get(session(address.port))
  for (const which of [4, 5]) {
    talk.say('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await talk.hear(`request ${which}`)
  }
  expect(seen).not.toContain(undefined)
  expect(seen.map((connection) => seen.indexOf(connection))).toEqual([0, 0, 2, 3, 3])
})

test('HTTP/1 and HTTP/2 with prior knowledge share the port, even when the preface comes in pieces', async () => {
  const { address } = await listen(async ({ httpVersion }) => outbound(`spoke ${httpVersion}`))
  const talk = talkTo(address.port)
  talk.say('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await talk.hear('spoke 1.1')
  expect((await get(session(address.port))).text).toBe('spoke 2')
  const slow = talkTo(address.port)
  slow.socket.setNoDelay(true)
  for (const piece of ['P', 'RI * HT', 'TP/2.0\r\n\r\nSM\r\n\r\n', '\0\0\0\x04\0\0\0\0\0']) {
    slow.say(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  // A SETTINGS frame is the first thing an HTTP/2 server says (RFC 9113 section 3.4).
  expect((await slow.hear('\x04\0')).charCodeAt(3)).toBe(4)
  const almost = talkTo(address.port)
  almost.say('PRINT / HTTP/1.1\r\n\r\n')
  expect(await almost.end()).toMatch(/^HTTP\/1\.1 400 /)
})

test('a body of no bytes, announced as one, has ended when somebody asks for it later', async () => {
  const { promise: later, resolve } = Promise.withResolvers<void>()
  const { address } = await listen(async ({ body }) => {
    await later
    return outbound(`${(await body?.bytes(100))?.length}`)
  })
  const client = session(address.port)
  const stream = client.request({ ':method': 'POST', ':path': '/' }, { endStream: false })
  stream.end(Buffer.alloc(0))
  // The answer to a ping comes after everything before it was taken: by then Node has ended the stream by itself.
  stream.on('finish', () => client.ping(() => resolve()))
  expect((await ask(stream)).text).toBe('0')
})

test('an arrival carries the authority, the raw fields without pseudo-headers, and a cookie in one piece', async () => {
  let seen: Arrival | undefined
  const { address } = await listen(async (arrival) => {
    seen = arrival
    return outbound(arrival.body === undefined ? 'no body' : Buffer.from(await arrival.body.bytes(100)).toString())
  })
  const client = session(address.port)
  expect((await get(client, { ':authority': 'api.test', 'x-one': '1', cookie: ['a=1', 'b=2'] })).text).toBe('no body')
  expect(seen).toMatchObject({ authority: 'api.test', method: 'GET', target: '/', httpVersion: '2', scheme: 'http' })
  const fields = FieldList.fromRaw(seen?.rawHeaders ?? [])
  expect(fields.all('cookie')).toEqual(['a=1; b=2'])
  expect([...fields.entries()].some(([name]) => name.startsWith(':'))).toBe(false)
  const stream = client.request({ ':path': '/', ':method': 'POST' })
  stream.end('hello')
  expect((await ask(stream)).text).toBe('hello')
})

test('an empty body that ended before anybody asked for it is an empty body', async () => {
  const ended = gate()
  const { address } = await listen(async ({ body }) => {
    await ended.promise
    return outbound(`${(await body?.bytes(100))?.length}`)
  })
  const client = session(address.port)
  const stream = client.request({ ':path': '/', ':method': 'POST' })
  const answer = ask(stream)
  stream.end()
  // The answer to a ping comes after the gateway has read what was sent before it.
  stream.on('finish', () => client.ping(() => ended.resolve()))
  expect((await answer).text).toBe('0')
})

test('a tunnel gets a problem with an id, is counted, and never reaches the walk', async () => {
  const meter = memoryMeter()
  const { address } = await listen(async () => outbound('reached'), { meter })
  const { status, text } = await ask(session(address.port).request({ ':method': 'CONNECT', ':authority': 'a:443' }))
  expect(status).toBe(501)
  expect(JSON.parse(text)).toMatchObject({ code: 'not_implemented', instance: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  expect(meter.total('sallyport_refusals_total', { wing: 'ingress', code: 'not_implemented' })).toBe(1)
})

test('trailers follow the body, or stand alone behind an empty one', async () => {
  const { address } = await listen(async ({ target }) => {
    const trailers = () => new FieldList([['grpc-status', '0']])
    const body = (async function* () {
      yield Buffer.from('body')
    })()
    return outbound(target === '/empty' ? undefined : body, { trailers })
  })
  const client = session(address.port)
  expect(await get(client)).toMatchObject({ text: 'body', trailers: { 'grpc-status': '0' }, code: 0 })
  expect(await get(client, { ':path': '/empty' })).toMatchObject({ text: '', trailers: { 'grpc-status': '0' }, code: 0 })
})

test('an answer that breaks in the middle is a reset, not an end', async () => {
  const { address } = await listen(async () =>
    outbound(
      (async function* () {
        yield Buffer.from('half')
        throw new Fault('upstream_reset', 'gone')
      })(),
    ),
  )
  expect((await get(session(address.port))).code).toBe(constants.NGHTTP2_INTERNAL_ERROR)
})

test.each([
  ['that says why', constants.NGHTTP2_CANCEL],
  ['that names no error', constants.NGHTTP2_NO_ERROR],
])('a reset %s ends the lifeline, and the other streams go on', async (_how, code) => {
  const lost = gate<string>()
  const begun = gate()
  const { address } = await listen(async ({ lifeline, target }) => {
    if (target === '/other') return outbound('fine')
    lifeline.onEnd((why) => lost.resolve(why.code))
    begun.resolve()
    await lost.promise
    return outbound('nobody reads this')
  })
  const client = session(address.port)
  const stream = client.request({ ':path': '/' })
  stream.on('error', () => {})
  await begun.promise
  stream.close(code)
  expect(await lost.promise).toBe('client_closed')
  expect((await get(client, { ':path': '/other' })).text).toBe('fine')
})

test('an upload that is reset never looks complete', async () => {
  const begun = gate()
  const code = gate<string>()
  const { address } = await listen(async ({ body }) => {
    begun.resolve()
    code.resolve(
      await Promise.resolve(body?.bytes(1_000)).then(
        () => 'complete',
        (error: unknown) => Fault.from(error).code,
      ),
    )
    return outbound('x')
  })
  const stream = session(address.port).request({ ':path': '/', ':method': 'POST' }, { waitForTrailers: true })
  stream.on('error', () => {})
  stream.write('half')
  await begun.promise
  stream.close(constants.NGHTTP2_CANCEL)
  expect(await code.promise).toBe('client_closed')
})

test('a slow downstream holds the producer to the flow-control window', async () => {
  let pulled = 0
  const { address } = await listen(async () =>
    outbound(
      (async function* () {
        for (let i = 0; i < 10_000; i += 1) {
          pulled += 16 * 1024
          yield Buffer.alloc(16 * 1024)
        }
      })(),
    ),
  )
  const stream = session(address.port).request({ ':path': '/' })
  stream.on('error', () => {})
  await new Promise((resolve) => stream.once('response', resolve))
  expect(await settled(() => pulled)).toBeLessThan(1024 * 1024)
  stream.close()
})

test('a downstream that ends its connection while it does not read is heard', async () => {
  const lost = gate<string>()
  const { address } = await listen(async ({ lifeline }) => {
    lifeline.onEnd((why) => lost.resolve(why.code))
    return outbound(
      (async function* () {
        for (;;) yield Buffer.alloc(16 * 1024)
      })(),
    )
  })
  const client = session(address.port)
  const stream = client.request({ ':path': '/' })
  stream.on('error', () => {})
  await new Promise((resolve) => stream.once('response', resolve))
  client.destroy()
  expect(await lost.promise).toBe('client_closed')
})

test('an answer before the body was read tells the downstream to stop sending', async () => {
  const { address } = await listen(async () => outbound('no thanks', { status: 401 }))
  const stream = session(address.port).request({ ':path': '/', ':method': 'POST' })
  stream.write('part')
  expect(await ask(stream)).toMatchObject({ status: 401, text: 'no thanks', code: 0 })
})

test('100 Continue comes when the body is wanted', async () => {
  const { address } = await listen(async ({ body }) => outbound(Buffer.from((await body?.bytes(100)) ?? []).toString()))
  const stream = session(address.port).request({ ':path': '/', ':method': 'POST', expect: '100-continue' })
  stream.on('continue', () => stream.end('go on'))
  expect((await ask(stream)).text).toBe('go on')
})

test('a flood of resets ends the connection within two hundred calls', async () => {
  let calls = 0
  const meter = memoryMeter()
  const { address } = await listen(
    async ({ lifeline }) => {
      calls += 1
      await new Promise<void>((resolve) => lifeline.onOver(resolve))
      return outbound('x')
    },
    { meter },
  )
  const client = session(address.port)
  const closed = new Promise((resolve) => client.once('close', resolve))
  await new Promise((resolve) => client.once('remoteSettings', resolve))
  const storm = () => {
    for (let i = 0; i < 50 && !client.closed && !client.destroyed; i += 1) {
      const stream = client.request({ ':path': '/' })
      stream.on('error', () => {})
      stream.close(constants.NGHTTP2_CANCEL)
    }
    if (!client.destroyed) setImmediate(storm)
  }
  storm()
  await closed
  expect(calls).toBeLessThanOrEqual(200)
  expect(meter.total('sallyport_connections_refused_total', { reason: 'flood' })).toBe(1)
})

test('a thousand answered requests on one connection are no flood', async () => {
  const { address } = await listen(async () => outbound('ok'))
  const client = session(address.port)
  for (let i = 0; i < 20; i += 1) await Promise.all(Array.from({ length: 50 }, () => get(client)))
  expect((await get(client)).text).toBe('ok')
})

test('an answer may repeat fields that Node would have once', async () => {
  const headers = new FieldList([
    ['content-type', 'a/b'],
    ['content-type', 'c/d'],
    ['location', '/1'],
    ['location', '/2'],
  ])
  const { address } = await listen(async () => outbound('ok', { headers }))
  expect(await get(session(address.port))).toMatchObject({ status: 200, text: 'ok', code: 0 })
})

test('a 204 has no length, whatever the upstream says', async () => {
  const { address } = await listen(async () => outbound(undefined, { status: 204, headers: new FieldList([['content-length', '4']]) }))
  expect(await get(session(address.port))).toMatchObject({ status: 204, text: '', code: 0 })
})

test('a downstream that opens no window is cut after the idle limit', async () => {
  const { address } = await listen(async () => outbound('held back'), {
    limits: { headerBytes: 16_384, headerCount: 100, requestMs: 30_000, idleMs: 100 },
  })
  const client = connect(`http://127.0.0.1:${address.port}`, { settings: { initialWindowSize: 0 } })
  onTestFinished(() => client.destroy())
  expect(await get(client)).toMatchObject({ status: 200, code: constants.NGHTTP2_CANCEL })
})
