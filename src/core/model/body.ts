import { Fault } from './fault.ts'
import type { Body } from './wire.ts'

/** What an egress listener takes, in bytes: stated lengths are refused at once, others when they pass it. */
export const egressBodyBytes = 10 * 1024 * 1024

/** The same body, cut with a fault once it is longer than `limit` bytes. @throws Fault `body_too_large`. A stated length is checked at once and then trusted: framing holds it. */
export function capped(body: Body, limit: number): Body {
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
