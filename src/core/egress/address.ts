import type { Addressed, Attributed } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'

export type Address = (x: Attributed) => Addressed
export declare function buildAddress(policy: Policy): Address
