import { once } from 'node:events'
import { Agent } from 'node:https'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Arrival } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList, noFields } from '../../src/core/model/fields.ts'
import { goodEnd } from '../../src/core/model/socket.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { makeCertificates } from '../support/certificates.ts'
import { type FakeClock, fakeClock } from '../support/clock.ts'
import { listen, outbound, talkTo } from '../support/listener.ts'
import { memoryMeter } from '../support/ports.ts'
import { gate } from '../support/sockets.ts'

const handshake =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

function client(port: number, options: ConstructorParameters<typeof WebSocket>[2] = {}): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, options)
  onTestFinished(() => socket.terminate())
  socket.on('error', () => {})
  return socket
}

/** Opens the WebSocket and gives every message back. */
async function echo({ socket }: Arrival): Promise<Outbound> {
  const messages = socket?.open(noFields, 1000)
  return { status: 101, headers: noFields, body: messages, ending: () => goodEnd }
}

/** The same, and an end for what breaks: as the walk has it. */
function echoUntil(clock?: FakeClock) {
  const why = gate<string>()
  const opened = gate()
  const listening = listen(
    async (arrival) => {
      arrival.lifeline.onEnd(({ code }) => why.resolve(code))
      const messages = arrival.socket?.open(noFields, 1000)
      opened.resolve()
      let end = goodEnd
      const body = (async function* () {
        try {
          if (messages !== undefined) yield* messages
        } catch (error) {
          end = { code: 1011, reason: Fault.from(error).code }
        }
      })()
      return { status: 101, headers: noFields, body, ending: () => end }
    },
    clock === undefined ? {} : { clock },
  )
  return { listening, why: why.promise, opened: opened.promise }
}

test('what the walk answers without opening the WebSocket is an ordinary answer, and the connection ends', async () => {
  const { address } = await listen(async ({ socket, body, method }) =>
    outbound(`${socket?.opened} ${body?.length} ${method}`, { status: 403, headers: new FieldList([['x-why', 'because']]) }),
  )
  const talk = talkTo(address.port)
  talk.say(`${handshake}\r\n`)
  const answer = await talk.end()
  expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\nconnection: close\r\n[\s\S]*x-why: because\r\ncontent-length: 19\r\n\r\nfalse undefined GET$/)
})

test('the 101 says what the walk wants it to, and offers no compression', async () => {
  const { address } = await listen(async ({ socket }) => {
    const messages = socket?.open(new FieldList([['x-request-id', 'r1']]), 1000)
    return { status: 101, headers: noFields, body: messages, ending: () => goodEnd }
  })
  const talk = talkTo(address.port)
  talk.say(`${handshake}Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: secret.token, sallyport.json\r\n\r\n`)
  const answer = await talk.hear('\r\n\r\n')
  expect(answer).toMatch(
    /^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\nSec-WebSocket-Protocol: sallyport\.json\r\nx-request-id: r1\r\n/,
  )
  expect(answer).not.toMatch(/extensions|secret/i)
})

test('a message comes back as it is, in text', async () => {
  const { address } = await listen(echo)
  const socket = client(address.port)
  await once(socket, 'open')
  socket.send('zwölf')
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
  expect([data.toString(), isBinary]).toEqual(['zwölf', false])
  socket.send('')
  expect((await once(socket, 'close'))[0]).toBe(1000)
})

for (const [name, lines] of [
  ['another protocol', handshake.replace('websocket', 'h2c')],
  ['no key', handshake.replace(/Sec-WebSocket-Key.*\r\n/, '')],
] as const) {
  test(`${name} is no WebSocket`, async () => {
    const { address } = await listen(async () => outbound('reached'))
    const talk = talkTo(address.port)
    talk.say(`${lines}\r\n`)
    expect(await talk.end()).toMatch(/^HTTP\/1\.1 501 /)
  })
}

for (const [name, lines] of [
  ['a key of another length', handshake.replace('dGhl', '')],
  ['another method', handshake.replace('GET', 'POST')],
  ['HTTP/1.0', handshake.replace('HTTP/1.1', 'HTTP/1.0')],
] as const) {
  test(`a handshake with ${name} is refused`, async () => {
    const meter = memoryMeter()
    const { address } = await listen(async () => outbound('reached'), { meter })
    const talk = talkTo(address.port)
    talk.say(`${lines}\r\n`)
    expect(await talk.end()).toMatch(/^HTTP\/1\.1 400 [\s\S]*request_invalid/)
    expect(meter.total('sallyport_refusals_total', { code: 'request_invalid' })).toBe(1)
  })
}

test('a listener of services offers no WebSocket', async () => {
  const { address } = await listen(async () => outbound('reached'), { purpose: 'egress' })
  const talk = talkTo(address.port)
  talk.say(`${handshake}\r\n`)
  expect(await talk.end()).toMatch(/^HTTP\/1\.1 501 /)
})

test('a handshake behind another request waits its turn', async () => {
  const go = gate()
  const { address } = await listen(async (arrival) => {
    if (arrival.socket !== undefined) return echo(arrival)
    await go.promise
    return outbound('first')
  })
  const talk = talkTo(address.port)
  talk.say(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${handshake}\r\n`)
  await new Promise((resolve) => talk.socket.once('ready', resolve))
  go.resolve()
  expect(await talk.hear('101 Switching')).toMatch(/^HTTP\/1\.1 200 [\s\S]*firstHTTP\/1\.1 101 /)
})

test('the walk hears of a downstream that leaves before it was answered', async () => {
  const begun = gate()
  const why = gate<string>()
  const { address } = await listen(async ({ lifeline }) => {
    lifeline.onEnd(({ code }) => why.resolve(code))
    begun.resolve()
    await why.promise
    return outbound('too late')
  })
  const talk = talkTo(address.port)
  talk.say(`${handshake}\r\n`)
  await begun.promise
  talk.socket.end()
  expect(await why.promise).toBe('client_closed')
})

test('frames that came with the handshake are not lost, a flood of them ends the connection', async () => {
  const { address } = await listen(async (arrival) => {
    if (arrival.target === '/flood') await new Promise<void>((resolve) => arrival.lifeline.onEnd(() => resolve()))
    return echo(arrival)
  })
  const masked = '\x81\x82\x00\x00\x00\x00hi'
  const talk = talkTo(address.port)
  talk.say(`${handshake}\r\n${masked}`)
  expect(await talk.hear('\x81\x02hi')).toContain('\x81\x02hi')
  const flood = talkTo(address.port)
  flood.say(`${handshake.replace('/chat', '/flood')}\r\n`)
  for (let i = 0; i < 20; i += 1) flood.say('x'.repeat(10_000))
  expect(await flood.end()).not.toContain('101')
})

test('over TLS a WebSocket is opened where HTTP/1.1 is spoken', async () => {
  const pem = await makeCertificates()
  const { address } = await listen(
    async (arrival) => {
      expect(arrival.scheme).toBe('https')
      return echo(arrival)
    },
    { tls: { ...pem.server, clientAuth: 'none', clientCa: undefined } },
  )
  const agent = new Agent({ ca: pem.ca, servername: 'service.test' })
  const socket = new WebSocket(`wss://127.0.0.1:${address.port}/chat`, { agent })
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  socket.send('hi')
  expect(String((await once(socket, 'message'))[0])).toBe('hi')
})

test('it pings now and then, and cuts a downstream that shows no sign of life for five times as long as silence is borne, though it is spoken to', async () => {
  const clock = fakeClock()
  const why = gate<string>()
  const said = gate()
  const say: { now: () => void } = { now: () => {} }
  const { address } = await listen(
    async ({ socket, lifeline }) => {
      socket?.open(noFields, 1000)
      lifeline.onEnd(({ code }) => why.resolve(code))
      const body = (async function* () {
        for (;;) {
          const wanted = gate()
          say.now = wanted.resolve
          said.resolve()
          await Promise.race([wanted.promise, why.promise])
          yield Buffer.from('still here')
        }
      })()
      return { status: 101, headers: noFields, body, ending: () => goodEnd }
    },
    { clock },
  )
  const socket = client(address.port, { autoPong: false })
  await once(socket, 'open')
  await said.promise
  const closed = once(socket, 'close')
  for (let at = 0; at < 21; at += 1) {
    const next = Promise.race([once(socket, 'ping'), closed])
    clock.advance(15_000)
    await next
    if (socket.readyState !== WebSocket.OPEN) break
    const heard = once(socket, 'message')
    say.now()
    await heard
  }
  expect(await why.promise).toBe('client_closed')
  await closed
})

test('a conversation in which nobody says anything is ended after the idle time, however many pongs come', async () => {
  const clock = fakeClock()
  const { listening, why, opened } = echoUntil(clock)
  const { address } = await listening
  const socket = client(address.port)
  await Promise.all([opened, once(socket, 'open')])
  const closed = once(socket, 'close')
  for (let at = 0; at < 4; at += 1) {
    const pinged = once(socket, 'ping')
    clock.advance(15_000)
    await pinged
  }
  clock.advance(15_000)
  expect([await why, (await closed).map(String)]).toEqual(['request_timeout', ['1011', 'request_timeout']])
})

test('a stop lets a conversation go on for the drain time, then tells it to go away', async () => {
  const clock = fakeClock()
  const { listening, why, opened } = echoUntil(clock)
  const listener = await listening
  const socket = client(listener.address.port)
  await Promise.all([opened, once(socket, 'open')])
  const closed = once(socket, 'close')
  const stopped = listener.close({ lameDuckMs: 0, drainMs: 10_000 })
  socket.send('still there?')
  expect(String((await once(socket, 'message'))[0])).toBe('still there?')
  clock.advance(10_000)
  expect((await closed).map(String)).toEqual(['1001', 'going away'])
  expect(await why).toBe('drained')
  await stopped
})

test('pings are answered', async () => {
  const { listening, opened } = echoUntil()
  const { address } = await listening
  const socket = client(address.port)
  await Promise.all([opened, once(socket, 'open')])
  const pong = once(socket, 'pong')
  socket.ping('12')
  expect(String((await pong)[0])).toBe('12')
})

test('a listener that is closed at once cuts its conversations', async () => {
  const { listening, why, opened } = echoUntil()
  const listener = await listening
  const socket = client(listener.address.port)
  await Promise.all([opened, once(socket, 'open')])
  const closed = once(socket, 'close')
  await listener.close()
  await closed
  expect(await why).toBe('drained')
})
