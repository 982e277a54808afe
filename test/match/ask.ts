import { buildMatch } from '../../src/core/ingress/match.ts'
import { buildReceive } from '../../src/core/ingress/receive.ts'
import { type Matched, openExchange, type Received } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Route } from '../../src/core/model/route.ts'
import { type ArrivalOptions, arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { testListener, testPolicy } from '../support/routes.ts'

export interface Asking {
  readonly headers?: Readonly<Record<string, string>>
  readonly host?: string
  readonly options?: ArrivalOptions
}

const receive = buildReceive(
  testPolicy({ listeners: { public: testListener({ limits: { ...testListener().limits, bodyBytes: 1e9 } }), egress: undefined, admin: undefined } }),
  fakePorts(),
)

/** A request as `receive` hands it over. */
export function received(method: string, target: string, { headers = {}, host = 'api.example.com', options = {} }: Asking = {}): Received {
  const pairs = Object.entries(headers)
  return receive(openExchange(arrival(method, target, [['host', host], ...pairs], options), 'r'))
}

/** Asks routes as the walk does: through `receive`, then `match`. */
export function asker(routes: readonly Route[]): (method: string, target: string, asking?: Asking) => Matched {
  const match = buildMatch(testPolicy({ routes }))
  return (method, target, asking) => match(received(method, target, asking))
}

/** The fault that `run` throws. */
export function faultOf(run: () => unknown): Fault {
  try {
    run()
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
