import type { GrpcReply, HttpReply, Reply } from '../../../model/call.ts'
import { Fault, type FaultCode } from '../../../model/fault.ts'
import type { Clock } from '../../../ports.ts'
import type { Outcome } from './canary.ts'

/** Codes by which a service says that it failed; all others say that the caller did, or that things stand so. */
const grpcErrors: ReadonlySet<number> = new Set([
  2, // UNKNOWN
  12, // UNIMPLEMENTED: a version that lost a method
  13, // INTERNAL
  14, // UNAVAILABLE
  15, // DATA_LOSS
])

/** DEADLINE_EXCEEDED: whether the service is to blame depends on how long it had. */
const lateCode = 4

/** Faults on the way to a service that no service is to blame for. */
const ownFaults: ReadonlySet<FaultCode> = new Set(['internal', 'config_quarantined', 'credential_unavailable', 'deadline_exhausted', 'drained'])

/** Runs `forward` and tells how it came out, once, when its answer has ended. What the downstream alone is to blame for is not told. */
export async function overheard(forward: () => Promise<Reply>, clock: Pick<Clock, 'ticks'>, tell: (outcome: Outcome) => void): Promise<Reply> {
  const from = clock.ticks()
  const fail = (error: unknown) => {
    const fault = Fault.from(error)
    if (fault.code === 'deadline_exceeded') tell({ kind: 'late', tookMs: clock.ticks() - from })
    else if (isError(fault)) tell({ kind: 'error' })
  }
  try {
    const reply = await forward()
    return reply.kind === 'grpc' ? overMessages(reply, () => clock.ticks() - from, tell, fail) : overBody(reply, clock.ticks() - from, tell, fail)
  } catch (error) {
    fail(error)
    throw error
  }
}

function isError({ status, code }: Fault): boolean {
  return status >= 500 && !ownFaults.has(code)
}

function overBody(reply: HttpReply, tookMs: number, tell: (outcome: Outcome) => void, fail: (error: unknown) => void): HttpReply {
  const ended = () => tell(reply.status >= 500 ? { kind: 'error' } : { kind: 'good', tookMs })
  if (reply.body === undefined || reply.body instanceof Uint8Array) {
    ended()
    return reply
  }
  return { ...reply, body: followed(reply.body, ended, fail) }
}

/** A unary call has answered when its status is there, a stream with its first message. */
function overMessages(reply: GrpcReply, since: () => number, tell: (outcome: Outcome) => void, fail: (error: unknown) => void): GrpcReply {
  let firstMs: number | undefined
  const ended = (whole: boolean) => {
    const tookMs = firstMs ?? since()
    const code = whole ? reply.status().code : 0
    if (code === lateCode) tell({ kind: 'late', tookMs: since() })
    else tell(grpcErrors.has(code) ? { kind: 'error' } : { kind: 'good', tookMs })
  }
  const messages = followed(reply.messages, ended, fail, () => {
    firstMs ??= since()
  })
  return { ...reply, messages }
}

/** The same items, and a word about their end: `whole` is false when the reader stopped before it. */
async function* followed<T>(
  source: AsyncIterable<T>,
  ended: (whole: boolean) => void,
  failed: (error: unknown) => void,
  item: () => void = () => {},
): AsyncGenerator<T> {
  let broken = false
  let whole = false
  try {
    for await (const one of source) {
      item()
      yield one
    }
    whole = true
  } catch (error) {
    broken = true
    failed(error)
    throw error
  } finally {
    if (!broken) ended(whole)
  }
}
