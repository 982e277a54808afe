import type { Ports } from '../../ports.ts'
import { KeySets } from './key-sets.ts'

export type IdentifyPorts = Pick<Ports, 'clock' | 'random' | 'digest' | 'fetch' | 'secrets' | 'shared' | 'store' | 'lasting' | 'meter' | 'journal'>

/** The key sets of this process: their status for readiness, and `warm` to fetch them before the first request. */
export function keySetsOf(ports: IdentifyPorts): KeySets {
  return ports.lasting('identify.keySets', () => new KeySets(ports))
}
