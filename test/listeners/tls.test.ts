import { connect as connectH2 } from 'node:http2'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { callOptions, endpointAt, httpCall } from '../support/calls.ts'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { listen, outbound } from '../support/listener.ts'
import { fakeSecrets } from '../support/ports.ts'
import { textOf } from '../support/sockets.ts'

let pem: Certificates
beforeAll(async () => {
  pem = await makeCertificates()
})

const clock = createClock()

function secured(clientAuth: 'none' | 'optional' | 'required') {
  return listen(async ({ scheme, httpVersion, peer }) => outbound(`${scheme} ${httpVersion} ${peer.certificate === undefined ? 'anonymous' : 'known'}`), {
    tls: { ...pem.server, clientAuth, clientCa: clientAuth === 'none' ? undefined : pem.ca },
  })
}

/** What a TLS client hears for a GET, or `refused`. */
async function ask(port: number, options: ConnectionOptions): Promise<string> {
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca: pem.ca, servername: 'service.test', ALPNProtocols: ['http/1.1'], ...options })
  onTestFinished(() => void socket.destroy())
  let heard = ''
  socket.on('error', () => {})
  socket.on('data', (data) => {
    heard += data.toString()
  })
  socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'))
  await new Promise((resolve) => socket.once('close', resolve))
  return heard.split('\r\n\r\n')[1] ?? 'refused'
}

test('ALPN chooses between HTTP/2 and HTTP/1.1, and a client without it speaks HTTP/1.1', async () => {
  const { address } = await secured('none')
  expect(await ask(address.port, {})).toBe('https 1.1 anonymous')
  expect(await ask(address.port, { ALPNProtocols: undefined })).toBe('https 1.1 anonymous')
  const client = connectH2(`https://127.0.0.1:${address.port}`, { ca: pem.ca, servername: 'service.test' })
  onTestFinished(() => client.destroy())
  expect(await textOf(client.request({ ':path': '/' }))).toBe('https 2 anonymous')
})

test('a client certificate is asked for, checked, and handed to the walk', async () => {
  const client = { cert: pem.client.certificate, key: pem.client.key }
  const stranger = { cert: pem.stranger.certificate, key: pem.stranger.key }
  const optional = await secured('optional')
  expect(await ask(optional.address.port, {})).toBe('https 1.1 anonymous')
  expect(await ask(optional.address.port, client)).toBe('https 1.1 known')
  expect(await ask(optional.address.port, stranger)).toBe('refused')
  const required = await secured('required')
  expect(await ask(required.address.port, {})).toBe('refused')
  expect(await ask(required.address.port, client)).toBe('https 1.1 known')
  expect(await ask(required.address.port, stranger)).toBe('refused')
})

test('channels check the name, trust only their own CA, and show their certificate', async () => {
  const { address } = await secured('required')
  const secrets = fakeSecrets({ 'file:ca': pem.ca, 'file:cert': pem.client.certificate, 'file:key': pem.client.key, 'file:other': pem.stranger.certificate })
  const channels = createChannels({ clock, resolve: createResolve(clock), secrets })
  const call = async (protocol: 'http1' | 'h2', serverName: string, ca: string | undefined) => {
    const tls = { serverName, ca, certificate: 'file:cert', key: 'file:key' }
    const channel = channels.acquire(endpointAt(address.port, { key: `${protocol} ${serverName} ${ca}`, protocol, tls }))
    onTestFinished(() => channel.release())
    return textOf((await channel.http(httpCall({ scheme: 'https' }), callOptions())).body)
  }
  expect(await call('http1', 'service.test', 'file:ca')).toBe('https 1.1 known')
  expect(await call('h2', 'service.test', 'file:ca')).toBe('https 2 known')
  expect(await call('http1', '127.0.0.1', 'file:ca')).toBe('https 1.1 known')
  for (const protocol of ['http1', 'h2'] as const) {
    await expect(call(protocol, 'other.test', 'file:ca')).rejects.toMatchObject({ code: 'upstream_unavailable' })
    await expect(call(protocol, 'service.test', 'file:other')).rejects.toMatchObject({ code: 'upstream_unavailable' })
    await expect(call(protocol, 'service.test', undefined)).rejects.toMatchObject({ code: 'upstream_unavailable' })
    await expect(call(protocol, 'service.test', 'file:missing')).rejects.toMatchObject({ code: 'upstream_unavailable' })
  }
})

test('certificates that are renewed are shown to whoever comes next; who is there stays, and old session tickets are worth nothing', async () => {
  const other = await makeCertificates()
  const listener = await secured('required')
  const { port } = listener.address
  const client = { cert: pem.client.certificate, key: pem.client.key }
  const there = connectH2(`https://127.0.0.1:${port}`, { ca: pem.ca, servername: 'service.test', ...client })
  onTestFinished(() => there.destroy())
  let ticket: Buffer | undefined
  there.socket.on('session', (session: Buffer) => {
    ticket = session
  })
  expect(await textOf(there.request({ ':path': '/' }))).toBe('https 2 known')
  listener.renew({ ...other.server, clientAuth: 'required', clientCa: other.ca })
  expect(await textOf(there.request({ ':path': '/' }))).toBe('https 2 known')
  expect(await ask(port, { ca: other.ca, cert: other.client.certificate, key: other.client.key })).toBe('https 1.1 known')
  expect(await ask(port, client)).toBe('refused')
  expect(await ask(port, { ca: other.ca, ...client })).toBe('refused')
  expect(ticket).toBeDefined()
  expect(await ask(port, { ca: [pem.ca, other.ca], session: ticket, minVersion: 'TLSv1.2', ...client })).toBe('refused')
})
