import type { HttpCall } from '../../model/call.ts'
import type { Steered } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { endToEnd } from '../../model/hop-by-hop.ts'
import type { Body } from '../../model/wire.ts'
import { buildWithheld, handedOn } from './handed-on.ts'

/** Framing and addressing are the channel's own: it writes them from the call. */
const framing: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])

/** The request as it goes to an HTTP upstream: canonical path, raw query, end-to-end fields, the body as it comes. */
export function httpCall(x: Steered, scheme: 'http' | 'https', authority: string, bodyLimit: number): HttpCall {
  const { method, target, headers, body } = x.request
  const withheld = buildWithheld(x)
  const passed = endToEnd(headers).without((name) => framing.has(name) || withheld(name))
  for (const [name, value] of handedOn(x)) passed.append(name, value)
  return {
    kind: 'http',
    method,
    scheme,
    authority,
    target: target.query === '' ? target.path : `${target.path}?${target.query}`,
    headers: passed,
    body: body === undefined ? undefined : capped(body, bodyLimit),
  }
}

/** The same body, cut with a fault once it is longer than allowed. A stated length is checked at once and then trusted: framing holds it. */
function capped(body: Body, limit: number): Body {
  if (body.length !== undefined) {
    if (body.length > limit) throw tooLarge(limit)
    return body
  }
  return {
    length: undefined,
    get received() {
      return body.received
    },
    bytes: (most) => body.bytes(Math.min(most, limit)),
    chunks: () => counted(body.chunks(), limit),
  }
}

async function* counted(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<Uint8Array> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > limit) throw tooLarge(limit)
    yield chunk
  }
}

function tooLarge(limit: number): Fault {
  return new Fault('body_too_large', `the body is longer than ${limit} bytes`)
}
