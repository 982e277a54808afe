import type { Matched, Received } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'

export type Match = (x: Received) => Matched
export declare function buildMatch(policy: Policy): Match
