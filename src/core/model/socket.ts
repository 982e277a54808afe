import type { Arrival, Metered } from './exchange.ts'
import { Fault, faultCatalogue } from './fault.ts'
import { FieldList } from './fields.ts'
import { rateLimitHeaders } from './reading.ts'
import type { Fields, SocketEnd } from './wire.ts'

/** What our WebSockets speak: one JSON message per text frame. Named by clients that name a subprotocol at all. */
export const socketProtocol = 'sallyport.json'

/** The end of a conversation that went well. */
export const goodEnd: SocketEnd = Object.freeze({ code: 1000, reason: '' })

/** What the 101 says beside the handshake: the request's id and what is left of its limits. */
export function socketHead(x: Pick<Metered, 'id' | 'readings'>): FieldList {
  return new FieldList(rateLimitHeaders(x.readings)).set('x-request-id', x.id)
}

/** Opens the WebSocket of a request and reads its messages. @throws Fault `client_closed`; Error when the request is none for a WebSocket */
export function openSocket(x: { readonly arrival: Arrival }, head: Fields, messageLimit: number): AsyncIterator<Uint8Array> {
  if (x.arrival.socket === undefined) throw new Error('no WebSocket was asked for')
  return x.arrival.socket.open(head, messageLimit)[Symbol.asyncIterator]()
}

/** Reads on where the RPC has had all it takes: another message cuts the request short, so that none is lost in silence. */
export async function noneMore({ lifeline }: Pick<Arrival, 'lifeline'>, messages: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    const more = await messages.next()
    if (more.done !== true) lifeline.end(new Fault('request_invalid', 'this RPC takes no further message'))
  } catch (error) {
    lifeline.end(Fault.from(error))
  }
}

/** The close code that a fault of the gateway becomes, and the fault's name as reason. */
export function endOfFault({ code }: Fault): SocketEnd {
  if (code === 'body_invalid' || code === 'request_invalid') return { code: 1007, reason: code }
  if (code === 'media_type_unsupported') return { code: 1003, reason: code }
  if (code === 'body_too_large') return { code: 1009, reason: code }
  if (code === 'request_timeout') return { code: 1008, reason: code }
  return { code: faultCatalogue[code].http === 503 ? 1013 : 1011, reason: code }
}
