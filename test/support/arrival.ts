import type { Arrival } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Body } from '../../src/core/model/wire.ts'

/** Names with one or several values, or pairs where order and spelling matter. */
export type HeaderInput = Readonly<Record<string, string | readonly string[]>> | readonly (readonly [string, string])[]

export interface ArrivalOptions extends Partial<Omit<Arrival, 'method' | 'target' | 'rawHeaders' | 'peer' | 'body'>> {
  /** Shorthand for `peer.address`. */
  readonly peer?: string
  readonly certificate?: Uint8Array
  readonly connection?: object
  /** Text is UTF-8; announced by Content-Length unless the headers frame it. */
  readonly body?: Body | Uint8Array | string
}

/**
 * A request as a listener hands it over: HTTP/1.1 from 192.0.2.1 on the public listener at tick 1000, with
 * `Host: api.example.com` unless the headers name a host (`Host: []` for none). With `httpVersion: '2'` the host goes to `authority`.
 */
export function arrival(method: string, target: string, headers: HeaderInput = {}, options: ArrivalOptions = {}): Arrival {
  const { peer = '192.0.2.1', certificate, connection, body, ...rest } = options
  const rawHeaders = rawOf(headers)
  const names = new Set((isPairs(headers) ? headers.map(([name]) => name) : Object.keys(headers)).map((name) => name.toLowerCase()))
  const h2 = rest.httpVersion === '2'
  const message = body === undefined ? undefined : bodyOf(body)
  if (!h2 && !names.has('host')) rawHeaders.unshift('Host', 'api.example.com')
  if (message?.length !== undefined && !names.has('content-length') && !names.has('transfer-encoding')) rawHeaders.push('Content-Length', `${message.length}`)
  return {
    listener: 'public',
    httpVersion: '1.1',
    scheme: 'https',
    authority: h2 ? 'api.example.com' : undefined,
    receivedAt: 1000,
    lifeline: new Lifeline(),
    ...rest,
    method,
    target,
    rawHeaders,
    body: message,
    peer: { address: peer, certificate, connection },
  }
}

/** A body in one piece; `bytes` keeps to its limit. */
export function bodyOf(content: Body | Uint8Array | string): Body {
  if (typeof content !== 'string' && !(content instanceof Uint8Array)) return content
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return {
    length: bytes.length,
    bytes(limit) {
      if (bytes.length > limit) throw new Fault('body_too_large', 'the body is too large')
      return bytes
    },
    async *chunks() {
      yield bytes
    },
  }
}

function rawOf(headers: HeaderInput): string[] {
  if (isPairs(headers)) return headers.flat()
  return Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [name, value] : value.flatMap((one) => [name, one])))
}

function isPairs(headers: HeaderInput): headers is readonly (readonly [string, string])[] {
  return Array.isArray(headers)
}
