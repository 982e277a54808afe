import type { Reply } from '../model/call.ts'
import type { Arrived, Credentialed } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'

export declare function buildAnswer(policy: Policy): (x: Credentialed, reply: Reply) => Outbound
/** The only place of the egress wing where a fault becomes an answer. */
export declare function buildRefuse(policy: Policy): (last: Arrived & Partial<Credentialed>, fault: Fault) => Outbound
