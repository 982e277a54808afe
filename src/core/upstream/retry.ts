import type { GrpcCall, GrpcStatus, HttpCall, Reply } from '../model/call.ts'
import type { Fault } from '../model/fault.ts'
import type { GrpcCondition, Retry } from '../model/retry.ts'
import type { Route } from '../model/route.ts'
import type { Inbound } from '../model/wire.ts'
import type { Clock } from '../ports.ts'
import { parseHttpDate } from './http-date.ts'
import type { Group } from './state.ts'

/**
 * How one try came out. `ended` is the status of a gRPC reply that ended before its first message, where somebody looked; `tooLong`: the try was
 * cut by its own limit.
 */
export type Outcome =
  | { readonly kind: 'fault'; readonly fault: Fault; readonly tooLong: boolean }
  | { readonly kind: 'reply'; readonly reply: Reply; readonly ended: GrpcStatus | undefined }

/** Which calls may be sent more than once, although something of them was sent. */
export interface Repeatable {
  /** The body is there to be sent again. */
  readonly replayable: boolean
  /** It means the same once and twice. */
  readonly safe: boolean
}

/** So many requests may be repeated at once whatever the budget's share says. */
const smallestBudget = 3

const firstBackoffMs = 25
const longestBackoffMs = 1_000

const codes: Readonly<Record<number, GrpcCondition | 'unavailable'>> = {
  1: 'cancelled',
  2: 'unknown',
  4: 'deadline_exceeded',
  8: 'resource_exhausted',
  10: 'aborted',
  13: 'internal',
  14: 'unavailable',
  15: 'data_loss',
}

/**
 * Whether the budget has room for one more repetition. It is a share of what is under way, so retries never feed a collapse. `cap`: of the
 * cluster, whatever the route says.
 */
export function mayRepeat(retry: Retry, group: Group, cap = Number.POSITIVE_INFINITY): boolean {
  return group.retrying < Math.min(cap, Math.max(smallestBudget, Math.floor(retry.budget * group.active)))
}

/** Full jitter: anywhere up to the doubling bound, so that failures at one moment are not repeated at one moment. */
export function backoffMs(tries: number, unit: number): number {
  return unit * Math.min(longestBackoffMs, firstBackoffMs * 2 ** (tries - 1))
}

/**
 * Whether the policy wants this outcome repeated, and whether that is safe. What was not sent can be sent again, but for a gRPC stream, whose
 * first messages are gone. What was sent is repeated only where that means the same, and only with a body that can be sent again.
 */
export function isRepeatable(outcome: Outcome, retry: Retry, call: HttpCall | GrpcCall, { replayable, safe }: Repeatable): boolean {
  // The first messages of a stream may have been taken already, though nothing went out: a second try would lose them.
  if (call.kind === 'grpc' && !replayable) return false
  if (isUnsent(outcome)) return retry.on.includes('connect')
  return replayable && safe && isWanted(outcome, retry, call)
}

/** Nothing of it went out: no connection, or the upstream refused it unread. */
export function isUnsent(outcome: Outcome): boolean {
  return outcome.kind === 'fault' && outcome.fault.code === 'upstream_unavailable'
}

function isWanted(outcome: Outcome, { on }: Retry, call: HttpCall | GrpcCall): boolean {
  if (outcome.kind === 'fault') {
    if (outcome.tooLong) return on.includes('deadline')
    // To a gRPC caller it is UNAVAILABLE.
    return outcome.fault.code === 'upstream_reset' && (on.includes('reset') || (call.kind === 'grpc' && on.includes('unavailable')))
  }
  if (outcome.reply.kind === 'grpc') {
    const name = outcome.ended === undefined ? undefined : codes[outcome.ended.code]
    return name !== undefined && on.includes(name)
  }
  const { status } = outcome.reply
  return on.includes(status) || (status === 503 && on.includes('unavailable'))
}

/** Whether an answer is one that another try under way could better. */
export function isBad(outcome: Outcome): boolean {
  if (outcome.kind === 'fault') return true
  if (outcome.reply.kind === 'http') return outcome.reply.status >= 500
  return outcome.ended !== undefined && codes[outcome.ended.code] !== undefined
}

/** Whether gRPC's codes matter to the policy: then the end of a reply without messages is looked at before it counts. */
export function looksAtCodes({ on }: Retry): boolean {
  return on.some((condition) => typeof condition === 'string' && condition !== 'connect' && condition !== 'reset' && condition !== 'deadline')
}

/** What may be sent twice where the route does not say it: as `retry:` has it without saying more. */
const harmless: Pick<Retry, 'methods' | 'withIdempotencyKey'> = { methods: ['GET', 'HEAD'], withIdempotencyKey: ['POST', 'PATCH', 'PUT', 'DELETE'] }

const neither = { plain: false, keyed: false } as const

/** Paths of RPCs that mean the same once and twice, by route: their descriptors say so, or the policies do. */
const safeRpcs = new WeakMap<Route, ReadonlySet<string>>()

/**
 * Whether the call means the same once and twice. `plain`: by its method as the downstream sent it, or by what is declared of the RPC. `keyed`: or
 * because of an Idempotency-Key that the upstream gets.
 */
export function safetyOf({ route, request }: Asked, call: HttpCall | GrpcCall): { readonly plain: boolean; readonly keyed: boolean } {
  // A connection that changes its protocol is no request that could be repeated.
  if (call.kind === 'http' && call.upgrade !== undefined) return neither
  const { methods, withIdempotencyKey } = route.retry ?? harmless
  const method = call.kind === 'http' ? call.method : request.method
  const fields = call.kind === 'http' ? call.headers : call.metadata
  const plain = methods.includes(method) || (call.kind === 'grpc' && safeRpcsOf(route).has(call.path))
  return { plain, keyed: plain || (fields.has('idempotency-key') && withIdempotencyKey.includes(method)) }
}

interface Asked {
  readonly route: Route
  readonly request: Pick<Inbound, 'method'>
}

/** The same of a call to a third party. */
export function isSafeOut(call: HttpCall, retry: Retry | undefined): boolean {
  if (retry === undefined) return false
  return retry.methods.includes(call.method) || (call.headers.has(retry.keyHeader ?? 'idempotency-key') && retry.withIdempotencyKey.includes(call.method))
}

function safeRpcsOf(route: Route): ReadonlySet<string> {
  const there = safeRpcs.get(route)
  if (there !== undefined) return there
  const named = new Set(route.retry?.rpcs)
  const rpcs = route.match.grpc?.rpcs ?? []
  const found = new Set(rpcs.filter(({ method, noSideEffects, idempotent }) => noSideEffects || idempotent || named.has(method)).map(({ path }) => path))
  safeRpcs.set(route, found)
  return found
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
