import type { GrpcCall, GrpcReply, HttpCall, Reply } from '../model/call.ts'
import type { Arrived } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Lifeline } from '../model/lifeline.ts'
import type { Retry } from '../model/route.ts'
import type { MetricName } from '../observe/metrics.ts'
import type { Clock, Ports } from '../ports.ts'
import { attempt } from './attempt.ts'
import type { Balance, Candidate } from './balance.ts'
import { type Deadline, isTold, remainingMs } from './deadline.ts'
import type { Wait } from './discovery/wait.ts'
import { type HandOver, handOver } from './mesh.ts'
import { rejoin } from './relay.ts'
import { keepForReplay } from './replay.ts'
import { backoffMs, isRepeatable, mayRepeat, type Outcome, pushbackMs } from './retry.ts'
import type { Group, Member } from './state.ts'
import type { Note } from './tried.ts'

/** One request on its way out: where it may go, until when, and how often. */
export interface Shipment {
  readonly x: Pick<Arrived, 'lifeline' | 'sent'>
  readonly call: HttpCall | GrpcCall
  /** The cluster or egress service, for the metrics. */
  readonly label: string
  readonly group: Group
  /** Most requests under way in the group. */
  readonly cap: number
  readonly candidates: (wait: Wait) => readonly Candidate[] | Promise<readonly Candidate[]>
  readonly balance: Balance
  /** By what hashing balancers choose. */
  readonly key?: string | undefined
  readonly note: Note
  readonly deadline: Deadline
  readonly hand: HandOver
  readonly retry: Retry | undefined
  readonly idleMs: number
}

type SendPorts = Pick<Ports, 'clock' | 'random' | 'meter'>

const names = {
  retries: 'sallyport_upstream_retries_total',
  active: 'sallyport_upstream_active_requests',
} as const satisfies Record<string, MetricName>

/**
 * Sends a shipment, again where the policy wants it and it is safe, and hands back the first answer that stands.
 * @throws Fault `overloaded` over the cap, `deadline_exceeded` without dialling when no time is left, or what the last try met.
 */
export async function send(job: Shipment, ports: SendPorts): Promise<Reply> {
  const { group, label } = job
  remainingMs(job.deadline, ports.clock.ticks())
  if (group.active >= job.cap) {
    throw new Fault('overloaded', 'too many requests are under way', { headers: [['retry-after', '1']], internal: `cap of ${label} reached` })
  }
  const count = (by: 1 | -1) => {
    group.active += by
    ports.meter.gauge(names.active, group.active, { cluster: label })
  }
  count(1)
  const hold = { tries: 1, over: false }
  // The request counts until nothing of it is under way: neither a try whose answer still flows, nor the loop that may start one.
  const leave = () => {
    hold.tries -= 1
    if (hold.tries === 0) count(-1)
  }
  const enter = () => {
    hold.tries += 1
    return leave
  }
  try {
    return await tryAndRepeat(job, ports, enter)
  } finally {
    leave()
  }
}

async function tryAndRepeat(job: Shipment, ports: SendPorts, enter: () => () => void): Promise<Reply> {
  const { group, retry } = job
  const { call, replayable } = await keepForReplay(job.call, retry)
  const tried = new Set<Member>()
  let repeating = false
  try {
    for (let tries = 1; ; tries += 1) {
      const outcome = await tryOnce({ ...job, call }, tried, tries, ports, enter, replayable)
      const waitMs = retry === undefined || tries > retry.attempts ? undefined : pauseMs(outcome, retry, tries, job, replayable, ports)
      if (retry === undefined || waitMs === undefined || (!repeating && !mayRepeat(retry, group))) return standing(outcome)
      if (!repeating) group.retrying += 1
      repeating = true
      await discard(outcome)
      ports.meter.count(names.retries, { cluster: job.label })
      await pause(waitMs, job.x.lifeline, ports.clock)
    }
  } finally {
    if (repeating) group.retrying -= 1
  }
}

async function tryOnce(job: Shipment, tried: Set<Member>, tries: number, ports: SendPorts, enter: () => () => void, replayable: boolean): Promise<Outcome> {
  const { x, deadline } = job
  x.lifeline.check()
  const { member } = job.balance(await job.candidates({ lifeline: x.lifeline, deadline: deadline.at }), job.key, tried)
  const leftMs = remainingMs(deadline, ports.clock.ticks())
  tried.add(member)
  Object.assign(x, { sent: { endpoint: member.name, attempts: tries, startedAt: x.sent?.startedAt ?? ports.clock.ticks() } })
  const call = handOver(job.call, isTold(deadline) ? leftMs : undefined, job.hand, job.retry !== undefined)
  const { idleMs, label } = job
  try {
    const reply = await attempt({ call, member, deadline, idleMs, lifeline: x.lifeline, label, note: job.note }, ports, enter())
    const mayFollow = replayable && job.retry !== undefined && tries <= job.retry.attempts && job.retry.on.includes('unavailable')
    return mayFollow && reply.kind === 'grpc' ? await peek(reply) : { kind: 'reply', reply, ended: undefined }
  } catch (error) {
    return { kind: 'fault', fault: Fault.from(error) }
  }
}

/** A gRPC reply can be judged only when its first message or its end has come. */
async function peek(reply: GrpcReply): Promise<Outcome> {
  const rest = reply.messages[Symbol.asyncIterator]()
  const first = await rest.next()
  return { kind: 'reply', reply: { ...reply, messages: rejoin(first, rest) }, ended: first.done === true ? reply.status() : undefined }
}

/** How long to wait before the next try; undefined when this outcome stands. */
function pauseMs(outcome: Outcome, retry: Retry, tries: number, job: Shipment, replayable: boolean, ports: SendPorts): number | undefined {
  if (!isRepeatable(outcome, retry, job.call, replayable)) return undefined
  const asked = pushbackMs(outcome, ports.clock) ?? 0
  if (asked > retry.maxRetryAfterMs) return undefined
  const waitMs = Math.max(asked, backoffMs(tries, ports.random.unit()))
  return ports.clock.ticks() + waitMs < job.deadline.at ? waitMs : undefined
}

function pause(ms: number, lifeline: Lifeline, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      forget()
      resolve()
    })
    const forget = lifeline.onEnd((why) => {
      timer.cancel()
      reject(why)
    })
  })
}

function standing(outcome: Outcome): Reply {
  if (outcome.kind === 'fault') throw outcome.fault
  return outcome.reply
}

/** Lets go of an answer nobody will read, so that its stream is closed. */
async function discard(outcome: Outcome): Promise<void> {
  if (outcome.kind === 'fault') return
  const source = outcome.reply.kind === 'grpc' ? outcome.reply.messages : outcome.reply.body
  if (source === undefined || source instanceof Uint8Array) return
  await source[Symbol.asyncIterator]().return?.()
}
