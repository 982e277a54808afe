import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import type { Clock, Endpoint, EndpointTls } from '../../src/core/ports.ts'
import { createChannels } from '../../src/node/channels.ts'
import { createClock } from '../../src/node/clock.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { createSecrets } from '../../src/node/secrets.ts'
import { callOptions, endpointAt, grpcCall, httpCall } from '../support/calls.ts'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { gate, running, textOf } from '../support/sockets.ts'
import { type TempFolder, tempFolder } from '../support/temp-folder.ts'

const orders = 'spiffe://corp.test/ns/shop/sa/orders'

let pem: Certificates
let svid: Certificates['server']
let other: Certificates['server']
let twice: Certificates['server']
beforeAll(async () => {
  pem = await makeCertificates()
  svid = await pem.issue({ dns: 'anything.test', uri: [orders] })
  other = await pem.issue({ dns: 'service.test', uri: ['spiffe://corp.test/ns/shop/sa/search'] })
  twice = await pem.issue({ dns: 'service.test', uri: [orders, `${orders}-too`] })
})

type Pair = Certificates['server']
type Protocol = Endpoint['protocol']

/** What the client showed, as its server tells it. */
const nameOf = (socket: unknown) => (socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'nobody'

/** A server that says whose certificate it was shown; paths under /slow are answered when `finish` is called. */
async function serverOf(protocol: Protocol, pair: Pair): Promise<{ readonly port: number; readonly finish: () => void }> {
  const slow = gate()
  const options = { cert: pair.certificate, key: pair.key, ca: pem.ca, requestCert: true, rejectUnauthorized: false }
  if (protocol === 'http1') {
    const server = await running(
      createHttps(options, (request, response) => {
        const answer = () => response.end(nameOf(request.socket))
        if (request.url === '/slow') void slow.promise.then(answer)
        else answer()
      }),
    )
    return { port: server.port, finish: slow.resolve }
  }
  const answer = async (stream: ServerHttp2Stream, path: string | undefined, grpc: boolean) => {
    stream.on('error', () => {})
    if (path?.endsWith('/slow')) await slow.promise
    const who = nameOf(stream.session?.socket)
    if (grpc) {
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'x-who': who }, { waitForTrailers: true })
      stream.end()
    } else {
      stream.respond({ ':status': 200 })
      stream.end(who)
    }
  }
  const server = createSecureServer(options)
  server.on('stream', (stream, headers) => void answer(stream, headers[':path'], headers['content-type'] === 'application/grpc'))
  return { port: (await running(server)).port, finish: slow.resolve }
}

/** The clock of this machine, as far ahead as the test says. */
function movable(): { readonly clock: Clock; readonly ahead: (ms: number) => void } {
  const clock = createClock()
  let ms = 0
  return {
    clock: { ...clock, ticks: () => clock.ticks() + ms },
    ahead: (more) => {
      ms += more
    },
  }
}

interface Notice {
  readonly use: string
  readonly refused?: string
  readonly serving?: boolean
}

function channelTo(port: number, protocol: Protocol, tls: Partial<EndpointTls>, clock: Clock = createClock()) {
  const notices: Notice[] = []
  const certificates = {
    taken: (use: string) => void notices.push({ use }),
    refused: (use: string, reason: string, serving: boolean) => void notices.push({ use, refused: reason, serving }),
  }
  const channels = createChannels({ clock, resolve: createResolve(clock), secrets: createSecrets({ CA: pem.ca }), certificates })
  const full: EndpointTls = { serverName: 'service.test', use: 'cluster orders', ca: 'env:CA', certificate: undefined, key: undefined, ...tls }
  const channel = channels.acquire(endpointAt(port, { key: `${protocol} ${port}`, protocol, tls: full }))
  onTestFinished(() => channel.release())
  /** Whom the server saw. */
  const ask = async (path = '/') => {
    if (protocol !== 'grpc') return textOf((await channel.http(httpCall({ scheme: 'https', target: path }), callOptions())).body)
    const reply = await channel.grpc(grpcCall({ path: `/test.Echo${path}` }), callOptions())
    for await (const _ of reply.messages);
    return reply.metadata.get('x-who')
  }
  return { ask, notices }
}

/** Code and internal reason of what a call meets. */
async function refusal(asked: Promise<unknown>): Promise<string> {
  const error: unknown = await asked.then(
    () => new Error('answered'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof Fault)) throw error
  return `${error.code} ${error.detail.internal}`
}

const protocols = ['http1', 'h2', 'grpc'] as const

describe.each(protocols)('over %s, an upstream with a SPIFFE id', (protocol) => {
  test('is the right one by its id, whatever other names it has', async () => {
    const { port } = await serverOf(protocol, svid)
    expect(await channelTo(port, protocol, { spiffe: [orders] }).ask()).toBe('nobody')
    expect(await channelTo(port, protocol, { spiffe: ['spiffe://corp.test/ns/web/*', 'spiffe://corp.test/ns/shop/*'] }).ask()).toBe('nobody')
  })

  test('with another id is refused, and the record says which was presented and which expected', async () => {
    const { port } = await serverOf(protocol, other)
    const told = await refusal(channelTo(port, protocol, { spiffe: [orders] }).ask())
    expect(told).toMatch(/^upstream_unavailable /)
    expect(told).toContain('its certificate names spiffe://corp.test/ns/shop/sa/search; spiffe://corp.test/ns/shop/sa/orders was expected')
  })

  test('is refused with two ids, with none though its DNS name is right, and by a pattern of another namespace', async () => {
    expect(await refusal(channelTo((await serverOf(protocol, twice)).port, protocol, { spiffe: [orders] }).ask())).toContain(
      'it has 2 URIs where an SVID has one',
    )
    const plain = await serverOf(protocol, pem.server)
    expect(await refusal(channelTo(plain.port, protocol, { spiffe: [orders] }).ask())).toContain('names DNS:service.test (it has 0 URIs')
    expect(await refusal(channelTo((await serverOf(protocol, svid)).port, protocol, { spiffe: ['spiffe://corp.test/ns/sho/*'] }).ask())).toContain(
      'was expected',
    )
  })

  test('signed by a stranger is refused whatever it says', async () => {
    const { port } = await serverOf(protocol, pem.stranger)
    expect(await refusal(channelTo(port, protocol, { spiffe: [orders] }).ask())).toMatch(/^upstream_unavailable .*(?:self.signed|SELF_SIGNED)/i)
  })
})

test('over TLS nothing but HTTP/2 is spoken where ALPN did not say so', async () => {
  const server = await running(createTlsServer({ cert: pem.server.certificate, key: pem.server.key }, (socket) => socket.on('error', () => {})))
  expect(await refusal(channelTo(server.port, 'h2', {}).ask())).toContain('it does not offer HTTP/2 over TLS (ALPN)')
})

test('an upstream that speaks no TLS newer than 1.1 is refused', async () => {
  const options = {
    cert: pem.server.certificate,
    key: pem.server.key,
    minVersion: 'TLSv1' as const,
    maxVersion: 'TLSv1.1' as const,
    ciphers: 'DEFAULT@SECLEVEL=0',
  }
  const server = await running(createHttps(options, (_request, response) => response.end('old')))
  expect(await refusal(channelTo(server.port, 'http1', {}).ask())).toMatch(/^upstream_unavailable .*(?:PROTOCOL|VERSION|SSL)/i)
})

const files = (folder: TempFolder) => ({ ca: `file:${folder.path}/ca.pem`, certificate: `file:${folder.path}/tls.crt`, key: `file:${folder.path}/tls.key` })

describe.each(protocols)('over %s, certificates that are rotated', (protocol) => {
  test('are shown in new handshakes, and what is under way over the old connection ends as it should', async () => {
    const next = await pem.issue({ dns: 'next.test' })
    const folder = await tempFolder({ 'ca.pem': pem.ca, 'tls.crt': pem.client.certificate, 'tls.key': pem.client.key })
    const { port, finish } = await serverOf(protocol, pem.server)
    const { clock, ahead } = movable()
    const { ask, notices } = channelTo(port, protocol, files(folder), clock)
    expect(await ask()).toBe('client.test')
    const slow = ask('/slow')
    await folder.write('tls.crt', next.certificate)
    await folder.write('tls.key', next.key)
    ahead(1_001)
    // A connection of HTTP/1.1 that waits for reuse still takes requests; others have theirs over a new one at once.
    expect(await Promise.all([ask(), ask(), ask()])).toContain('next.test')
    const seen = await Promise.all([ask(), ask(), ask()])
    expect(protocol === 'http1' || seen.every((who) => who === 'next.test')).toBe(true)
    finish()
    expect(await slow).toBe('client.test')
    expect(notices).toEqual([{ use: 'cluster orders' }, { use: 'cluster orders' }])
  })

  test('and do not fit together leave the last good ones in use, which is said once, until they do', async () => {
    const next = await pem.issue({ dns: 'next.test' })
    const folder = await tempFolder({ 'ca.pem': pem.ca, 'tls.crt': pem.client.certificate, 'tls.key': pem.client.key })
    const { port } = await serverOf(protocol, pem.server)
    const { clock, ahead } = movable()
    const { ask, notices } = channelTo(port, protocol, files(folder), clock)
    let at = 0
    // Every time more at once than before, so that some need a connection of their own.
    const all = async () => new Set(await Promise.all(Array.from({ length: (at += 2) }, () => ask())))
    expect(await ask()).toBe('client.test')
    await folder.write('tls.crt', next.certificate)
    for (let i = 0; i < 3; i += 1) {
      ahead(1_001)
      expect(await all()).toEqual(new Set(['client.test']))
    }
    expect(notices).toEqual([
      { use: 'cluster orders' },
      { use: 'cluster orders', refused: expect.stringMatching(/tls\.crt and .*tls\.key: .*mismatch/i), serving: true },
    ])
    await folder.write('tls.key', next.key)
    ahead(1_001)
    expect(await all()).toContain('next.test')
    expect(notices.at(-1)).toEqual({ use: 'cluster orders' })
  })
})

test.each([
  ['half a bundle', (ca: string) => ca.slice(0, ca.length / 2), /ca\.pem holds no certificate/],
  ['a whole certificate and half of one', (ca: string) => `${ca}\n${ca.slice(0, ca.length / 2)}`, /ca\.pem holds a certificate that breaks off/],
  ['two put together without a line end', (ca: string) => `${ca.trim()}${ca.trim()}`, /ca\.pem holds a certificate that does not begin on a line of its own/],
  ['an empty file', () => '', /ca\.pem is empty/],
  ['something else', (ca: string) => ca.replace(/\n[A-Za-z0-9+/]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'), /ca\.pem holds a certificate that cannot be read/],
])('authorities of which there is only %s are not taken', async (_, spoil, reason) => {
  const folder = await tempFolder({ 'ca.pem': pem.ca })
  const { port } = await serverOf('http1', pem.server)
  const { clock, ahead } = movable()
  const { ask, notices } = channelTo(port, 'http1', { ca: `file:${folder.path}/ca.pem` }, clock)
  expect(await ask()).toBe('nobody')
  await folder.write('ca.pem', spoil(pem.ca))
  ahead(1_001)
  expect(await Promise.all([ask(), ask()])).toEqual(['nobody', 'nobody'])
  expect(notices.at(-1)).toEqual({ use: 'cluster orders', refused: expect.stringMatching(reason), serving: true })
})

test('authorities that are exchanged are believed from the next handshake on, and the old ones no more', async () => {
  const folder = await tempFolder({ 'ca.pem': pem.ca })
  const { port } = await serverOf('h2', pem.server)
  const { clock, ahead } = movable()
  const { ask } = channelTo(port, 'h2', { ca: `file:${folder.path}/ca.pem` }, clock)
  expect(await ask()).toBe('nobody')
  await folder.write('ca.pem', (await makeCertificates()).ca)
  ahead(1_001)
  expect(await refusal(ask())).toMatch(/^upstream_unavailable/)
})

test('certificates that never were good refuse what needs them, and say why', async () => {
  const folder = await tempFolder({ 'tls.crt': pem.client.certificate, 'tls.key': pem.stranger.key })
  const { port } = await serverOf('grpc', pem.server)
  for (const protocol of protocols) {
    const { ask, notices } = channelTo(port, protocol, { certificate: `file:${folder.path}/tls.crt`, key: `file:${folder.path}/tls.key` })
    expect(await refusal(ask())).toMatch(/^upstream_unavailable .*(?:mismatch|MISMATCH)/)
    expect(notices).toEqual([{ use: 'cluster orders', refused: expect.stringMatching(/mismatch/i), serving: false }])
  }
})
