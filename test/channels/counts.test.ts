import { createServer, type ServerHttp2Stream } from 'node:http2'
import { expect, onTestFinished, test } from 'vitest'
import type { Endpoint } from '../../src/core/ports.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { callOptions, endpointAt, grpcCall, httpCall } from '../support/calls.ts'
import { fakeSecrets } from '../support/ports.ts'
import { httpServer, running, textOf } from '../support/sockets.ts'

const clock = createClock()
const soon = { timeout: 5_000, interval: 2 }

function counting() {
  const channels = createChannels({ clock, resolve: createResolve(clock), secrets: fakeSecrets() })
  const open = (port: number, given: Partial<Endpoint>) => {
    const channel = channels.acquire(endpointAt(port, given))
    onTestFinished(() => channel.release())
    return channel
  }
  return { open, counted: () => Object.fromEntries(channels.counts()) }
}

test('open connections are counted by cluster: idle, busy and ending ones, but none that is closed', async () => {
  const waiting: (() => void)[] = []
  const server = await httpServer((_request, response) => void waiting.push(() => response.end('late')))
  const { open, counted } = counting()
  const [first, second, other] = [open(server.port, { of: 'c' }), open(server.port, { of: 'c', key: 'c2' }), open(server.port, { of: 'd', key: 'd' })]
  open(server.port, { key: 'nobody' })
  await expect.poll(counted, soon).toEqual({ c: 0, d: 0 })
  const asked = [first, first, second, other].map(async (channel) => textOf((await channel.http(httpCall(), callOptions())).body))
  await expect.poll(() => waiting.length, soon).toBe(4)
  await expect.poll(counted, soon).toEqual({ c: 3, d: 1 })
  // What is under way goes on.
  first.release()
  await expect.poll(counted, soon).toEqual({ c: 3, d: 1 })
  for (const answer of waiting) answer()
  await Promise.all(asked)
  await expect.poll(counted, soon).toEqual({ c: 1, d: 1 })
  second.release()
  other.release()
  await expect.poll(counted, soon).toEqual({})
})

test('over HTTP/2 and gRPC many requests have one connection', async () => {
  const server = createServer()
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const isGrpc = headers['content-type'] === 'application/grpc'
    stream.respond({ ':status': 200, ...(isGrpc && { 'content-type': 'application/grpc', 'grpc-status': '0' }) }, { endStream: true })
  })
  const { port } = await running(server)
  const { open, counted } = counting()
  const h2 = open(port, { of: 'h', key: 'h', protocol: 'h2' })
  const grpc = open(port, { of: 'g', key: 'g', protocol: 'grpc' })
  await expect.poll(counted, soon).toEqual({ h: 0, g: 0 })
  for (let i = 0; i < 2; i += 1) {
    await textOf((await h2.http(httpCall(), callOptions())).body)
    for await (const _ of (await grpc.grpc(grpcCall(), callOptions())).messages) throw new Error('there are no messages')
  }
  await expect.poll(counted, soon).toEqual({ h: 1, g: 1 })
  h2.release()
  grpc.release()
  await expect.poll(counted, soon).toEqual({})
})
