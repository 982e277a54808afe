import type { Attributed, Received } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'

export type Attribute = (x: Received) => Attributed
export declare function buildAttribute(policy: Policy): Attribute
