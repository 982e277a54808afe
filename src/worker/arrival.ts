import type { Arrival } from '../core/model/exchange.ts'
import { Fault } from '../core/model/fault.ts'
import type { Lifeline } from '../core/model/lifeline.ts'
import type { Body } from '../core/model/wire.ts'
import { chunksOf, joined } from './chunks.ts'

/** What concerns the hop to the platform, and what the platform says of it: the facts among them stand in the arrival itself. */
const ofThisHop = /^(?:host|connection|keep-alive|proxy-connection|transfer-encoding|te|cdn-loop|true-client-ip|cf-.*)$/

/**
 * A request as the core takes it. The platform has parsed it already: the URL is normalised (dot segments resolved, backslashes
 * turned), repeated fields are joined by commas, and `cf-connecting-ip` is the platform's own word on who connects. HTTP/3 and 2
 * read as 2, everything else as 1.1.
 */
export function arrivalOf(request: Request, lifeline: Lifeline, receivedAt: number): Arrival {
  const { url } = request
  const from = url.indexOf('//') + 2
  const path = url.indexOf('/', from)
  const rawHeaders: string[] = []
  for (const [name, value] of request.headers) if (!ofThisHop.test(name)) rawHeaders.push(name, value)
  return {
    listener: 'edge',
    method: request.method,
    target: path < 0 ? '/' : url.slice(path),
    httpVersion: versionOf(request),
    scheme: url.startsWith('https:') ? 'https' : 'http',
    authority: path < 0 ? url.slice(from) : url.slice(from, path),
    rawHeaders,
    body: bodyOf(request),
    peer: { address: request.headers.get('cf-connecting-ip') ?? '', certificate: undefined },
    receivedAt,
    lifeline,
  }
}

function versionOf({ cf }: Request): '1.1' | '2' {
  const protocol: unknown = cf?.['httpProtocol']
  return protocol === 'HTTP/2' || protocol === 'HTTP/3' ? '2' : '1.1'
}

function bodyOf(request: Request): Body | undefined {
  const stream = request.body
  if (stream === null) return undefined
  const stated = request.headers.get('content-length')
  const length = stated !== null && /^\d{1,15}$/.test(stated) ? Number(stated) : undefined
  let received = 0
  async function* chunks(source: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunksOf(source)) {
      received += chunk.byteLength
      yield chunk
    }
  }
  return {
    length,
    get received() {
      return received
    },
    bytes: (limit) => joined(chunks(stream), limit, () => new Fault('body_too_large', `the body is larger than ${limit} bytes`)),
    chunks: () => chunks(stream),
  }
}
