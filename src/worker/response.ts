import { waitUntil } from 'cloudflare:workers'
import { Fault } from '../core/model/fault.ts'
import { isHopByHop } from '../core/model/hop-by-hop.ts'
import type { Lifeline } from '../core/model/lifeline.ts'
import type { Outbound } from '../core/model/wire.ts'
import { fill } from './stream.ts'

/** Statuses whose message has no body (RFC 9110 section 6.4.1). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

/** An answer as the platform takes it, streamed at the downstream's pace. The lifeline is over when the answer is. */
export function responseOf(outbound: Outbound, lifeline: Lifeline, method: string): Response {
  const { status, body } = outbound
  const headers = new Headers()
  for (const [name, value] of outbound.headers.entries()) if (!isHopByHop(name)) headers.append(name, value)
  if (body === undefined || body instanceof Uint8Array || method === 'HEAD' || bodiless.has(status)) {
    if (body !== undefined && !(body instanceof Uint8Array)) waitUntil(dropped(body))
    lifeline.settle()
    return new Response(body instanceof Uint8Array && method !== 'HEAD' ? (body as Uint8Array<ArrayBuffer>) : null, { status, headers })
  }
  const { readable, over } = fill(body, headers.has('content-encoding') ? undefined : lengthOf(headers))
  waitUntil(over.then((end) => (end === 'left' ? lifeline.end(new Fault('client_closed', 'the downstream went away')) : lifeline.settle())))
  return new Response(readable, { status, headers })
}

function lengthOf(headers: Headers): number | undefined {
  const stated = headers.get('content-length')
  return stated !== null && /^\d{1,15}$/.test(stated) ? Number(stated) : undefined
}

async function dropped(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.()
}
