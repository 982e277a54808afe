import { connect as connectTcp, type NetConnectOpts, Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import type { Vet } from '../../src/core/model/vet.ts'
import { dial } from '../../src/node/channels/dial.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createFetch } from '../../src/node/fetch.ts'
import { callOptions, endpointAt, httpCall } from '../support/calls.ts'
import { fakeClock } from '../support/clock.ts'
import { type FakeResolve, fakeResolve, fakeSecrets } from '../support/ports.ts'
import { httpServer, rawServer, textOf } from '../support/sockets.ts'

const clock = createClock()

/** Refuses these addresses. */
const refusing =
  (...bad: string[]): Vet =>
  (address) =>
    bad.includes(address) ? 'not here' : undefined

function ports(resolve: FakeResolve) {
  return { clock, resolve, secrets: fakeSecrets() }
}

async function call(host: string, port: number, vet: Vet, resolve = fakeResolve()): Promise<string> {
  const channel = createChannels(ports(resolve)).acquire(endpointAt(port, { address: { kind: 'tcp', host, port }, vet }))
  onTestFinished(() => channel.release())
  try {
    return await textOf((await channel.http(httpCall(), callOptions())).body)
  } catch (error) {
    if (error instanceof Fault) return error.code
    throw error
  }
}

test('a literal address is vetted like any other', async () => {
  const server = await httpServer((_request, response) => response.end('inside'))
  expect(await call('127.0.0.1', server.port, refusing('127.0.0.1'))).toBe('address_denied')
  expect(await call('127.0.0.1', server.port, refusing())).toBe('inside')
  expect(server.sockets.length).toBe(1)
})

test('one bad address among good ones refuses all, before any is dialled', async () => {
  const server = await httpServer((_request, response) => response.end('inside'))
  const resolve = fakeResolve({ 'vendor.test': ['127.0.0.1', '169.254.169.254'] })
  expect(await call('vendor.test', server.port, refusing('169.254.169.254'), resolve)).toBe('address_denied')
  expect(server.sockets.length).toBe(0)
})

test('the name is resolved once, and what was vetted is dialled: a name that changes its mind changes nothing', async () => {
  const server = await httpServer((request, response) => response.end(request.headers.host))
  const resolve = fakeResolve()
  resolve.on('vendor.test', ['127.0.0.1'])
  const vet: Vet = (address) => {
    resolve.on('vendor.test', ['192.0.2.1'])
    return address === '127.0.0.1' ? undefined : 'changed'
  }
  expect(await call('vendor.test', server.port, vet, resolve)).toBe('service.test')
  expect(resolve.asked).toEqual(['vendor.test'])
})

test('a guard that fails refuses', async () => {
  const server = await httpServer((_request, response) => response.end('inside'))
  const vet: Vet = () => Promise.reject(new Error('cannot tell'))
  expect(await call('127.0.0.1', server.port, vet)).toBe('upstream_unavailable')
  expect(server.sockets.length).toBe(0)
})

test('a dead address among several costs a try, not the call', async () => {
  const server = await httpServer((_request, response) => response.end('second'))
  const resolve = fakeResolve({ 'service.test': ['127.0.0.9', '127.0.0.1'] })
  expect(await call('service.test', server.port, refusing(), resolve)).toBe('second')
})

test('an address that hangs costs a quarter of a second, and is let go', async () => {
  const server = await httpServer((_request, response) => response.end('second'))
  const fake = fakeClock()
  const hanging = new Socket()
  const dialled: unknown[] = []
  const connect = (place: NetConnectOpts): Socket => {
    dialled.push('host' in place ? place.host : place)
    // The other one opens at once; here it is only said that time goes on.
    if (dialled.length > 1) return connectTcp(place)
    setImmediate(() => fake.advance(250))
    return hanging
  }
  const resolve = fakeResolve({ 'service.test': ['127.0.0.9', '127.0.0.1'] })
  const endpoint = endpointAt(server.port, { address: { kind: 'tcp', host: 'service.test', port: server.port }, connectTimeoutMs: 1_000 })
  const socket = await dial(endpoint, [], { ...ports(resolve), clock: fake, connect })
  expect([dialled, socket.remoteAddress, hanging.destroyed]).toEqual([['127.0.0.9', '127.0.0.1'], '127.0.0.1', true])
  socket.destroy()
})

test('a TLS server that never shakes hands costs the connect timeout, and counts as not sent', async () => {
  const server = await rawServer(() => {})
  const tls = { serverName: 'vendor.test', ca: undefined, certificate: undefined, key: undefined }
  const channel = createChannels(ports(fakeResolve())).acquire(endpointAt(server.port, { tls, connectTimeoutMs: 80 }))
  await expect(channel.http(httpCall(), callOptions())).rejects.toMatchObject({ code: 'upstream_unavailable' })
  channel.release()
})

test('fetch is vetted, bounded in size and time, and follows no redirect', async () => {
  const server = await httpServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/elsewhere' }).end()
    else if (request.url === '/big') response.end('x'.repeat(2_000))
    else if (request.url !== '/hang') response.setHeader('x-two', ['a', 'b']).end('hello')
  })
  const fetch = createFetch(ports(fakeResolve()))
  const ask = (path: string, vet?: Vet) =>
    fetch({ url: `http://127.0.0.1:${server.port}${path}`, method: 'GET', headers: {}, body: undefined, timeoutMs: 200, limit: 1_000, vet })
  const good = await ask('/')
  expect([good.status, good.text, good.headers['x-two']]).toEqual([200, 'hello', 'a, b'])
  expect((await ask('/moved')).status).toBe(302)
  await expect(ask('/big')).rejects.toThrow('longer than 1000 bytes')
  await expect(ask('/hang')).rejects.toMatchObject({ code: 'deadline_exceeded' })
  await expect(ask('/', refusing('127.0.0.1'))).rejects.toMatchObject({ code: 'address_denied' })
  await expect(fetch({ url: 'file:///etc/passwd', method: 'GET', headers: {}, body: undefined, timeoutMs: 200, limit: 10 })).rejects.toThrow('not a protocol')
})
