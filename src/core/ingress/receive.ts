import type { Arrived, Received } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type Receive = (x: Arrived) => Received
export declare function buildReceive(policy: Policy, ports: Pick<Ports, 'clock' | 'random'>): Receive
export declare function buildEgressReceive(policy: Policy, ports: Pick<Ports, 'clock' | 'random'>): Receive
