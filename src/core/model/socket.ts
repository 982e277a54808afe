import type { Arrival, Metered } from './exchange.ts'
import { Fault, faultCatalogue } from './fault.ts'
import { FieldList } from './fields.ts'
import { rateLimitHeaders } from './reading.ts'
import type { Fields } from './wire.ts'

/** What our WebSockets speak: one JSON message per text frame. Named by clients that name a subprotocol at all. */
export const socketProtocol = 'sallyport.json'

/** A WebSocket that a downstream asks for (RFC 6455). Until it is opened the request is answered like any other. */
export interface SocketOffer {
  readonly opened: boolean
  /** Bytes of messages so far, for the record. */
  readonly received: number
  /**
   * Answers 101 with these fields and gives the downstream's text messages, one by one: a reader that stops pulling stops the sender. It ends
   * when the downstream says that it has no more (an empty message). Called once. What breaks the WebSocket ends the request's lifeline too.
   * @throws Fault `client_closed` when nobody is there any more; the messages throw it when the downstream leaves
   */
  open(head: Fields, messageLimit: number): AsyncIterable<Uint8Array>
}

/** How a WebSocket is closed: a code of RFC 6455 section 7.4.1 and a reason of at most 123 bytes. */
export interface SocketEnd {
  readonly code: number
  readonly reason: string
}

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
