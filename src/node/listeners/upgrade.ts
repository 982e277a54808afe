import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Arrival } from '../../core/model/exchange.ts'
import { Fault } from '../../core/model/fault.ts'
import { Lifeline } from '../../core/model/lifeline.ts'
import { hidesRequests, protocolName } from '../../core/model/upgrade.ts'
import type { Outbound } from '../../core/model/wire.ts'
import type { Clock } from '../../core/ports.ts'
import type { Serving } from './options.ts'
import { dropBody } from './pour.ts'
import { writeRaw } from './refusal.ts'
import { Conversation } from './socket.ts'

/** How long a connection whose request for a WebSocket was refused has to take the answer. */
const lingerMs = 2_000

/**
 * The protocol of an upgrade that can be judged by the walk: `websocket`, or another by its name. Undefined for those that are never made, and a fault
 * for a WebSocket's handshake that is malformed (RFC 6455 section 4.2.1).
 */
export function readHandshake({ method, httpVersion, headers }: IncomingMessage): { readonly protocol: string } | Fault | undefined {
  const { upgrade = '' } = headers
  if (upgrade.toLowerCase() !== 'websocket') {
    const isOffered = protocolName.test(upgrade) && !hidesRequests(upgrade) && httpVersion === '1.1'
    return isOffered ? { protocol: upgrade } : undefined
  }
  const key = headers['sec-websocket-key']
  if (key === undefined) return undefined
  if (headers['sec-websocket-version'] !== '13') {
    return new Fault('request_invalid', 'only version 13 of the WebSocket protocol is spoken here', { headers: [['sec-websocket-version', '13']] })
  }
  if (method === 'GET' && httpVersion === '1.1' && /^[+/0-9A-Za-z]{22}==$/.test(key)) return { protocol: 'websocket' }
  return new Fault('request_invalid', 'this is not the handshake of a WebSocket')
}

/** What the listener of HTTP/1 does with every answer. */
type Answer = (request: IncomingMessage, response: ServerResponse, outbound: Outbound) => Promise<void>

export interface Upgrading {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** What came behind the request before anybody looked. */
  readonly head: Buffer
  readonly protocol: string
  readonly arrivalOf: (lifeline: Lifeline) => Arrival
  readonly answer: Answer
}

/** Walks a request for another protocol: until the walk changes it, the answer is an ordinary one, and the connection ends with it. */
export async function serveUpgrade({ request, socket, head, protocol, arrivalOf, answer }: Upgrading, serving: Serving): Promise<void> {
  const { options, conversations } = serving
  const { clock, limits } = options
  const lifeline = new Lifeline()
  const changed = () => {
    if (socket.closed) return
    count(serving, 1)
    socket.on('close', () => count(serving, -1))
  }
  const offer = new Conversation({ request, protocol, socket, head, lifeline, clock, idleMs: limits.idleMs, changed })
  conversations.add(offer)
  socket.on('close', () => conversations.delete(offer))
  try {
    const outbound = await options.handle({ ...arrivalOf(lifeline), socket: offer })
    if (offer.opened) return await offer.say(outbound)
    if (await offer.carry(outbound)) return
    offer.stopWaiting()
    if (outbound.body === undefined || outbound.body instanceof Uint8Array) writeRaw(socket, outbound, () => lifeline.settle())
    else await answerWhole(request, socket, outbound, lifeline, answer)
    closeSoon(socket, clock)
    await dropBody(outbound.body)
  } catch {
    offer.cut()
  }
}

function count(serving: Serving, by: 1 | -1): void {
  serving.upgraded += by
  serving.options.meter.gauge('sallyport_upgraded_connections', serving.upgraded, { listener: serving.options.purpose })
}

/** An upstream's own answer in place of the protocol may be long: it flows like any other, and the connection ends with it. */
async function answerWhole(request: IncomingMessage, socket: Duplex, outbound: Outbound, lifeline: Lifeline, answer: Answer): Promise<void> {
  const response = new ServerResponse(request)
  response.assignSocket(socket as Socket) // Node's own connections are no other
  response.on('error', () => {}) // its close says all there is to know
  socket.resume()
  const finished = new Promise<void>((resolve) => {
    response.on('finish', () => {
      lifeline.settle()
      response.detachSocket(socket as Socket)
      socket.end()
      resolve()
    })
    socket.on('close', resolve)
  })
  await answer(request, response, { ...outbound, close: true })
  await finished
}

/** Whatever still comes is thrown away, so that the answer is not lost in a reset. */
function closeSoon(socket: Duplex, clock: Clock): void {
  const timer = clock.after(lingerMs, () => socket.destroy())
  socket.on('close', () => timer.cancel())
  socket.on('end', () => socket.destroy())
  socket.resume()
}
