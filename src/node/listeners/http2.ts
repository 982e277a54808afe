import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Arrival } from '../../core/model/exchange.ts'
import { Fault } from '../../core/model/fault.ts'
import { noFields } from '../../core/model/fields.ts'
import { isHopByHop } from '../../core/model/hop-by-hop.ts'
import { Lifeline } from '../../core/model/lifeline.ts'
import type { Fields, Outbound } from '../../core/model/wire.ts'
import { type InboundBody, inboundBody } from './body.ts'
import { floodGuard } from './flood.ts'
import type { Serving } from './options.ts'
import { peerCertificate } from './peer.ts'
import { dropBody, pour } from './pour.ts'
import { refuseHere } from './refusal.ts'

/** HTTP/2 for sockets that were found to speak it. */
export interface Http2Service {
  readonly take: (socket: Socket) => void
  /** Says GOAWAY on every connection; streams that are open end first. */
  close(): void
}

const streamsPerConnection = 100
const connectionWindow = 1024 * 1024
/** A connection without a first request, and one without requests later on. Milliseconds. */
const firstRequestMs = 10_000
const idleConnectionMs = 65_000

export function openHttp2Service(serving: Serving): Http2Service {
  const { options } = serving
  const sessions = new Set<ServerHttp2Session>()
  const server: Http2Server = createServer({
    maxHeaderListPairs: options.limits.headerCount + 32,
    streamResetBurst: 200,
    // What a field may say twice is for the front guard; an answer that an upstream gave over HTTP/1 may repeat any.
    strictSingleValueFields: false,
    // Otherwise a field with a blank at an end is dropped without a word; the front guard refuses the request.
    strictFieldWhitespaceValidation: false,
    settings: { maxConcurrentStreams: streamsPerConnection, initialWindowSize: 65_535, maxHeaderListSize: options.limits.headerBytes, enablePush: false },
  })
  server.on('sessionError', () => {}) // the session is closed by then; nobody is left to tell
  server.on('session', (session) => {
    sessions.add(session)
    session.setLocalWindowSize(connectionWindow)
    keepSession(session, serving)
    session.on('close', () => sessions.delete(session))
  })
  return {
    take(socket) {
      // HTTP/1 servers keep a connection open whose peer has ended it. HTTP/2 has no such half, and would not hear of the end.
      socket.allowHalfOpen = false
      server.emit('connection', socket)
    },
    close() {
      for (const session of sessions) session.close()
    },
  }
}

function keepSession(session: ServerHttp2Session, serving: Serving): void {
  const { options } = serving
  let open = 0
  const guard = floodGuard(options.clock, () => {
    options.meter.count('sallyport_connections_refused_total', { listener: options.purpose, reason: 'flood' })
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  })
  session.setTimeout(firstRequestMs, () => {
    if (open === 0) session.close()
  })
  session.on('error', () => {}) // its close follows
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders?: readonly string[]) => {
    stream.on('error', () => {}) // its close says all there is to know
    // After a reset that names no error Node would wait for somebody to read the rest of a request that nobody wants any more.
    stream.on('aborted', () => setImmediate(() => stream.destroy()))
    if (!guard.start()) return
    open += 1
    if (open === 1) session.setTimeout(idleConnectionMs)
    stream.on('close', () => {
      open -= 1
      guard.end(wentOut(stream), open)
    })
    void serve(stream, headers, rawHeaders ?? flatten(headers), serving)
  })
}

async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[], serving: Serving): Promise<void> {
  const lifeline = new Lifeline()
  stream.on('close', () => {
    if (wentOut(stream)) lifeline.settle()
    else lifeline.end(new Fault('client_closed', 'the downstream went away'))
  })
  try {
    const outbound =
      headers[':path'] === undefined
        ? refuseHere(new Fault('not_implemented', 'tunnels are not offered here'), serving.options)
        : await serving.options.handle(arrivalOf(stream, headers, raw, lifeline, serving))
    await answer(stream, headers[':method'] === 'HEAD', outbound, serving)
  } catch {
    // A body that broke, or headers that cannot be written: a reset, so that what was sent does not look complete.
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}

/** Our answer was sent whole. A stream that was reset is "finished" too; that it was aborted tells, or its code. */
function wentOut(stream: ServerHttp2Stream): boolean {
  return stream.headersSent && stream.writableFinished && !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR
}

function arrivalOf(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[], lifeline: Lifeline, { options }: Serving): Arrival {
  const socket = stream.session?.socket
  return {
    listener: options.purpose,
    method: headers[':method'] ?? '',
    target: headers[':path'] ?? '',
    httpVersion: '2',
    scheme: socket instanceof TLSSocket ? 'https' : 'http',
    authority: headers[':authority'],
    rawHeaders: fieldsOnly(raw),
    body: bodyOf(stream, headers, options),
    peer: { address: socket?.remoteAddress ?? '', certificate: socket === undefined ? undefined : peerCertificate(socket), connection: stream.session },
    receivedAt: options.clock.ticks(),
    lifeline,
  }
}

function bodyOf(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: Serving['options']): InboundBody | undefined {
  if (stream.endAfterHeaders) return undefined
  const announced = headers['content-length']
  const length = announced !== undefined && /^\d{1,15}$/.test(announced) ? Number(announced) : undefined
  const wanted = () => {
    if (headers.expect?.toLowerCase() === '100-continue' && !stream.headersSent) stream.additionalHeaders({ ':status': 100 })
  }
  return inboundBody({
    stream,
    length,
    clock: options.clock,
    idleMs: options.limits.idleMs,
    wanted,
    isWhole: () => !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR,
  })
}

async function answer(stream: ServerHttp2Stream, head: boolean, outbound: Outbound, { options, isDraining }: Serving): Promise<void> {
  if (stream.destroyed || stream.closed) return dropBody(outbound.body)
  const { body, trailers } = outbound
  const bare = head || (body === undefined && trailers === undefined)
  let whole = false
  // Without waiting for trailers, Node marks the last bytes of a stream that it resets as its end: half a body would look whole.
  stream.on('wantTrailers', () => {
    if (!whole) return
    stream.sendTrailers(headersOf(trailers?.() ?? noFields, outbound.status))
    // A turn later, when the trailers are out.
    setImmediate(() => stopUpload(stream))
  })
  const waitForTrailers = !bare && (trailers !== undefined || !(body instanceof Uint8Array))
  stream.respond({ ':status': outbound.status, ...headersOf(outbound.headers, outbound.status) }, { endStream: bare, waitForTrailers })
  if (outbound.close === true || isDraining()) stream.session?.close()
  if (!waitForTrailers) stream.on('finish', () => stopUpload(stream))
  if (bare) return dropBody(body)
  if (body !== undefined && !(body instanceof Uint8Array)) {
    const announced = outbound.headers.get('content-length')
    const length = announced === undefined ? undefined : Number(announced)
    await pour(stream, body, { clock: options.clock, idleMs: options.limits.idleMs, length, flush: () => {} })
  }
  whole = true
  // Flow control can hold back even the last byte. Node's timer knows progress.
  stream.setTimeout(options.limits.idleMs, () => stream.close(constants.NGHTTP2_CANCEL))
  stream.end(body instanceof Uint8Array ? body : undefined)
}

/** A complete answer makes the rest of the request pointless: the downstream is told to stop (RFC 9113 section 8.1). */
function stopUpload(stream: ServerHttp2Stream): void {
  if (!stream.endAfterHeaders && !stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR)
}

/** Connection fields do not exist in HTTP/2 (RFC 9113 section 8.2.2), and a 204 has no length (RFC 9110 section 8.6). */
function headersOf(fields: Fields, status: number): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of fields.entries()) {
    if (isHopByHop(name) || name.startsWith(':') || (status === 204 && name === 'content-length')) continue
    const before = headers[name]
    headers[name] = before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value]
  }
  return headers
}

/** Without pseudo-headers; the crumbs of a cookie joined again (RFC 9113 section 8.2.3). */
function fieldsOnly(raw: readonly string[]): string[] {
  const fields: string[] = []
  let cookieAt = -1
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    if (name.startsWith(':')) continue
    if (name === 'cookie' && cookieAt >= 0) {
      fields[cookieAt] = `${fields[cookieAt]}; ${value}`
      continue
    }
    if (name === 'cookie') cookieAt = fields.length + 1
    fields.push(name, value)
  }
  return fields
}

function flatten(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) => (Array.isArray(value) ? value : [value ?? '']).flatMap((one) => [name, one]))
}
