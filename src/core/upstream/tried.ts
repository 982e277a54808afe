import type { FaultCode } from '../model/fault.ts'
import { sampleAnswer, sampleFailure, samplePatience, sampleTypical } from './balance/times.ts'
import type { Member } from './state.ts'

/**
 * What became of one try at one endpoint, as averages, health and breakers judge it. Of one try at most one `answer`, and after it or in its
 * place at most one `whole`, `status` or `fault`. What the downstream alone is to blame for is not told. `now`: monotonic milliseconds.
 */
export type Tried = {
  readonly now: number
} /** Response headers are here, so long after the beginning. `status`: of HTTP; undefined for gRPC, whose status comes last. */ & (
  | { readonly kind: 'answer'; readonly tookMs: number; readonly status: number | undefined }
  /** A good answer flows for a while, or its reader has left it: more may follow, but it shows that the endpoint works. */
  | { readonly kind: 'lasting' }
  /** All of an HTTP answer has come. */
  | { readonly kind: 'whole'; readonly status: number }
  /** The gRPC status at the end. */
  | { readonly kind: 'status'; readonly code: number }
  /** No answer, or (`begun`) not all of one; so long after the beginning. `own`: at the limit that the policies set for one try. */
  | { readonly kind: 'fault'; readonly tookMs: number; readonly code: FaultCode; readonly begun: boolean; readonly own?: boolean }
)

/** Takes note of a try. */
export type Note = (member: Member, tried: Tried) => void

/** How long an endpoint takes to answer: noted of every one. */
export const noteTimes: Note = (member, tried) => {
  if (tried.kind === 'answer') {
    sampleAnswer(member, tried.tookMs, tried.now)
    if (tried.status === undefined || tried.status < 500) sampleTypical(member, tried.tookMs)
  }
  if (tried.kind === 'fault' && tried.code === 'deadline_exceeded') samplePatience(member, tried.tookMs, tried.now)
  else if (tried.kind === 'fault' && !tried.begun) sampleFailure(member, tried.tookMs, tried.now)
}

/** Tells two. */
export function both(first: Note, second: Note): Note {
  return (member, tried) => {
    first(member, tried)
    second(member, tried)
  }
}
