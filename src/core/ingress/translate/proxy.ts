import { capped } from '../../model/body.ts'
import type { HttpCall } from '../../model/call.ts'
import type { Introduced } from '../../model/exchange.ts'
import { endToEnd } from '../../model/hop-by-hop.ts'
import { passedAs } from '../../model/upgrade.ts'
import { buildWithheld, handedOn } from './handed-on.ts'

/** Framing and addressing are the channel's own: it writes them from the call. */
const framing: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])

/** The request as it goes to an HTTP upstream: canonical path, raw query, end-to-end fields, the body as it comes. */
export function httpCall(x: Introduced, scheme: 'http' | 'https', authority: string, bodyLimit: number): HttpCall {
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
    upgrade: passageOf(x),
  }
}

function passageOf({ arrival, request, route }: Introduced): HttpCall['upgrade'] {
  const { upgrade } = request
  if (upgrade === undefined) return undefined
  const protocol = passedAs(route, upgrade)
  if (protocol === undefined || route.upgrade === undefined || arrival.socket === undefined)
    throw new Error('a change of protocol that the route does not pass on')
  return { ...upgrade, protocol, ...arrival.socket.pass(route.upgrade) }
}
