import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Arrival } from '../../core/model/exchange.ts'
import { Fault } from '../../core/model/fault.ts'
import { Lifeline } from '../../core/model/lifeline.ts'
import type { Clock } from '../../core/ports.ts'
import type { Serving } from './options.ts'
import { dropBody } from './pour.ts'
import { writeRaw } from './refusal.ts'
import { Conversation } from './socket.ts'

/** How long a connection whose request for a WebSocket was refused has to take the answer. */
const lingerMs = 2_000

/** A request for a WebSocket that can be judged by the walk; undefined for any other upgrade, and a fault for one that is malformed (RFC 6455 section 4.2.1). */
export function readHandshake({ method, httpVersion, headers }: IncomingMessage): 'websocket' | Fault | undefined {
  const key = headers['sec-websocket-key']
  if (headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined) return undefined
  if (headers['sec-websocket-version'] !== '13') {
    return new Fault('request_invalid', 'only version 13 of the WebSocket protocol is spoken here', { headers: [['sec-websocket-version', '13']] })
  }
  if (method === 'GET' && httpVersion === '1.1' && /^[+/0-9A-Za-z]{22}==$/.test(key)) return 'websocket'
  return new Fault('request_invalid', 'this is not the handshake of a WebSocket')
}

/** Walks a request for a WebSocket: until the walk opens it, the answer is an ordinary one, and the connection ends with it. */
export async function serveUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  arrivalOf: (lifeline: Lifeline) => Arrival,
  serving: Serving,
): Promise<void> {
  const { options, conversations } = serving
  const { clock, limits } = options
  const lifeline = new Lifeline()
  const offer = new Conversation({ request, socket, head, lifeline, clock, idleMs: limits.idleMs })
  conversations.add(offer)
  socket.on('close', () => conversations.delete(offer))
  try {
    const outbound = await options.handle({ ...arrivalOf(lifeline), socket: offer })
    if (offer.opened) return await offer.say(outbound)
    offer.stopWaiting()
    writeRaw(socket, outbound, () => lifeline.settle())
    closeSoon(socket, clock)
    await dropBody(outbound.body)
  } catch {
    offer.cut()
  }
}

/** Whatever still comes is thrown away, so that the answer is not lost in a reset. */
function closeSoon(socket: Duplex, clock: Clock): void {
  const timer = clock.after(lingerMs, () => socket.destroy())
  socket.on('close', () => timer.cancel())
  socket.on('end', () => socket.destroy())
  socket.resume()
}
