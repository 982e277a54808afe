import type { Addressed, Allowed } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'

export type PermitCall = (x: Addressed) => Allowed | Promise<Allowed>
export declare function buildPermit(policy: Policy): PermitCall
