import { createServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { Clock } from '../core/ports.ts'
import { type Gate, openGate } from './listeners/gate.ts'
import { serveHttp1 } from './listeners/http1.ts'
import { type Http2Service, openHttp2Service } from './listeners/http2.ts'
import type { ListenerOptions, ListenerSecrets, Serving } from './listeners/options.ts'
import { showsBadCertificate } from './listeners/peer.ts'
import { sortByPreface } from './listeners/preface.ts'

export { type CountArrivals, countArrivals } from './listeners/arrivals.ts'
export type { ListenerOptions, ListenerSecrets } from './listeners/options.ts'

/** How long a graceful end may take, milliseconds. */
export interface GracefulClose {
  /** First, requests on new and old connections are still served, each answered with `Connection: close`. */
  readonly lameDuckMs: number
  /** Then nothing new is accepted, idle connections close, and what is in flight has so long to end before it is cut. */
  readonly drainMs: number
}

export interface Listener {
  /** Where it listens; the port is real when 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number }
  /** New handshakes use these; connections that are there stay as they are. Without TLS nothing happens. @throws Error for what does not fit together */
  renew(secrets: ListenerSecrets): void
  /** Settles when every connection is gone. A second call may shorten the end; it never lengthens it. */
  close(graceful?: GracefulClose): Promise<void>
}

const headersMs = 10_000
const handshakeMs = 5_000
const requestsPerConnection = 10_000
/** Downstreams are told 60 s; the connection lives 65 s, so that the one who closes is never us in the middle of a request. */
const keepAliveMs = 60_000
const keepAliveSlackMs = 5_000
/** What a WebSocket that is told to go away has left to do so. */
const goAwayMs = 1_000
/** Request line and framing around the header fields, whose size `receive` judges. */
const lineBytes = 9 * 1024

/** Binds an address and serves the walk on it. @throws Error when the address cannot be bound or the TLS material is bad. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const gate = openGate(options)
  let draining = false
  const serving: Serving = { options, isDraining: () => draining, conversations: new Set(), upgraded: 0, http1: () => {}, clear: new WeakMap() }
  const h2 = options.protocols.includes('h2') ? openHttp2Service(serving) : undefined
  const silent = new Set<Socket>()
  const server = options.tls === undefined ? openPlain(serving, gate, h2, silent) : openTls(serving, options.tls, gate, h2)
  serveHttp1(server, serving)
  await listening(server, options)

  /** Ends the lame duck time that an earlier call waits for. */
  let skip: () => void = () => {}
  const end = async ({ lameDuckMs, drainMs }: GracefulClose) => {
    draining = true
    skip()
    // All of it, connected or not: those who send traffic here need the time to notice.
    if (lameDuckMs > 0) await pause(lameDuckMs, options.clock, (end) => (skip = end))
    options.tunnels?.drain(drainMs)
    server.close()
    h2?.close()
    server.closeIdleConnections()
    for (const socket of silent) socket.destroy()
    await drain(drainMs, gate, options.clock)
    if (serving.conversations.size > 0) {
      for (const conversation of serving.conversations) conversation.goAway()
      await drain(Math.min(goAwayMs, drainMs), gate, options.clock)
    }
    gate.cut()
    await gate.empty()
  }
  const { port } = server.address() as AddressInfo // it is bound to an address, not to a pipe
  return {
    address: { host: options.address.host, port },
    renew(secrets) {
      // Its session tickets go with the old context: nobody comes back on the word of an authority that is not trusted any more.
      if (server instanceof TlsServer) server.setSecureContext(tlsOptions(secrets, options.protocols))
    },
    close: (graceful = { lameDuckMs: 0, drainMs: 0 }) => end(graceful),
  }
}

function httpOptions({ limits }: ListenerOptions): ServerOptions {
  return {
    headersTimeout: Math.min(headersMs, limits.requestMs),
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: keepAliveMs,
    keepAliveTimeoutBuffer: keepAliveSlackMs,
    maxHeaderSize: limits.headerBytes + lineBytes,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    // The Host rules are the front guard's, with an answer of ours.
    requireHostHeader: false,
    noDelay: true,
  }
}

function settle(server: Server): void {
  // Zero: all of them. Any other figure drops what is above it silently; `receive` counts and refuses.
  server.maxHeadersCount = 0
  server.maxRequestsPerSocket = requestsPerConnection
  // Silence is limited where it means something: while a request arrives, and while a body moves.
  server.timeout = 0
}

/** In the clear: the first bytes say whether it is HTTP/1 or HTTP/2 with prior knowledge. */
function openPlain(serving: Serving, gate: Gate, h2: Http2Service | undefined, silent: Set<Socket>): Server {
  const { options } = serving
  const server = createServer(httpOptions(options))
  settle(server)
  const http1 = takeOver(server, 'connection')
  serving.http1 = http1
  const spoken = options.protocols.includes('http/1.1') ? http1 : (socket: Socket) => void socket.destroy()
  server.on('connection', (socket: Socket) => {
    if (!gate.admit(socket)) return
    if (h2 === undefined) http1(socket)
    else sortByPreface(socket, { h2: h2.take, http1: spoken, silent }, options.clock)
  })
  return server
}

/** Over TLS: ALPN has said it. */
function openTls(serving: Serving, secrets: ListenerSecrets, gate: Gate, h2: Http2Service | undefined): Server {
  const { options } = serving
  const { protocols, purpose, meter } = options
  const server = createTlsServer({ ...httpOptions(options), ...tlsOptions(secrets, protocols) })
  settle(server)
  const http1 = takeOver(server, 'secureConnection')
  serving.http1 = http1
  const refused = () => meter.count('sallyport_connections_refused_total', { listener: purpose, reason: 'handshake' })
  server.prependListener('connection', (socket: Socket) => void gate.admit(socket))
  server.on('tlsClientError', refused)
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {}) // whoever speaks on it hears of it through its close
    const fits = socket.alpnProtocol === 'h2' ? h2 !== undefined : protocols.includes('http/1.1')
    if (!fits || showsBadCertificate(socket)) {
      refused()
      socket.destroy()
    } else if (socket.alpnProtocol === 'h2') h2?.take(socket)
    else http1(socket)
  })
  return server
}

function tlsOptions(secrets: ListenerSecrets, protocols: ListenerOptions['protocols']): TlsOptions {
  return {
    cert: secrets.certificate,
    key: secrets.key,
    ...(secrets.clientCa !== undefined && { ca: secrets.clientCa }),
    requestCert: secrets.clientAuth !== 'none',
    rejectUnauthorized: secrets.clientAuth === 'required',
    minVersion: 'TLSv1.2',
    ALPNProtocols: (['h2', 'http/1.1'] as const).filter((protocol) => protocols.includes(protocol)),
    handshakeTimeout: handshakeMs,
  }
}

/** Takes Node's own handler of new connections out of the server, to call it for those that are to speak HTTP/1. */
function takeOver(server: Server, event: 'connection' | 'secureConnection'): (socket: Socket) => void {
  const handlers = server.listeners(event)
  server.removeAllListeners(event)
  return (socket) => {
    for (const handler of handlers) handler.call(server, socket)
  }
}

function listening(server: Server, { address }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address.host, port: address.port, backlog: 1024 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Waits, unless what `skippable` gets is called. Nothing is left to run then: a timer would keep the process. */
function pause(ms: number, clock: Clock, skippable: (skip: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve)
    skippable(() => {
      timer.cancel()
      resolve()
    })
  })
}

/** Until the time is over or nobody is connected any more. */
async function drain(ms: number, gate: Gate, clock: Clock): Promise<void> {
  if (ms <= 0 || gate.open === 0) return
  let timer: { cancel(): void } | undefined
  const over = new Promise<void>((resolve) => {
    timer = clock.after(ms, resolve)
  })
  await Promise.race([over, gate.empty()])
  timer?.cancel()
}
