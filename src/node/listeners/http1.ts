import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Arrival } from '../../core/model/exchange.ts'
import { Fault } from '../../core/model/fault.ts'
import { isHopByHop } from '../../core/model/hop-by-hop.ts'
import { Lifeline } from '../../core/model/lifeline.ts'
import type { Outbound } from '../../core/model/wire.ts'
import type { Clock } from '../../core/ports.ts'
import { cutShort } from '../cut.ts'
import { type InboundBody, inboundBody } from './body.ts'
import type { ListenerOptions, Serving } from './options.ts'
import { peerCertificate } from './peer.ts'
import { dropBody, pour } from './pour.ts'
import { refuseRaw } from './refusal.ts'
import { readHandshake, serveUpgrade } from './upgrade.ts'

/** An unread rest of a body up to this size is read and thrown away; behind a larger one the connection ends. */
const smallRest = 64 * 1024

/** How long a connection that is being closed still takes what its peer is sending, so that the answer is not lost in a reset. */
const lingerMs = 2_000

/** Serves HTTP/1 on a server that was made with the right limits. */
export function serveHttp1(server: Server, serving: Serving): void {
  const { options } = serving
  const answering = new WeakMap<Duplex, ServerResponse>()
  const onRequest = (request: IncomingMessage, response: ServerResponse, expects: boolean) => {
    const before = answering.get(request.socket)
    answering.set(request.socket, response)
    inTurn(request.socket, before, () => void serve(request, response, expects, serving))
  }
  const refuseInTurn = (socket: Duplex, fault: Fault) => {
    socket.on('error', () => {}) // Node lets go of the connection with the event
    inTurn(socket, answering.get(socket), () => refuseRaw(socket, fault, options))
  }
  server.on('request', (request, response) => onRequest(request, response, false))
  // With a listener Node leaves the 100 to us: it is sent when the body is first wanted, after the policy has spoken.
  server.on('checkContinue', (request, response) => onRequest(request, response, true))
  // Without a listener Node answers any other expectation itself. An expectation that is unknown may be ignored (RFC 9110 section 10.1.1).
  server.on('checkExpectation', (request, response) => onRequest(request, response, false))
  server.on('upgrade', (request, socket, head) => {
    const asked = options.purpose === 'public' ? readHandshake(request) : undefined
    if (asked === undefined) return refuseInTurn(socket, new Fault('not_implemented', 'this protocol upgrade is not offered'))
    if (asked instanceof Fault) return refuseInTurn(socket, asked)
    socket.on('error', () => {}) // its close says all there is to know
    const upgrading = {
      request,
      socket,
      head,
      protocol: asked.protocol,
      arrivalOf: (lifeline: Lifeline) => arrivalOf(request, undefined, lifeline, serving),
      answer: (to: IncomingMessage, response: ServerResponse, outbound: Outbound) => answer(to, response, outbound, undefined, false, serving),
    }
    inTurn(socket, answering.get(socket), () => void serveUpgrade(upgrading, serving))
  })
  server.on('connect', (request, socket, head) => {
    const { tunnels } = options
    if (tunnels === undefined || serving.clear.has(socket)) return refuseInTurn(socket, new Fault('not_implemented', 'tunnels are not offered here'))
    socket.on('error', () => {}) // its close says all there is to know
    inTurn(socket, answering.get(socket), () => {
      const lifeline = new Lifeline()
      socket.once('close', () => lifeline.end(new Fault('client_closed', 'the downstream went away')))
      // The cast is safe: what a server of node:http hands over is the connection that it accepted.
      const arrival = arrivalOf(request, undefined, lifeline, serving)
      const near = socket as Socket
      const serveClear = () => {
        serving.clear.set(near, { origin: `http://${arrival.target}`, headers: whoAsks(arrival.rawHeaders) })
        answering.delete(near)
        serving.http1(near)
      }
      tunnels.take({ arrival, socket: near, head, serveClear })
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => onBadInput(error, socket, answering.get(socket), options))
}

/**
 * Pipelined requests run one after another, as their answers must (RFC 9112 section 9.3.2). Behind an answer that ends the connection nothing
 * runs: whoever framed one request ambiguously is not trusted with the next.
 */
function inTurn(socket: Duplex, before: ServerResponse | undefined, run: () => void): void {
  if (before === undefined || before.writableFinished) run()
  else {
    before.once('close', () => {
      if (!socket.destroyed && !socket.writableEnded) run()
    })
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, expects: boolean, serving: Serving): Promise<void> {
  const { options } = serving
  const lifeline = new Lifeline()
  response.on('close', () => {
    if (response.writableFinished) lifeline.settle()
    else lifeline.end(new Fault('client_closed', 'the downstream went away'))
  })
  response.on('error', () => {}) // its close says all there is to know
  request.on('error', () => {})
  const body = bodyOf(request, response, expects, serving)
  try {
    const outbound = await options.handle(arrivalOf(request, body, lifeline, serving))
    await answer(request, response, outbound, body, expects, serving)
  } catch {
    // A body that broke, or headers that cannot be written: what was sent must not look complete.
    breakOff(response)
  }
}

function arrivalOf(request: IncomingMessage, body: InboundBody | undefined, lifeline: Lifeline, { options, clear }: Serving): Arrival {
  const { socket } = request
  const tunnel = clear.get(socket)
  return {
    listener: options.purpose,
    method: request.method ?? '',
    target: `${tunnel?.origin ?? ''}${request.url ?? ''}`,
    httpVersion: request.httpVersion,
    scheme: socket instanceof TLSSocket ? 'https' : 'http',
    authority: undefined,
    rawHeaders: tunnel === undefined ? request.rawHeaders : [...request.rawHeaders, ...tunnel.headers],
    body,
    peer: { address: socket.remoteAddress ?? '', certificate: peerCertificate(socket), connection: socket },
    receivedAt: options.clock.ticks(),
    lifeline,
  }
}

/** What CONNECT says for all requests of its tunnel. One that says it again is refused, as with any request. */
function whoAsks(rawHeaders: readonly string[]): readonly string[] {
  return rawHeaders.flatMap((name, i) => (i % 2 === 0 && /^(?:x-egress-env|proxy-authorization)$/i.test(name) ? [name, rawHeaders[i + 1] ?? ''] : []))
}

function bodyOf(request: IncomingMessage, response: ServerResponse, expects: boolean, { options }: Serving): InboundBody | undefined {
  const announced = request.headers['content-length']
  const chunked = request.headers['transfer-encoding'] !== undefined
  const length = announced !== undefined && !chunked ? Number(announced) : undefined
  if (length === 0 || (length === undefined && !chunked)) return undefined
  const wanted = () => {
    if (expects) response.writeContinue()
  }
  return inboundBody({ stream: request, length, clock: options.clock, idleMs: options.limits.idleMs, wanted, isWhole: () => request.complete })
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  outbound: Outbound,
  body: InboundBody | undefined,
  expects: boolean,
  serving: Serving,
): Promise<void> {
  if (response.destroyed) return dropBody(outbound.body)
  const unread = body !== undefined && !body.complete
  // A body that was never asked for may or may not follow; one that is long would have to be read for nothing.
  const stuck = unread && ((expects && !body.touched) || body.length === undefined || body.length - body.received > smallRest)
  const close = outbound.close === true || serving.isDraining() || stuck
  if (close && unread) linger(request.socket, serving.options.clock)
  const head = headOf(outbound, request.method === 'HEAD')
  if (close) head.push('connection', 'close')
  response.writeHead(outbound.status, head)
  const { clock, limits } = serving.options
  if (outbound.body === undefined || outbound.body instanceof Uint8Array) return endWithin(limits.idleMs, response, outbound.body)
  if (request.method === 'HEAD') {
    endWithin(limits.idleMs, response)
    return dropBody(outbound.body)
  }
  const announced = outbound.headers.get('content-length')
  const length = announced === undefined ? undefined : Number(announced)
  await pour(response, outbound.body, { clock, idleMs: limits.idleMs, length, flush: () => response.flushHeaders() })
  if (outbound.trailers !== undefined && length === undefined && takesTrailers(request)) {
    response.addTrailers([...outbound.trailers().entries()].map(([name, value]) => [name, value] as [string, string]))
  }
  endWithin(limits.idleMs, response)
}

/** Says the rest. A downstream that takes nothing of it for so long is cut; Node's own timer knows progress, and its keep-alive limit follows. */
function endWithin(idleMs: number, response: ServerResponse, rest?: Uint8Array): void {
  response.socket?.setTimeout(idleMs)
  response.end(rest)
}

/** Names and values in turn. The connection is ours to speak about, and so is the length of what is in one piece. */
function headOf(outbound: Outbound, head: boolean): string[] {
  const { body, status } = outbound
  const flat: string[] = []
  const whole = body instanceof Uint8Array && !head
  // RFC 9110 section 8.6: none in a 204, whatever the upstream says.
  const ownLength = whole || status === 204
  outbound.headers.each((name, value) => {
    if (!isHopByHop(name) && !(ownLength && name === 'content-length')) flat.push(name, value)
  })
  if (whole) flat.push('content-length', `${body.byteLength}`)
  else if (body === undefined && !head && status >= 200 && status !== 204 && status !== 304 && !outbound.headers.has('content-length')) {
    flat.push('content-length', '0')
  }
  return flat
}

function takesTrailers(request: IncomingMessage): boolean {
  const codings = String(request.headers.te ?? '').split(',')
  return codings.some((coding) => coding.trim().toLowerCase() === 'trailers')
}

/** Even an answer that ends with its connection must not look whole. */
function breakOff(response: ServerResponse): void {
  if (response.socket !== null) cutShort(response.socket)
  response.destroy()
}

/** Instead of a close, which would be a reset while the peer still sends: our end first, then a while of reading on. */
function linger(socket: Socket, clock: Clock): void {
  socket.destroySoon = () => {
    socket.end()
    const timer = clock.after(lingerMs, () => socket.destroy())
    socket.once('close', () => timer.cancel())
  }
}

/** What the parser would not take. An earlier request on the connection that is complete still gets its answer first. */
function onBadInput(error: NodeJS.ErrnoException, socket: Duplex, response: ServerResponse | undefined, options: ListenerOptions): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) {
    socket.destroy()
    return
  }
  const fault = faultOf(error)
  if (response === undefined || response.writableFinished) return refuseRaw(socket, fault, options)
  if (response.req.complete) {
    const timer = options.clock.after(lingerMs * 10, () => socket.destroy())
    response.once('close', () => {
      timer.cancel()
      refuseRaw(socket, fault, options)
    })
    return
  }
  // The request under way is the broken one: its body will never end.
  if (response.headersSent) socket.destroy()
  else refuseRaw(socket, fault, options)
}

function faultOf({ code }: NodeJS.ErrnoException): Fault {
  if (code === 'HPE_HEADER_OVERFLOW') return new Fault('headers_too_large', 'the header fields are too long')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Fault('request_timeout', 'the request took too long to arrive')
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return new Fault('body_too_large', 'the chunk extensions are too long')
  return new Fault('request_invalid', 'this is not a valid HTTP request')
}
