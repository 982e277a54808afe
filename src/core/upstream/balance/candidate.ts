import type { Member } from '../state.ts'

/** A member of one endpoint set. */
export interface Candidate {
  readonly member: Member
  /** Positive. */
  readonly weight: number
  /** Where it runs, as its source says. */
  readonly zone?: string | undefined
  /** What its source says of it. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Of the weighted round robin: how much of a turn it has yet to wait. */
  score: number
}
