/** Egress services that an operator has switched to another environment. */
export interface Switched {
  /** Revision of the policies as loaded. */
  readonly loaded: string
  readonly services: Readonly<Record<string, EgressSwitch>>
}

/** One switch that is in force. */
export interface EgressSwitch {
  /** 8 hex digits; part of the revision. */
  readonly id: string
  readonly service: string
  readonly environment: string
  /** Who asked, in their own words. */
  readonly by: string
  readonly reason: string
  /** Wall time, milliseconds. */
  readonly at: number
  /** Wall time, milliseconds, for people and for replicas that start later; a process that saw it begin measures by its monotonic clock. */
  readonly endsAt: number | undefined
}
