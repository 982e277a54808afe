import type { Arrival } from '../core/model/exchange.ts'
import { Lifeline } from '../core/model/lifeline.ts'
import { hidesRequests, protocolName } from '../core/model/upgrade.ts'
import type { SocketOffer } from '../core/model/wire.ts'

/** A request as a person or a policy test writes it down. */
export interface WrittenRequest {
  readonly method: string
  readonly scheme: 'http' | 'https'
  readonly host: string
  /** Path and query. */
  readonly target: string
  /** Alternating names and values. */
  readonly headers: readonly string[]
  /** JSON text; undefined for no body. */
  readonly json: string | undefined
  /** Address it comes from. */
  readonly client: string
  /** DER of the client certificate, taken as verified. */
  readonly certificate?: Uint8Array | undefined
}

/** The arrival that a listener would make of it, for a rehearsal. */
export function rehearsedArrival(request: WrittenRequest): Arrival {
  const { method, scheme, host, target, headers, json, client, certificate } = request
  const bare = { ...request, headers: headers.filter((_, i) => !/^(?:upgrade|connection)$/i.test(headers[i - (i % 2)] ?? '')) }
  const bytes = json === undefined ? undefined : new TextEncoder().encode(json)
  const protocol = protocolOf(method, headers)
  if (protocol !== undefined) return { ...rehearsedArrival({ ...bare, json: undefined }), socket: silentOffer(protocol, bytes) }
  const typed = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type')
  const framing = bytes === undefined ? [] : [...(typed ? [] : ['content-type', 'application/json']), 'content-length', String(bytes.length)]
  return {
    listener: 'public',
    method,
    target,
    httpVersion: '1.1',
    scheme,
    authority: undefined,
    rawHeaders: ['host', host, ...headers, ...framing],
    body: bytes === undefined ? undefined : bodyOf(bytes),
    peer: { address: client, certificate },
    receivedAt: 0,
    lifeline: new Lifeline(),
  }
}

function bodyOf(bytes: Uint8Array): NonNullable<Arrival['body']> {
  return {
    length: bytes.length,
    bytes: () => bytes,
    async *chunks() {
      yield bytes
    },
  }
}

/** The protocol that is asked for, as the listener reads it (RFC 6455 section 4.1); the rest of a WebSocket's handshake is the library's of a client. */
function protocolOf(method: string, headers: readonly string[]): string | undefined {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'upgrade')
  const protocol = headers[at + 1] ?? ''
  if (at < 0 || !protocolName.test(protocol) || hidesRequests(protocol)) return undefined
  if (protocol.toLowerCase() !== 'websocket') return protocol
  return method === 'GET' ? 'websocket' : undefined
}

/** A WebSocket over which the body of the rehearsal is said, or nothing. */
function silentOffer(protocol: string, said: Uint8Array | undefined): SocketOffer {
  return {
    protocol,
    opened: false,
    received: 0,
    pass: () => ({ said: () => noBytes, heard: () => {} }),
    async *open() {
      if (said !== undefined) yield said
    },
  }
}

const noBytes: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {},
}
