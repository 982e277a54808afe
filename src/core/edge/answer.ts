import type { Reply } from '../model/call.ts'
import type { Vouched } from '../model/exchange.ts'
import { Fault, type FaultCode } from '../model/fault.ts'
import { endToEnd } from '../model/hop-by-hop.ts'
import type { Outbound } from '../model/wire.ts'

/** Statuses that no gateway sends: the network between says with them that it did not reach it (Cloudflare's 5xx errors). */
const networkFaults: ReadonlyMap<number, FaultCode> = new Map([
  [520, 'upstream_protocol'],
  [521, 'upstream_unavailable'],
  [522, 'upstream_unavailable'],
  [523, 'upstream_unavailable'],
  [524, 'deadline_exceeded'],
  [525, 'upstream_unavailable'],
  [526, 'upstream_unavailable'],
  [530, 'upstream_unavailable'],
])

/**
 * The gateway's answer as it is, under the id that the edge gave the request. The gateway's own word on limits stands: it counts exactly.
 * @throws Fault when the network in between answered instead of the gateway.
 */
export async function answerFrom(x: Vouched, reply: Reply): Promise<Outbound> {
  if (reply.kind !== 'http') throw new Error('an edge speaks HTTP to its origin')
  const lost = networkFaults.get(reply.status)
  if (lost !== undefined) {
    await dropped(reply.body)
    throw new Fault(lost, 'the gateway behind this edge cannot be reached', { internal: `the network answered ${reply.status}` })
  }
  const headers = endToEnd(reply.headers).without((name) => name === 'server' || name === 'alt-svc')
  return { ...reply, headers: headers.set('x-request-id', x.id) }
}

/** Lets go of a body that nobody gets. */
async function dropped(body: Outbound['body']): Promise<void> {
  if (body !== undefined && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.()
}
