import * as z from 'zod'
import { protocolName } from '../../model/upgrade.ts'
import { defaulted, describe } from './build.ts'
import { durationBetween } from './fields.ts'

const protocol = z
  .string()
  .regex(protocolName)
  .meta({ title: 'name of a protocol', examples: ['websocket', 'tcp'] })

const protocols = z.array(protocol).min(1)

/** `upgrade` of a route: connections that become something else than HTTP. */
export const upgrade = z.union([
  protocols,
  z.strictObject({
    protocols: describe(protocols, 'Protocols that the upstream may be asked for: websocket, or others by name.'),
    idle: defaulted(durationBetween('1s', '7d'), 'routes.upgrade.idle', 'A connection that is silent for longer in both directions is closed.'),
    lifetime: describe(durationBetween('1s', '7d').optional(), 'The longest that a connection lives, whatever is said; without it any time.'),
  }),
])
