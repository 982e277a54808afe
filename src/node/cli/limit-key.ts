import type { LimitReset, LimitStanding } from '../counters.ts'

/** What a command does with the key that the command line names. Rejects with UsageError for what is written wrong, with Error when nobody answers. */
export interface LimitKey {
  /** Every limit with such a key. */
  standings(): Promise<readonly LimitStanding[]>
  /** Gives one limit back what the key has used. */
  reset(limit: string, who: { readonly by: string; readonly reason: string | undefined }): Promise<LimitReset>
  /** Counted in Redis, or asked of a gateway. */
  readonly where: 'redis' | 'gateway'
}
