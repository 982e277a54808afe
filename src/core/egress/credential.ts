import type { Credentialed, PlacedLive } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export type AddCredential = (x: PlacedLive) => Credentialed | Promise<Credentialed>
/** The only room whose ports name secrets. */
export declare function buildCredential(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'fetch' | 'secrets' | 'resolve' | 'meter'>): AddCredential
