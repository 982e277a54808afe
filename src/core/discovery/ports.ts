import type { Clock, Files, Follow, Names, Random, Secrets } from '../ports.ts'

/** What finding endpoints asks of the ground. */
export interface DiscoveryPorts {
  readonly clock: Clock
  readonly random: Random
  readonly secrets: Secrets
  readonly names: Names
  readonly follow: Follow
  readonly files: Files
}
