import type { Metered, Steered } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type Steer = (x: Metered) => Steered
export declare function buildSteer(policy: Policy, ports: Pick<Ports, 'random'>): Steer
