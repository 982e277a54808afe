import type { Identified, Permitted } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type Authorize = (x: Identified) => Permitted | Promise<Permitted>
export declare function buildAuthorize(policy: Policy, ports: Pick<Ports, 'clock'>): Authorize
