import { once } from 'node:events'
import { Agent } from 'node:https'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Passage, PassLimits } from '../../src/core/model/wire.ts'
import type { ListenerOptions } from '../../src/node/listeners/options.ts'
import { makeCertificates } from '../support/certificates.ts'
import { type FakeClock, fakeClock } from '../support/clock.ts'
import { listen, talkTo } from '../support/listener.ts'
import { type FakeMeter, memoryMeter } from '../support/ports.ts'
import { gate } from '../support/sockets.ts'

const handshake =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
const raw = 'POST /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: TCP\r\n\r\n'
const limits: PassLimits = { idleMs: 10_000, lifetimeMs: undefined }

/** An upstream that the test plays: what it hears is kept, what it says is told by the test. */
interface Played {
  readonly port: number
  readonly passage: Promise<Passage>
  readonly heard: () => string
  /** Resolves with why the request was cut short. */
  readonly why: Promise<string>
  say(text: string): void
  end(): void
  /** Takes what the downstream says, to its end. */
  listen(): Promise<void>
}

async function play(given: PassLimits, options: Partial<ListenerOptions> = {}): Promise<Played> {
  const ready = gate<Passage>()
  const why = gate<string>()
  let heard = ''
  let lines: string[] = []
  let ended = false
  let wake = () => {}
  const { address } = await listen(async ({ socket, lifeline }) => {
    if (socket === undefined) throw new Error('no change of protocol')
    const passage = socket.pass(given)
    let cut: Fault | undefined
    lifeline.onEnd((fault) => {
      cut = fault
      why.resolve(fault.code)
      wake()
    })
    ready.resolve(passage)
    const body = (async function* () {
      for (;;) {
        const [line] = lines.splice(0, 1)
        if (cut !== undefined) throw cut
        if (line !== undefined) yield Buffer.from(line, 'latin1')
        else if (ended) break
        else await new Promise<void>((resolve) => (wake = resolve))
      }
      passage.heard()
    })()
    return { status: 101, headers: new FieldList([['x-own', '1']]), body }
  }, options)
  return {
    port: address.port,
    passage: ready.promise,
    heard: () => heard,
    why: why.promise,
    say(text) {
      lines = [...lines, text]
      wake()
    },
    end() {
      ended = true
      wake()
    },
    async listen() {
      for await (const chunk of (await ready.promise).said()) heard += Buffer.from(chunk).toString('latin1')
    },
  }
}

/** Opened, with the upstream listening; what comes from here on is the other protocol's. */
async function opened(request: string, clock: FakeClock, given = limits) {
  const meter = memoryMeter()
  const upstream = await play(given, { clock, meter })
  const talk = talkTo(upstream.port)
  talk.say(request)
  const over = upstream.listen().catch((error: unknown) => Fault.from(error).code)
  const head = await talk.hear('\r\n\r\n')
  return { upstream, talk, head, over, meter }
}

const changedNow = ({ samples }: FakeMeter) => samples.findLast(({ name }) => name === 'sallyport_upgraded_connections')?.value

test('the 101 names the protocol as the downstream does, and answers the key of a WebSocket', async () => {
  const { head, talk, meter } = await opened(handshake, fakeClock())
  expect(head).toBe(
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx-own: 1\r\n\r\n',
  )
  expect(changedNow(meter)).toBe(1)
  talk.socket.resetAndDestroy()
  await expect.poll(() => changedNow(meter)).toBe(0)
  const other = await opened(raw, fakeClock())
  expect(other.head).toBe('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: TCP\r\nx-own: 1\r\n\r\n')
})

test('either direction keeps it open; silence in both closes a WebSocket with a close frame to both sides', async () => {
  const clock = fakeClock()
  const { upstream, talk, over } = await opened(handshake, clock)
  for (const text of ['a', 'b', 'c']) {
    clock.advance(8_000)
    upstream.say(`\x81\x01${text}`)
    await talk.hear(`\x81\x01${text}`)
    clock.advance(8_000)
    talk.say('\x81\x81\0\0\0\0x')
    await expect.poll(() => upstream.heard().split('x').length).toBe(text.charCodeAt(0) - 0x60 + 1)
  }
  clock.advance(10_000)
  expect((await talk.hear('\x88\x02\x03\xe9')).endsWith('\x88\x02\x03\xe9')).toBe(true)
  await over
  const frame = Buffer.from(upstream.heard().slice(-8), 'latin1')
  expect([frame[0], frame[1], (frame[6] ?? 0) ^ (frame[2] ?? 0), (frame[7] ?? 0) ^ (frame[3] ?? 0)]).toEqual([0x88, 0x82, 0x03, 0xe9])
  upstream.end()
  expect(await upstream.why).toBe('request_timeout')
})

test('an upstream that does not say goodbye is cut two seconds later', async () => {
  const clock = fakeClock()
  const { upstream, talk, over } = await opened(handshake, clock)
  clock.advance(10_000)
  await over
  await talk.hear('\x88')
  clock.advance(2_000)
  expect(await upstream.why).toBe('request_timeout')
})

test('in the middle of a frame nothing is put in: the connection is cut', async () => {
  const clock = fakeClock()
  const { upstream, talk } = await opened(handshake, clock)
  upstream.say('\x81\x05hal')
  await talk.hear('hal')
  clock.advance(10_000)
  expect(await talk.end()).toMatch(/hal\(reset\)$/)
  expect(await upstream.why).toBe('request_timeout')
})

test('after a close frame of the service none of ours follows', async () => {
  const clock = fakeClock()
  const { upstream, talk, over } = await opened(handshake, clock)
  upstream.say('\x88\x02\x03\xe8')
  await talk.hear('\x88\x02\x03\xe8')
  talk.say('\x88\x82\0\0\0\0\x03\xe8')
  await expect.poll(upstream.heard).toContain('\x03\xe8')
  clock.advance(10_000)
  await over
  expect(upstream.heard()).toBe('\x88\x82\0\0\0\0\x03\xe8')
  upstream.end()
  expect((await talk.end()).split('\r\n\r\n')[1]).toBe('\x88\x02\x03\xe8')
})

test('what has another protocol is cut in silence, and at the end of its life', async () => {
  const clock = fakeClock()
  const silent = await opened(raw, clock)
  clock.advance(10_000)
  expect(await silent.talk.end()).toMatch(/\(reset\)$/)
  const aged = await opened(raw, clock, { idleMs: 10_000, lifetimeMs: 25_000 })
  for (const text of ['one', 'two', 'six']) {
    clock.advance(8_000)
    aged.upstream.say(text)
    await aged.talk.hear(text)
  }
  clock.advance(1_000)
  expect(await aged.talk.end()).toMatch(/onetwosix\(reset\)$/)
  expect([await silent.upstream.why, await aged.upstream.why]).toEqual(['request_timeout', 'request_timeout'])
})

test('a service that takes nothing is given five times as long', async () => {
  const clock = fakeClock()
  const upstream = await play(limits, { clock })
  const talk = talkTo(upstream.port)
  talk.say(raw)
  await talk.hear('\r\n\r\n')
  clock.advance(49_000)
  talk.say('still here')
  const said = (await upstream.passage).said()[Symbol.asyncIterator]()
  expect(Buffer.from((await said.next()).value ?? '').toString()).toBe('still here')
  clock.advance(50_000)
  expect(await upstream.why).toBe('request_timeout')
})

test('a WebSocket of which one side has gone does not wait for the other to fall silent', async () => {
  const clock = fakeClock()
  const { upstream, talk, meter } = await opened(handshake, clock, { idleMs: 600_000, lifetimeMs: undefined })
  talk.socket.allowHalfOpen = true
  upstream.end()
  await once(talk.socket, 'end')
  clock.advance(1_999)
  expect(changedNow(meter)).toBe(1)
  clock.advance(1)
  expect(await upstream.why).toBe('request_timeout')
  await expect.poll(() => changedNow(meter)).toBe(0)
})

test('a service that goes on after the end of a WebSocket has ten seconds, whatever it says, and two when it is silent', async () => {
  const clock = fakeClock()
  const patient = { idleMs: 600_000, lifetimeMs: undefined }
  const talking = await opened(handshake, clock, patient)
  const silent = await opened(handshake, clock, patient)
  // However long it was silent before.
  clock.advance(300_000)
  talking.talk.socket.end()
  silent.talk.socket.end()
  await Promise.all([talking.over, silent.over])
  for (let i = 0; i < 6; i += 1) {
    expect([i, changedNow(talking.meter)]).toEqual([i, 1])
    clock.advance(1_900)
    talking.upstream.say(`\x89\x01${i}`)
    if (i < 5) await talking.talk.hear(`\x89\x01${i}`)
  }
  clock.advance(4_000)
  expect(await talking.upstream.why).toBe('request_timeout')
  await silent.upstream.why
  await expect.poll(() => [changedNow(talking.meter), changedNow(silent.meter)]).toEqual([0, 0])
})

test('a service of another protocol that is silent after the downstream has ended is cut after half a minute', async () => {
  const clock = fakeClock()
  const { upstream, talk, over } = await opened(raw, clock, { idleMs: 600_000, lifetimeMs: undefined })
  clock.advance(300_000)
  talk.socket.end()
  await over
  for (const text of ['one', 'two']) {
    clock.advance(29_999)
    upstream.say(text)
    await talk.hear(text)
  }
  clock.advance(30_000)
  expect(await upstream.why).toBe('request_timeout')
})

test('over TLS it passes too', async () => {
  const pem = await makeCertificates()
  const upstream = await play(limits, { tls: { ...pem.server, clientAuth: 'none', clientCa: undefined } })
  const socket = new WebSocket(`wss://127.0.0.1:${upstream.port}/chat`, { agent: new Agent({ ca: pem.ca, checkServerIdentity: () => undefined }) })
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  const over = upstream.listen()
  upstream.say('\x81\x02hi')
  expect(String((await once(socket, 'message'))[0])).toBe('hi')
  socket.send('there')
  await expect.poll(() => upstream.heard().length).toBe(2 + 4 + 5)
  upstream.say('\x88\x02\x03\xe8')
  upstream.end()
  expect((await once(socket, 'close'))[0]).toBe(1000)
  await over
})
