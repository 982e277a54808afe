import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { HttpCall } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Channel, Endpoint } from '../../src/core/ports.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { callOptions, endpointAt, httpCall } from '../support/calls.ts'
import { fakeSecrets } from '../support/ports.ts'
import { gate, rawServer, settled, textOf } from '../support/sockets.ts'

const clock = createClock()

function open(endpoint: Endpoint): Channel {
  const channel = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() }).acquire(endpoint)
  onTestFinished(() => channel.release())
  return channel
}

/** A downstream that says these texts and then has no more, or with `…` at the end is silent. */
function changing(...said: string[]): HttpCall & { readonly heard: Promise<void> } {
  const heard = gate()
  const upgrade = {
    protocol: 'tcp',
    subprotocols: undefined,
    extensions: [],
    async *said() {
      for (const text of said) {
        if (text === '…') await new Promise<never>(() => {})
        yield Buffer.from(text)
      }
    },
    heard: () => heard.resolve(),
  }
  return { ...httpCall({ method: 'POST', target: '/raw' }), upgrade, heard: heard.promise }
}

/** Resolves with the error of a connection that is cut, once it is closed. */
function closing(socket: Socket | undefined): Promise<string | undefined> {
  let code: string | undefined
  socket?.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code
  })
  return new Promise((resolve) => socket?.on('close', () => resolve(code)))
}

const agreed = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n'

/** Answers each request with the next of these. */
async function answering(...answers: string[]) {
  const got: { readonly socket: Socket; text: string }[] = []
  const server = await rawServer((socket) => {
    const one = { socket, text: '' }
    got.push(one)
    socket.on('data', (data) => {
      if (data.includes('HTTP/1.1')) socket.write(answers.shift() ?? '')
      one.text += data.toString('latin1')
    })
  })
  return { ...server, got }
}

test('the answer is what the upstream says until neither side has more, and what the downstream says goes out behind the 101', async () => {
  const server = await answering(`${agreed}hi`)
  const call = changing('one', 'two')
  const reply = await open(endpointAt(server.port)).http(call, callOptions())
  expect([reply.status, reply.headers.entries()]).toEqual([101, []])
  await expect.poll(() => server.got[0]?.text).toMatch(/^POST \/raw HTTP\/1\.1\r\n[\s\S]*connection: upgrade\r\nupgrade: tcp\r\n[\s\S]*\r\n\r\nonetwo$/i)
  server.got[0]?.socket.end(' there')
  expect(await textOf(reply.body)).toBe('hi there')
  await call.heard
})

test('a connection that was kept is not used, and one whose upgrade was refused is not kept', async () => {
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
  const server = await answering(ok, ok, ok)
  const channel = open(endpointAt(server.port))
  for (const call of [httpCall(), changing('never'), httpCall({ method: 'POST' })])
    expect(await textOf((await channel.http(call, callOptions())).body)).toBe('ok')
  // The third may go by the first, never by the second.
  expect(server.got.map(({ text }) => text.match(/HTTP\/1\.1/g)?.length)[1]).toBe(1)
  expect(server.got[1]?.text).toMatch(/upgrade: tcp/i)
  expect(server.got.map(({ text }) => text).join('')).not.toContain('never')
})

test('a request that ends cuts it, with a reset', async () => {
  const server = await answering(agreed)
  const lifeline = new Lifeline()
  const call = changing('hello', '…')
  const reply = await open(endpointAt(server.port)).http(call, { ...callOptions(), lifeline })
  const reading = textOf(reply.body)
  await expect.poll(() => server.got[0]?.text).toContain('hello')
  const cut = closing(server.got[0]?.socket)
  lifeline.end(new Fault('client_closed', 'gone'))
  await expect(reading).rejects.toMatchObject({ code: 'client_closed' })
  expect(await cut).toBe('ECONNRESET')
})

test('what nobody reads stops the upstream', async () => {
  const server = await answering(agreed)
  const reply = await open(endpointAt(server.port)).http(changing('go', '…'), callOptions())
  await expect.poll(() => server.got[0]?.text).toContain('go')
  const socket = server.got[0]?.socket as Socket
  let written = 0
  const chunk = Buffer.alloc(64 * 1024)
  const pour = () => {
    while (!socket.destroyed) {
      written += chunk.length
      if (socket.write(chunk)) continue
      socket.once('drain', pour)
      return
    }
  }
  pour()
  const stopped = await settled(() => written)
  expect(stopped).toBeLessThan(16 * 1024 * 1024)
  const body = (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  const goesOn = () => written > stopped
  while (!goesOn()) expect((await body.next()).done).toBe(false)
  const closed = closing(socket)
  await body.return?.()
  await closed
})

test('an upstream that breaks off breaks the answer', async () => {
  const server = await answering(agreed)
  const reply = await open(endpointAt(server.port)).http(changing('go'), callOptions())
  await expect.poll(() => server.got[0]?.text).toContain('go')
  server.got[0]?.socket.resetAndDestroy()
  await expect(textOf(reply.body)).rejects.toMatchObject({ code: 'upstream_reset' })
})

test('over HTTP/2 there is no change of protocol, and nobody is dialled for one', async () => {
  const server = await answering()
  const channel = open({ ...endpointAt(server.port), protocol: 'h2' })
  await expect(channel.http(changing('x'), callOptions())).rejects.toMatchObject({ code: 'not_implemented' })
  expect(server.got).toEqual([])
})
