import type { Reply } from '../model/call.ts'
import type { Arrived, Translated } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'

export type Respond = (x: Translated, reply: Reply) => Outbound | Promise<Outbound>
export type Rescue = (last: Arrived & Partial<Translated>, fault: Fault) => Outbound
export declare function buildRespond(policy: Policy): Respond
/** The only place of the ingress wing where a fault becomes an answer, in the downstream's dialect. */
export declare function buildRescue(policy: Policy): Rescue
