import { once } from 'node:events'
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Channel, Endpoint } from '../../src/core/ports.ts'
import { ConnectionCap, type Holder } from '../../src/node/channels/connection-cap.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { callOptions, endpointAt, httpCall } from '../support/calls.ts'
import { fakeClock } from '../support/clock.ts'
import { fakeSecrets } from '../support/ports.ts'
import { httpServer, running, textOf } from '../support/sockets.ts'

const clock = createClock()

/** Channels to servers under one cap. */
function capped(most: number, given: Partial<Endpoint> = {}) {
  const channels = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() })
  return (port: number) => {
    const channel = channels.acquire(endpointAt(port, { connections: { of: 'cluster c', most }, ...given }))
    onTestFinished(() => channel.release())
    return channel
  }
}

/** An HTTP/1.1 server that answers when it is told to: `/now` at once. It knows how many connections it has. */
async function slowServer() {
  const waiting: (() => void)[] = []
  const server = await httpServer((request, response) => {
    if (request.url === '/now') response.end('now')
    else waiting.push(() => response.end('later'))
  })
  const open = () => server.sockets.filter(({ destroyed }: Socket) => !destroyed).length
  const arrived = async (count: number) => {
    await expect.poll(() => waiting.length, { timeout: 5_000, interval: 2 }).toBe(count)
  }
  return { ...server, waiting, open, arrived }
}

/** An HTTP/2 server that answers when it is told to, `/now` at once. It takes so many streams at a time on one connection. */
async function h2Server(maxConcurrentStreams = 1) {
  const server = createHttp2Server({ settings: { maxConcurrentStreams } })
  const sessions: ServerHttp2Session[] = []
  const streams: ServerHttp2Stream[] = []
  server.on('session', (session) => {
    session.on('error', () => {})
    sessions.push(session)
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    if (headers[':path'] === '/now') answer(stream)
    else streams.push(stream)
  })
  const arrived = async (count: number) => {
    await expect.poll(() => streams.length, { timeout: 5_000, interval: 2 }).toBe(count)
  }
  return { ...(await running(server)), sessions, streams, arrived }
}

function answer(stream: ServerHttp2Stream | undefined): void {
  stream?.respond({ ':status': 200 })
  stream?.end()
}

async function askNow(channel: Channel): Promise<void> {
  const { status, body } = await channel.http(get('/now'), callOptions())
  await textOf(body)
  expect(status).toBe(200)
}

const get = (target: string) => httpCall({ target })
const codeOf = (error: unknown) => (error instanceof Fault ? error.code : String(error))

test('all endpoints of a cluster together have at most so many connections, and who waits for one gets the next that is free', async () => {
  const [one, two] = [await slowServer(), await slowServer()]
  const to = capped(2)
  const [first, second] = [to(one.port), to(two.port)]
  const asked = [first, second, first, second, first].map(async (channel, i) => {
    const reply = await channel.http(get(`/${i}`), callOptions())
    return textOf(reply.body)
  })
  await Promise.all([one.arrived(1), two.arrived(1)])
  let most = 0
  for (let answered = 0; answered < asked.length; answered += 1) {
    await expect.poll(() => one.waiting.length + two.waiting.length, { timeout: 5_000, interval: 2 }).toBeGreaterThan(0)
    most = Math.max(most, one.open() + two.open())
    ;(one.waiting.shift() ?? two.waiting.shift())?.()
  }
  expect(await Promise.all(asked)).toEqual(Array(5).fill('later'))
  expect(most).toBeLessThanOrEqual(2)
})

test('an idle connection is used again, and one to another endpoint is closed to make room', async () => {
  const [one, two] = [await slowServer(), await slowServer()]
  const to = capped(1)
  const [first, second] = [to(one.port), to(two.port)]
  for (let i = 0; i < 5; i += 1) expect(await textOf((await first.http(get('/now'), callOptions())).body)).toBe('now')
  expect(one.sockets).toHaveLength(1)
  const closed = once(one.sockets[0] as Socket, 'close')
  expect(await textOf((await second.http(get('/now'), callOptions())).body)).toBe('now')
  await closed
  expect([one.open(), two.open()]).toEqual([0, 1])
})

test('a connection that was refused, broke or was closed by its upstream makes room', async () => {
  const server = await slowServer()
  const to = capped(1)
  const gone = await httpServer(() => {})
  await gone.close()
  for (let i = 0; i < 3; i += 1) await expect(to(gone.port).http(get('/'), callOptions())).rejects.toMatchObject({ code: 'upstream_unavailable' })
  const channel = to(server.port)
  const broken = channel.http(get('/'), callOptions()).catch(codeOf)
  await server.arrived(1)
  server.sockets[0]?.destroy()
  expect(await broken).toBe('upstream_reset')
  expect(await textOf((await channel.http(get('/now'), callOptions())).body)).toBe('now')
  const cut = new Lifeline()
  const abandoned = channel.http(get('/'), callOptions({ lifeline: cut })).catch(codeOf)
  await server.arrived(2)
  cut.end(new Fault('client_closed', 'gone'))
  expect(await abandoned).toBe('client_closed')
  expect(await textOf((await channel.http(get('/now'), callOptions())).body)).toBe('now')
})

test('a connection that is to change its protocol counts like any other', async () => {
  const bare = await httpServer(() => {})
  const channel = capped(1, { connectTimeoutMs: 50 })(bare.port)
  const passage = {
    protocol: 'tcp',
    extensions: [],
    said: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }),
    heard() {},
  }
  const line = new Lifeline()
  const asking = channel.http(httpCall({ upgrade: passage as never }), callOptions({ lifeline: line })).catch(codeOf)
  await expect.poll(() => bare.sockets.length, { timeout: 5_000, interval: 2 }).toBe(1)
  await expect(channel.http(get('/now'), callOptions())).rejects.toMatchObject({
    code: 'overloaded',
    detail: { internal: 'all 1 connections of cluster c are in use' },
  })
  line.end(new Fault('client_closed', 'gone'))
  expect(await asking).toBe('client_closed')
})

test('over HTTP/2 every endpoint may have one, and further ones only under the cap', async () => {
  const [one, two] = [await h2Server(), await h2Server()]
  const to = capped(1, { protocol: 'h2', connectTimeoutMs: 2_000 })
  const [first, second] = [to(one.port), to(two.port)]
  const busy = first.http(get('/'), callOptions())
  await expect.poll(() => one.streams.length, { timeout: 5_000, interval: 2 }).toBe(1)
  const other = second.http(get('/'), callOptions())
  await expect.poll(() => two.streams.length, { timeout: 5_000, interval: 2 }).toBe(1)
  const next = first.http(get('/'), callOptions())
  answer(one.streams[0])
  await textOf((await busy).body)
  await expect.poll(() => one.streams.length, { timeout: 5_000, interval: 2 }).toBe(2)
  answer(one.streams[1])
  answer(two.streams[0])
  expect([(await next).status, (await other).status]).toEqual([200, 200])
  expect([one.sessions.length, two.sessions.length]).toEqual([1, 1])
})

test('who waits goes in the order of arrival, and gives up in time, at the deadline or with the request', async () => {
  const time = fakeClock()
  const cap = new ConnectionCap('c', 1)
  const held: Holder & { count: number } = { count: 1, idle: 0, dropIdle: () => {} }
  cap.join(held)
  const grabbed: string[] = []
  const lines = Array.from({ length: 5 }, () => new Lifeline())
  const wait = async (name: string, i: number, deadline = Number.POSITIVE_INFINITY) => {
    const grab = () => {
      if (!cap.makeRoom()) return false
      grabbed.push(name)
      held.count += 1
      return true
    }
    const patience = { options: { lifeline: lines[i] as Lifeline, deadline }, clock: time, ms: 1_000 }
    return cap.wait(held, grab, patience).then(() => 'in', codeOf)
  }
  const outcomes = [wait('late', 0, time.ticks() + 100), wait('left', 1), wait('a', 2), wait('b', 3), wait('never', 4)]
  time.advance(100)
  lines[1]?.end(new Fault('client_closed', 'gone'))
  for (let i = 0; i < 2; i += 1) {
    held.count = 0
    cap.changed()
    await Promise.resolve()
  }
  time.advance(900)
  expect(await Promise.all(outcomes)).toEqual(['deadline_exceeded', 'client_closed', 'in', 'in', 'overloaded'])
  expect(grabbed).toEqual(['a', 'b'])
})

test('over HTTP/2 nobody closes a connection that somebody is about to use, nor one that makes no room', async () => {
  const [one, two] = [await h2Server(), await h2Server()]
  const to = capped(1, { protocol: 'h2', connectTimeoutMs: 300 })
  const [first, second] = [to(one.port), to(two.port)]
  const busy = first.http(get('/'), callOptions())
  await one.arrived(1)
  const inVain = first.http(get('/'), callOptions()).catch(codeOf)
  for (let i = 0; i < 3; i += 1) await askNow(second)
  expect(await inVain).toBe('overloaded')
  expect(two.sessions).toHaveLength(1)
  answer(one.streams[0])
  await textOf((await busy).body)
})

test('over HTTP/2 who waits for a stream of one endpoint does not keep those from theirs who wait for another', async () => {
  const [one, two] = [await h2Server(1), await h2Server(2)]
  const to = capped(2, { protocol: 'h2', connectTimeoutMs: 2_000 })
  const [first, second] = [to(one.port), to(two.port)]
  const busy = [first, second, second].map(async (channel) => textOf((await channel.http(get('/'), callOptions())).body))
  await Promise.all([one.arrived(1), two.arrived(2)])
  const line = new Lifeline()
  const ahead = first.http(get('/'), callOptions({ lifeline: line })).catch(codeOf)
  const behind = askNow(second)
  answer(two.streams[0])
  await behind
  line.end(new Fault('client_closed', 'gone'))
  expect(await ahead).toBe('client_closed')
  answer(one.streams[0])
  answer(two.streams[1])
  await Promise.all(busy)
})

test('over HTTP/2 an endpoint whose connection was closed to make room has one again at once', async () => {
  const [one, two] = [await h2Server(1), await h2Server(1)]
  const to = capped(2, { protocol: 'h2', connectTimeoutMs: 2_000 })
  const [first, second] = [to(one.port), to(two.port)]
  const busy = [first, second].map(async (channel) => textOf((await channel.http(get('/'), callOptions())).body))
  await Promise.all([one.arrived(1), two.arrived(1)])
  const ahead = first.http(get('/'), callOptions())
  const behind = askNow(second)
  answer(two.streams[0])
  await one.arrived(2)
  await behind
  expect([one.sessions.length, two.sessions.length]).toEqual([2, 2])
  for (const stream of one.streams) answer(stream)
  await textOf((await ahead).body)
  await Promise.all(busy)
})

test('over HTTP/2 a connection that only ends what it carries keeps nobody waiting', async () => {
  const server = await h2Server(100)
  const channel = capped(1, { protocol: 'h2', connectTimeoutMs: 500 })(server.port)
  const long = channel.http(get('/'), callOptions())
  await server.arrived(1)
  server.sessions[0]?.goaway(0)
  await expect.poll(async () => channel.http(get('/now'), callOptions()).then(({ status }) => status, codeOf), { timeout: 5_000, interval: 5 }).toBe(200)
  expect(server.sessions).toHaveLength(2)
  answer(server.streams[0])
  expect((await long).status).toBe(200)
})

test('a request that ends in the moment in which it gets a connection leaves it to others', async () => {
  const server = await slowServer()
  const channel = capped(1, { connectTimeoutMs: 500 })(server.port)
  for (let turns = 0; turns < 5; turns += 1) {
    const line = new Lifeline()
    const asking = channel.http(get('/'), callOptions({ lifeline: line })).catch(codeOf)
    for (let i = 0; i < turns; i += 1) await Promise.resolve()
    line.end(new Fault('client_closed', 'gone'))
    expect(await asking).toBe('client_closed')
    expect(await textOf((await channel.http(get('/now'), callOptions())).body)).toBe('now')
  }
})
