import type { Lasting } from '../../ports.ts'
import { Shared } from '../shared.ts'
import type { Shield } from './shield.ts'

/** What protects clusters, subsets and egress targets, by place: it outlives snapshots. The one state of this process. */
export function shieldState(lasting: Lasting): Shared<Shield> {
  return lasting('upstream.shields', () => new Shared<Shield>())
}
