import { buildEgressReceive, buildReceive, type Receive } from '../../src/core/ingress/receive.ts'
import { openExchange, type Received } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { PublicListener } from '../../src/core/policy/linked/listeners.ts'
import { type ArrivalOptions, arrival, type HeaderInput } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { testListener, testPolicy, testRoute } from '../support/routes.ts'

export type Send = (method: string, target: string, headers?: HeaderInput, options?: ArrivalOptions) => Received

function sender(receive: Receive): Send {
  return (method, target, headers, options) => receive(openExchange(arrival(method, target, headers, options), 'r'))
}

/** The guard of a public listener that trusts 10.0.0.0/8, in front of routes that hand on `x-user-id`, and of one with a body limit of 2 MiB. */
export function guard(listener: Partial<PublicListener> = {}): Send {
  const policy = testPolicy({
    listeners: { public: testListener({ trustedProxies: ['10.0.0.0/8', '2001:db8:a::/48'], ...listener }), egress: undefined, admin: undefined },
    routes: [
      testRoute('claims', { path: '/claims' }, { handOn: { token: false, claims: [{ header: 'X-User-Id', claim: 'sub' }] } }),
      testRoute('upload', { path: '/upload' }, { bodyLimit: 2 * 1024 * 1024 }),
    ],
  })
  return sender(buildReceive(policy, fakePorts()))
}

export function egressGuard(): Send {
  return sender(buildEgressReceive(testPolicy(), fakePorts()))
}

/** `passes`, or the code of the fault with ` close` when the connection ends with it. */
export function verdict(run: () => unknown): string {
  try {
    run()
    return 'passes'
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return error.detail.close === true ? `${error.code} close` : error.code
  }
}

/** Names and values as the rooms behind the guard see them. */
export function kept(x: Received): readonly (readonly [string, string])[] {
  return [...x.request.headers.entries()]
}
