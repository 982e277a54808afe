import type { Metered, Permitted } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type Limit = (x: Permitted) => Metered | Promise<Metered>
export declare function buildLimit(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'counters' | 'meter'>): Limit
