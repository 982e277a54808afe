import type { FaultCode } from '../model/fault.ts'
import { sampleAnswer, sampleFailure } from './balance.ts'
import type { Member } from './state.ts'

/**
 * What became of one try at one endpoint, as averages, health and breakers judge it. Of one try at most one `answer`, and after it or in its
 * place at most one `status` or `fault`. What the downstream alone is to blame for is not told. `now`: monotonic milliseconds.
 */
export type Tried = {
  readonly now: number
} /** Response headers are here, so long after the beginning. `status`: of HTTP; undefined for gRPC, whose status comes last. */ & (
  | { readonly kind: 'answer'; readonly tookMs: number; readonly status: number | undefined }
  /** The gRPC status at the end. */
  | { readonly kind: 'status'; readonly code: number }
  /** No answer, or (`begun`) not all of one; so long after the beginning. */
  | { readonly kind: 'fault'; readonly tookMs: number; readonly code: FaultCode; readonly begun: boolean }
)

/** Takes note of a try. */
export type Note = (member: Member, tried: Tried) => void

/** How long an endpoint takes to answer: noted of every one. */
export const noteTimes: Note = (member, tried) => {
  if (tried.kind === 'answer') sampleAnswer(member, tried.tookMs, tried.now)
  else if (tried.kind === 'fault' && !tried.begun) sampleFailure(member, tried.tookMs, tried.now)
}
