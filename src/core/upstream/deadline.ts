import type { GrpcCall, HttpCall } from '../model/call.ts'
import { Fault } from '../model/fault.ts'

/** When one request must be over, in monotonic milliseconds. */
export interface Deadline {
  /** The earlier of what the downstream stated and what the policy allows. */
  readonly at: number
  /**
   * `whole`: the answer must be complete by then. `headers`: an HTTP answer must have begun. `message`: a stream's first message must be
   * there. `upgrade`: the protocol must have been changed. After the last three only silence is limited.
   */
  readonly until: 'whole' | 'headers' | 'message' | 'upgrade'
}

/**
 * The deadline of a call. What the downstream stated bounds the whole answer. The policy's timeout bounds a unary RPC whole, of anything
 * longer only the wait for its beginning: downloads and streams may take their time. Of a connection that changes its protocol both bound the handshake alone.
 */
export function deadlineOf(stated: number, policyAt: number, call: HttpCall | GrpcCall): Deadline {
  const at = Math.min(stated, policyAt)
  if (call.kind === 'http' && call.upgrade !== undefined) return { at, until: 'upgrade' }
  if (Number.isFinite(stated)) return { at, until: 'whole' }
  if (call.kind === 'http') return { at, until: 'headers' }
  return { at, until: call.serverStream ? 'message' : 'whole' }
}

/** Whether the upstream may be told of it: it would cut what may run on. */
export function isTold({ until }: Deadline): boolean {
  return until !== 'message' && until !== 'upgrade'
}

/** Whole milliseconds that are left before something is sent, rounded down. @throws Fault `deadline_exhausted` when there is not even one. */
export function remainingMs(deadline: Deadline, now: number): number {
  const left = Math.floor(deadline.at - now)
  if (left < 1) throw new Fault('deadline_exhausted', 'no time is left')
  return left
}

const coarser = [
  ['m', 1],
  ['S', 1_000],
  ['M', 60_000],
  ['H', 3_600_000],
] as const

/**
 * A `grpc-timeout` value: at most eight digits and a unit (gRPC over HTTP/2, Timeout), in the finest unit that fits and never more
 * than `ms`.
 */
export function grpcTimeout(ms: number): string {
  for (const [unit, size] of coarser) {
    const value = Math.floor(ms / size)
    if (value <= 99_999_999) return `${value}${unit}`
  }
  return '99999999H'
}
