import type { Identified, Matched } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type Identify = (x: Matched) => Identified | Promise<Identified>
export declare function buildIdentify(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'digest' | 'fetch' | 'store' | 'meter'>): Identify
