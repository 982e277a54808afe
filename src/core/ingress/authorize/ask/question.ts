import type { GrpcCall, HttpCall, Reply } from '../../../model/call.ts'
import type { Lifeline } from '../../../model/lifeline.ts'
import type { Inputs } from './inputs.ts'

/** What a decision point said. */
export interface Answer {
  readonly allowed: boolean
  /** Its own words, shortened. */
  readonly reason: string | undefined
  /** How long it wants the answer to hold; it can only shorten what the policies say. Milliseconds. */
  readonly ttlMs: number | undefined
  /** The status it would refuse with. */
  readonly status: number | undefined
  /** Its `www-authenticate`. */
  readonly challenge: string | undefined
  /** Headers for the upstream, those that it may give. */
  readonly given: readonly (readonly [name: string, value: string])[]
}

/** When a question must be over: monotonic milliseconds, and a lifeline of its own. */
export interface Until {
  readonly deadline: number
  readonly lifeline: Lifeline
}

/** Asks one decision point. @throws Error with what went wrong; that is no answer. */
export type Question = (inputs: Inputs, until: Until) => Promise<Answer>

/** A call of the gateway's own to a cluster, through the way out of the house. */
export type Consult = (cluster: string, call: HttpCall | GrpcCall, until: Until) => Promise<Reply>

/** A bare yes or no. */
export function plainAnswer(allowed: boolean, reason?: string): Answer {
  return { allowed, reason: reason === undefined ? undefined : shortened(reason), ttlMs: undefined, status: undefined, challenge: undefined, given: [] }
}

/** Words of a stranger, for a record: one line, at most 200 characters; undefined when nothing is left. */
export function shortened(text: string): string | undefined {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return line === '' ? undefined : line.slice(0, 200)
}
