import { Fault } from '../core/model/fault.ts'
import { FieldList } from '../core/model/fields.ts'
import { Lifeline } from '../core/model/lifeline.ts'
import { addPiece } from '../core/model/pieces.ts'
import type { Body, Fields } from '../core/model/wire.ts'
import type { Endpoint, Fetch, FetchRequest, FetchTls } from '../core/ports.ts'
import type { DialPorts } from './channels/dial.ts'
import { openHttp1 } from './channels/http1.ts'

const connectMs = 3_000

/**
 * The gateway's own small requests (key sets, discovery, tokens): one connection each, through the same guarded dialler as everything
 * else. Redirects are answers like any other. The time counts from the start to the last byte, the size is cut at the limit.
 * @throws Fault as channels do, `deadline_exceeded` when the time is over; Error for a URL that is not http(s) or an answer that is too long.
 */
export function createFetch(ports: DialPorts): Fetch {
  return async (request) => {
    const url = new URL(request.url)
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new Error(`${url.protocol} is not a protocol to fetch over`)
    const endpoint = endpointOf(url, request, request.tls)
    const lifeline = new Lifeline()
    const wire = openHttp1(endpoint, ports)
    const timer = ports.clock.after(request.timeoutMs, () => lifeline.end(new Fault('deadline_exceeded', 'the request took too long')))
    try {
      const call = {
        kind: 'http',
        method: request.method,
        scheme: url.protocol === 'https:' ? 'https' : 'http',
        authority: url.host,
        target: `${url.pathname}${url.search}`,
        headers: new FieldList(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value] as const)),
        body: request.body === undefined ? undefined : bodyOf(request.body),
      } as const
      const options = { lifeline, deadline: Number.POSITIVE_INFINITY, idleMs: request.timeoutMs, messageLimit: request.limit }
      const reply = await wire.http(call, options)
      const text = await textOf(reply.body, request.limit)
      return { status: reply.status, headers: recordOf(reply.headers), text }
    } finally {
      timer.cancel()
      lifeline.settle()
      wire.close()
    }
  }
}

/** One connection to where a URL leads, past no rules but those of the request. */
export function endpointOf(url: URL, request: Pick<FetchRequest, 'timeoutMs' | 'vet'>, { ca, certificate, key }: Partial<FetchTls> = {}): Endpoint {
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return {
    key: `fetch ${url.origin}`,
    protocol: 'http1',
    address: { kind: 'tcp', host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port) },
    tls: secure ? { serverName: host, ca, certificate, key } : undefined,
    connectTimeoutMs: Math.min(connectMs, request.timeoutMs),
    idleMs: 1,
    // Whoever has no address rules of its own may go anywhere; that there is a guard marks it as outside the mesh.
    vet: request.vet ?? (() => undefined),
  }
}

function bodyOf(text: string): Body {
  const bytes = new TextEncoder().encode(text)
  return {
    length: bytes.byteLength,
    bytes: () => bytes,
    async *chunks() {
      yield bytes
    },
  }
}

async function textOf(body: Uint8Array | AsyncIterable<Uint8Array> | undefined, limit: number): Promise<string> {
  if (body === undefined) return ''
  const parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    length += chunk.byteLength
    if (length > limit) throw new Error(`the answer is longer than ${limit} bytes`)
    addPiece(parts, chunk)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Repeated fields joined by commas (RFC 9110 section 5.3). */
export function recordOf(fields: Fields): Record<string, string> {
  const record: Record<string, string> = Object.create(null)
  for (const [name, value] of fields.entries()) {
    const before = record[name]
    record[name] = before === undefined ? value : `${before}, ${value}`
  }
  return record
}
