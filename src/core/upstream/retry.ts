import type { GrpcCall, GrpcStatus, HttpCall, Reply } from '../model/call.ts'
import type { Fault } from '../model/fault.ts'
import type { Retry } from '../model/route.ts'
import type { Clock } from '../ports.ts'
import { parseHttpDate } from './http-date.ts'
import type { Group } from './state.ts'

/** How one try came out. `ended` is the status of a gRPC reply that ended before its first message, where somebody looked. */
export type Outcome =
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'reply'; readonly reply: Reply; readonly ended: GrpcStatus | undefined }

/** So many requests may be repeated at once whatever the budget's share says. */
const smallestBudget = 3

const firstBackoffMs = 25
const longestBackoffMs = 1_000

/** Whether the budget has room for one more repetition. It is a share of what is under way, so retries never feed a collapse. */
export function mayRepeat(retry: Retry, group: Group): boolean {
  return group.retrying < Math.max(smallestBudget, Math.floor(retry.budget * group.active))
}

/** Full jitter: anywhere up to the doubling bound, so that failures at one moment are not repeated at one moment. */
export function backoffMs(tries: number, unit: number): number {
  return unit * Math.min(longestBackoffMs, firstBackoffMs * 2 ** (tries - 1))
}

/**
 * Whether the policy wants this outcome repeated, and whether that is safe. What was not sent can be sent again, but for a
 * gRPC stream, whose first messages are gone. What was sent is repeated for methods the policy names (with an Idempotency-Key: for those it names for that), for gRPC on UNAVAILABLE alone, and only
 * with a body that can be sent again.
 */
export function isRepeatable(outcome: Outcome, retry: Retry, call: HttpCall | GrpcCall, replayable: boolean): boolean {
  // The first messages of a stream may have been taken already, though nothing went out: a second try would lose them.
  if (call.kind === 'grpc' && !replayable) return false
  if (outcome.kind === 'fault' && outcome.fault.code === 'upstream_unavailable') return retry.on.includes('connect')
  if (!replayable) return false
  if (call.kind === 'grpc') return isUnavailable(outcome) && retry.on.includes('unavailable')
  return isWanted(outcome, retry) && isSafe(call, retry)
}

function isUnavailable(outcome: Outcome): boolean {
  if (outcome.kind === 'fault') return outcome.fault.code === 'upstream_reset'
  return outcome.ended?.code === 14
}

function isWanted(outcome: Outcome, retry: Retry): boolean {
  if (outcome.kind === 'fault') return outcome.fault.code === 'upstream_reset' && retry.on.includes('reset')
  if (outcome.reply.kind === 'grpc') return false
  const { status } = outcome.reply
  return retry.on.includes(status) || (status === 503 && retry.on.includes('unavailable'))
}

function isSafe(call: HttpCall, retry: Retry): boolean {
  if (retry.methods.includes(call.method)) return true
  return call.headers.has(retry.keyHeader ?? 'idempotency-key') && retry.withIdempotencyKey.includes(call.method)
}

/**
 * What the upstream says about when to come again, milliseconds: `Retry-After` as seconds or a date (RFC 9110 section 10.2.3), or gRPC's
 * `grpc-retry-pushback-ms`, where anything but a number means never. Undefined when it says nothing.
 */
export function pushbackMs(outcome: Outcome, clock: Pick<Clock, 'now'>): number | undefined {
  if (outcome.kind === 'fault') return undefined
  const { reply, ended } = outcome
  if (reply.kind === 'grpc') {
    const text = ended?.trailers.get('grpc-retry-pushback-ms')
    if (text === undefined) return undefined
    return /^\d{1,9}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
  }
  const text = reply.headers.get('retry-after')
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const date = parseHttpDate(text)
  return date === undefined ? undefined : Math.max(0, date - clock.now())
}
