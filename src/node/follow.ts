import { Fault } from '../core/model/fault.ts'
import { FieldList } from '../core/model/fields.ts'
import type { Lifeline } from '../core/model/lifeline.ts'
import type { Follow, FollowRequest } from '../core/ports.ts'
import type { DialPorts } from './channels/dial.ts'
import { openHttp1 } from './channels/http1.ts'
import { endpointOf, recordOf } from './fetch.ts'

/**
 * GET requests of the gateway's own whose answers go on (watches, blocking queries): one connection each, through the same dialler as
 * everything else. Redirects are answers like any other.
 * @throws Fault as channels do, `deadline_exceeded` without headers in time; Error for a URL that is not http(s).
 */
export function createFollow(ports: DialPorts): Follow {
  return async (request) => {
    const url = new URL(request.url)
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new Error(`${url.protocol} is not a protocol to fetch over`)
    request.lifeline.check()
    const wire = openHttp1(endpointOf(url, { timeoutMs: request.timeoutMs }, { ca: request.ca }), ports)
    try {
      const reply = await wire.http(callOf(url, request), {
        lifeline: request.lifeline,
        deadline: ports.clock.ticks() + request.timeoutMs,
        idleMs: request.idleMs,
        messageLimit: 0,
      })
      const chunks = ending(reply.body ?? new Uint8Array(), request.lifeline, () => wire.close())
      return { status: reply.status, headers: recordOf(reply.headers), chunks }
    } catch (error) {
      wire.close()
      throw error
    }
  }
}

function callOf(url: URL, { headers }: FollowRequest) {
  return {
    kind: 'http',
    method: 'GET',
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    authority: url.host,
    target: `${url.pathname}${url.search}`,
    headers: new FieldList(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)),
    body: undefined,
  } as const
}

/** The body, which lets go of its connection however it ends, and which nobody reads on once the lifeline ended. */
async function* ending(body: Uint8Array | AsyncIterable<Uint8Array>, lifeline: Lifeline, close: () => void): AsyncGenerator<Uint8Array> {
  try {
    if (body instanceof Uint8Array) {
      if (body.byteLength > 0) yield body
      return
    }
    for await (const chunk of body) {
      if (lifeline.ended !== undefined) throw lifeline.ended
      yield chunk
    }
  } catch (error) {
    throw Fault.from(error)
  } finally {
    close()
  }
}
