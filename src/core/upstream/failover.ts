import type { GrpcCall, HttpCall, Reply } from '../model/call.ts'
import type { Failover } from '../model/destination.ts'
import type { Arrived } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Retry } from '../model/retry.ts'
import { rejoin } from './relay.ts'
import { keepForReplay } from './replay.ts'
import { isRepeatable, type Outcome } from './retry.ts'

/** One request that may go to a second place. */
export interface Spared {
  readonly x: Pick<Arrived, 'sent'>
  readonly call: HttpCall | GrpcCall
  readonly failover: Failover
  /** Of the route: how bodies are kept. */
  readonly retry: Retry | undefined
  /** The first place may try more than once, for which it keeps a body: then there is nothing left of it to read here. */
  readonly repeats: boolean
  /** It means the same once and twice. */
  readonly safe: boolean
  readonly first: (call: HttpCall | GrpcCall) => Promise<Reply>
  readonly second: (call: HttpCall | GrpcCall) => Promise<Reply>
}

/**
 * Sends to the first place, and to the second when the first cannot take the request. Every request asks the first one first, so it has its
 * requests back as soon as it answers. The rules of repetition hold: what may have been done is not done twice.
 * @throws Fault what the first place met where the second must not be asked, else what the second met
 */
export async function sendWithSpare(job: Spared): Promise<Reply> {
  const again = asRetry(job)
  const { call, replayable } = await keepForReplay(job.call, job.repeats || job.failover.on.includes('unavailable') ? again : undefined)
  const outcome = await tried(job, call, job.safe && replayable && again.on.includes('unavailable'))
  if (!mayMove(outcome, job, again, call, replayable)) {
    if (outcome.kind === 'fault') throw outcome.fault
    return outcome.reply
  }
  if (outcome.kind === 'reply') await letGo(outcome.reply)
  return await job.second(call)
}

function asRetry({ failover, retry }: Spared): Retry {
  const on = failover.on.flatMap((condition) => (condition === 'overloaded' ? [] : [condition]))
  return {
    attempts: 1,
    on,
    budget: 0,
    methods: [],
    withIdempotencyKey: [],
    maxRetryAfterMs: 0,
    ...(retry?.bodies === undefined ? {} : { bodies: retry.bodies }),
  }
}

async function tried({ first }: Spared, call: HttpCall | GrpcCall, look: boolean): Promise<Outcome> {
  try {
    const reply = await first(call)
    if (!look || reply.kind === 'http') return { kind: 'reply', reply, ended: undefined }
    // A gRPC call can be judged only when its first message or its end has come.
    const rest = reply.messages[Symbol.asyncIterator]()
    const head = await rest.next()
    return { kind: 'reply', reply: { ...reply, messages: rejoin(head, rest) }, ended: head.done === true ? reply.status() : undefined }
  } catch (error) {
    return { kind: 'fault', fault: Fault.from(error), tooLong: false }
  }
}

function mayMove(outcome: Outcome, { x, failover, safe }: Spared, again: Retry, call: HttpCall | GrpcCall, replayable: boolean): boolean {
  if (outcome.kind === 'fault') {
    // Refused before it was sent, by a cap on requests or (in its one try) on connections: nothing of the call is gone, not even of a stream.
    if (outcome.fault.code === 'overloaded') return failover.on.includes('overloaded') && (x.sent === undefined || x.sent.attempts === 1)
    // A breaker that is open says that connecting, or asking, is in vain. After a try it refuses only what could be repeated.
    if (outcome.fault.code === 'circuit_open') return failover.on.includes('connect') || failover.on.includes('unavailable')
    if (outcome.fault.code === 'upstream_unavailable' && x.sent === undefined) return failover.on.includes('connect')
  }
  return isRepeatable(outcome, again, call, { replayable, safe })
}

async function letGo(reply: Reply): Promise<void> {
  const source = reply.kind === 'grpc' ? reply.messages : reply.body
  if (source === undefined || source instanceof Uint8Array) return
  await source[Symbol.asyncIterator]().return?.()
}
