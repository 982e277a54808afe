import type { Arrival } from '../../model/exchange.ts'
import type { Fields } from '../../model/wire.ts'
import { refusal } from './refusal.ts'

/** RFC 9113 section 8.2.2: malformed over HTTP/2. */
const connectionOnly = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']

/**
 * Refuses every framing that two parsers could read differently (RFC 9112 sections 6.1 and 6.3), upgrades that the
 * listener does not offer, announced trailers, which nobody here asked for, and a stated length above `bodyLimit` bytes before the body is read. @throws Fault
 */
export function checkFraming(arrival: Arrival, fields: Fields, bodyLimit: number): void {
  if (arrival.httpVersion === '2') checkStream(arrival, fields)
  else checkMessage(arrival, fields)
  if (fields.has('trailer')) throw refusal(arrival, 'request_invalid', 'request trailers are not accepted')
  const length = fields.get('content-length')
  if (length === undefined) return
  if (!isLength(length)) throw refusal(arrival, 'request_invalid', 'content-length is not a number')
  if (Number(length) > bodyLimit) throw refusal(arrival, 'body_too_large', 'the body is too large')
}

function checkMessage(arrival: Arrival, fields: Fields): void {
  if (arrival.socket !== undefined) return checkHandshake(arrival, fields)
  if (fields.has('upgrade')) throw refusal(arrival, 'not_implemented', 'no upgrade is offered here')
  const coding = fields.get('transfer-encoding')
  if (coding === undefined) return
  if (coding.toLowerCase() !== 'chunked') throw refusal(arrival, 'request_invalid', 'transfer-encoding is not "chunked"')
  if (arrival.httpVersion === '1.0') throw refusal(arrival, 'request_invalid', 'transfer-encoding in HTTP/1.0')
  if (fields.has('content-length')) throw refusal(arrival, 'request_invalid', 'both content-length and transfer-encoding')
}

/** What follows the handshake of a WebSocket is frames, whatever length it states (RFC 6455 section 4.1). */
function checkHandshake(arrival: Arrival, fields: Fields): void {
  if (fields.has('transfer-encoding') || (fields.get('content-length') ?? '0') !== '0') throw refusal(arrival, 'request_invalid', 'a handshake has no body')
}

function checkStream(arrival: Arrival, fields: Fields): void {
  for (const name of connectionOnly) if (fields.has(name)) throw refusal(arrival, 'request_invalid', `${name} in HTTP/2`)
  for (const value of fields.all('te')) if (value !== 'trailers') throw refusal(arrival, 'request_invalid', 'te in HTTP/2 is not "trailers"')
}

function isLength(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x30 || text.charCodeAt(i) > 0x39) return false
  // Fifteen digits are exact in a number; nothing longer is a length.
  return text.length > 0 && text.length <= 15
}
