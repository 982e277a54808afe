import { createServer as createHttp, type Server as HttpServer } from 'node:http'
import { createServer as createH2, createSecureServer } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { FieldList } from '../../../src/core/model/fields.ts'
import type { Endpoint } from '../../../src/core/ports.ts'
import { createClock } from '../../../src/node/clock.ts'
import { probeEndpoint } from '../../../src/node/probe/probe-endpoint.ts'
import { createResolve } from '../../../src/node/resolve.ts'
import { createSecrets } from '../../../src/node/secrets.ts'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { shopDescriptors } from '../../support/load.ts'
import { openReflecting } from '../../support/reflecting.ts'

const keep = untilTheEnd()
let certificates: Certificates
beforeAll(async () => {
  certificates = await makeCertificates()
})

async function listen(server: Server | HttpServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => void sockets.add(socket))
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const pair = () => ({ cert: certificates.server.certificate, key: certificates.server.key })
const http = () => listen(createHttp((_, response) => response.end('hello')))
const https = () => listen(createHttps(pair(), (_, response) => response.end('hello')))
const h2 = () => listen(createH2((_, response) => response.end('hello')))
const h2s = () => listen(createSecureServer({ ...pair(), allowHTTP1: true }, (_, response) => response.end('hello')))
const grpc = () => openReflecting(keep, shopDescriptors)
const silent = () => listen(createTcp(() => {}))
const rude = () => listen(createTcp((socket) => socket.destroy()))
const odd = () => listen(createTcp((socket) => void socket.write('220 mail.example ESMTP\r\n')))
const downstream = () =>
  listen(
    createH2().on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14', 'grpc-message': 'no healthy upstream' }, { endStream: true })
    }),
  )
const nobody = async () => {
  const server = createTcp()
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}

type Tls = { readonly serverName?: string; readonly trusted?: boolean }

async function tryAt(open: () => Promise<number>, protocol: Endpoint['protocol'], tls?: Tls) {
  const clock = createClock()
  const ports = { clock, resolve: createResolve(clock), secrets: createSecrets({ CA: certificates.ca }) }
  const endpoint: Endpoint = {
    key: 'test',
    protocol,
    address: { kind: 'tcp', host: '127.0.0.1', port: await open() },
    tls:
      tls === undefined
        ? undefined
        : { serverName: tls.serverName ?? 'service.test', ca: tls.trusted === false ? undefined : 'env:CA', certificate: undefined, key: undefined },
    connectTimeoutMs: 1000,
    idleMs: 1000,
  }
  return await probeEndpoint({ subset: undefined, endpoint, authority: 'service.test', fields: new FieldList(), sidecar: 'none' }, ports)
}

describe('an endpoint that works is said to', () => {
  it.each([
    ['HTTP/1.1', http, 'http1', undefined],
    ['HTTP/1.1 over TLS', https, 'http1', {}],
    ['HTTP/2', h2, 'h2', undefined],
    ['HTTP/2 over TLS', h2s, 'h2', {}],
    ['gRPC, with no health service', grpc, 'grpc', undefined],
  ] as const)('%s', async (_, open, protocol, tls) => {
    expect(await tryAt(open, protocol, tls)).toBeUndefined()
  })
})

describe('an endpoint that does not is told by its cause', () => {
  it.each([
    ['nobody there', nobody, 'http1', undefined, 'nothing listens there (connection refused)'],
    ['HTTP/1.1 for gRPC', http, 'grpc', undefined, 'it speaks HTTP/1.1 and not HTTP/2'],
    ['HTTP/1.1 for HTTP/2', http, 'h2', undefined, 'it speaks HTTP/1.1 and not HTTP/2'],
    ['gRPC for HTTP/1.1', grpc, 'http1', undefined, 'it speaks HTTP/2 and not HTTP/1.1'],
    ['HTTP/2 without gRPC', h2, 'grpc', undefined, 'it speaks HTTP/2 and not gRPC: it answered 200'],
    ['clear text for TLS', http, 'http1', {}, 'it does not speak TLS, or cut the handshake'],
    ['no HTTP/2 in ALPN', https, 'h2', {}, 'it does not offer HTTP/2 over TLS (ALPN)'],
    ['the wrong name', https, 'http1', { serverName: 'other.test' }, 'its certificate names DNS:service.test, IP Address:127.0.0.1; other.test was expected'],
    ['a stranger', https, 'http1', { trusted: false }, 'its certificate is signed by an authority that is not trusted'],
    ['a cut connection', rude, 'http1', undefined, 'it closes the connection on HTTP/1.1'],
    ['another protocol', odd, 'http1', undefined, 'what it answers is not HTTP/1.1'],
    ['a sidecar with nowhere to go', downstream, 'grpc', undefined, 'who answers there says UNAVAILABLE: no healthy upstream'],
    ['silence', silent, 'grpc', undefined, 'it takes the connection and does not answer HTTP/2 within 3000 ms'],
  ] as const)('%s', async (_, open, protocol, tls, problem) => {
    const trouble = await tryAt(open, protocol, tls)
    expect(trouble?.problem).toBe(problem)
    expect(trouble?.hint).toMatch(/^[A-Z].*\.$/)
  })

  it('TLS for clear text', async () => {
    const trouble = await tryAt(https, 'http1')
    expect(trouble?.hint).toMatch(/tls:/)
  })
})
