import type { Placed } from '../model/exchange.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type Mock = (x: Placed) => Outbound | Promise<Outbound>
export declare function buildMock(policy: Policy, ports: Pick<Ports, 'clock'>): Mock
