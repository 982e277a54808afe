import * as z from 'zod'
import { defaulted, describe, overridable } from './build.ts'
import { durationBetween, percent, stickyKey } from './fields.ts'

const kind = z.enum(['round_robin', 'least_request', 'peak_ewma', 'random', 'ring_hash', 'maglev'])

/** Which endpoint of a cluster gets the next request: a name, or more. */
export const balance = z.union([
  kind,
  z.strictObject({
    policy: describe(overridable(kind), 'Which endpoint gets the next request.'),
    key: describe(overridable(stickyKey).optional(), 'With ring_hash and maglev: whose requests go to one endpoint.'),
    slowStart: describe(overridable(durationBetween('1s', '1h')).optional(), 'How long a new or returned endpoint takes to its full weight; without it none.'),
    panic: defaulted(overridable(percent), 'clusters.balance.panic', 'With a smaller share of healthy endpoints all of them are used; 0% for never.'),
    zones: defaulted(
      overridable(z.enum(['local', 'any'])),
      'clusters.balance.zones',
      "local: endpoints in the gateway's own zone (SALLYPORT_ZONE) first, as far as they can take it.",
    ),
  }),
])

export type BalanceDocument = z.output<typeof balance>
