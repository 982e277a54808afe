import type { Allowed, Placed } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type Place = (x: Allowed) => Placed
export declare function buildPlace(policy: Policy, ports: Pick<Ports, 'resolve' | 'clock'>): Place
