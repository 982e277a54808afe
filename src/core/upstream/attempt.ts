import type { GrpcCall, GrpcReply, HttpCall, HttpReply, Reply } from '../model/call.ts'
import { Fault, type FaultCode } from '../model/fault.ts'
import { Lifeline } from '../model/lifeline.ts'
import type { MetricName } from '../observe/metrics.ts'
import type { CallOptions, Ports } from '../ports.ts'
import type { Deadline } from './deadline.ts'
import { relay } from './relay.ts'
import type { Member } from './state.ts'
import type { Note, Tried } from './tried.ts'

/** One try of one call at one endpoint. */
export interface Attempt {
  readonly call: HttpCall | GrpcCall
  readonly member: Member
  readonly deadline: Deadline
  readonly idleMs: number
  readonly resend?: CallOptions['resend']
  /** The request's own. The try ends with it, but not the other way round. */
  readonly lifeline: Lifeline
  /** The cluster or egress service, for the metrics. */
  readonly label: string
  /** Told what became of it. */
  readonly note: Note
  /** Told when it ended while it waited for a connection: nothing reached the endpoint. */
  readonly unused: () => void
}

/** Without the moment, which is when it is told. */
type Telling = Tried extends infer Each ? (Each extends Tried ? Omit<Each, 'now'> : never) : never

type AttemptPorts = Pick<Ports, 'clock' | 'meter'>

const names = {
  requests: 'sallyport_upstream_requests_total',
  duration: 'sallyport_upstream_answer_seconds',
} as const satisfies Record<string, MetricName>

/** Largest message in either direction, bytes (the default of gRPC implementations). */
const messageLimit = 4 * 1024 * 1024

/** An answer that flows for so long has gone well so far: its end may be hours away. Milliseconds. */
const longMs = 5_000

/**
 * Sends the call and keeps the books until its answer has ended: what is under way at the endpoint, how fast it answers, how it came
 * out. `ended` runs once, whatever happens. @throws Fault
 */
export async function attempt(job: Attempt, ports: AttemptPorts, ended: () => void): Promise<Reply> {
  const { member, deadline, label } = job
  const { clock, meter } = ports
  const line = new Lifeline()
  const startedAt = clock.ticks()
  let timer: { cancel(): void } | undefined
  let over = false
  const finish = (outcome: string) => {
    if (over) return
    over = true
    timer?.cancel()
    forget()
    member.active -= 1
    meter.count(names.requests, { cluster: label, outcome })
    line.settle()
    ended()
  }
  const tell = (tried: Telling) => job.note(member, { ...tried, now: clock.ticks() })
  const forget = job.lifeline.onEnd((why) => line.end(why))
  member.active += 1
  let held = false
  let good = false
  const lasting = () => {
    if (good && !over) tell({ kind: 'lasting' })
    good = false
  }
  const moved = () => {
    if (good && clock.ticks() - startedAt >= longMs) lasting()
  }
  line.onEnd((why) => {
    if (!blamesEndpoint(why, job.lifeline)) lasting()
    finish(outcomeOf(why))
  })
  try {
    const options: CallOptions = {
      lifeline: line,
      deadline: deadline.at,
      idleMs: job.idleMs,
      messageLimit,
      resend: job.resend,
      held(isHeld) {
        held = isHeld
      },
    }
    const reply = job.call.kind === 'grpc' ? await member.channel.grpc(job.call, options) : await member.channel.http(job.call, options)
    const tookMs = clock.ticks() - startedAt
    tell({ kind: 'answer', tookMs, status: reply.kind === 'http' ? reply.status : undefined })
    meter.observe(names.duration, tookMs / 1_000, { cluster: label })
    line.check()
    if (stillBound(reply, deadline)) timer = clock.after(Math.max(0, deadline.at - clock.ticks()), () => line.end(passed()))
    good = reply.kind === 'http' && reply.status < 500
    // A handshake is all there is to judge of a connection that may be silent for hours.
    if (reply.kind === 'http' && reply.status === 101) lasting()
    let first = true
    const begun = () => {
      if (deadline.until === 'message') timer?.cancel()
      if (first) good = true
      first = false
      moved()
    }
    const dropped = () => {
      lasting()
      finish('dropped')
    }
    const broken = (fault: Fault) => {
      if (blamesEndpoint(fault, job.lifeline)) tell({ kind: 'fault', tookMs: clock.ticks() - startedAt, code: fault.code, begun: true, own: false })
      finish(fault.code)
    }
    const status = (code: number) => tell({ kind: 'status', code })
    const whole = (of: number) => tell({ kind: 'whole', status: of })
    return reply.kind === 'grpc'
      ? relayMessages(reply, { begun, status, broken, dropped, finish })
      : relayBody(reply, { moved, whole, broken, dropped, finish })
  } catch (error) {
    const fault = job.lifeline.ended ?? Fault.from(error)
    if (held) job.unused()
    else if (blamesEndpoint(fault, job.lifeline))
      tell({ kind: 'fault', tookMs: clock.ticks() - startedAt, code: fault.code, begun: false, own: fault === tooLong })
    finish(outcomeOf(fault))
    throw fault
  }
}

/** Ends a try whose answer nobody needs any more. */
export const overtaken = new Fault('deadline_exceeded', 'another try answered first')

/** Ends a try that has used up its own limit, which no caller can make shorter. */
export const tooLong = new Fault('deadline_exceeded', 'the upstream took too long')

function outcomeOf(fault: Fault): string {
  return fault === overtaken ? 'overtaken' : fault.code
}

/** Faults of the gateway's own doing. */
const ownDoing: ReadonlySet<FaultCode> = new Set(['drained', 'overloaded'])

/** A downstream that went away or whose stream is broken, a refused address, and what the gateway does by itself say nothing about the endpoint. */
function blamesEndpoint(fault: Fault, request: Lifeline): boolean {
  const { status, code } = request.ended ?? fault
  return status >= 500 && !ownDoing.has(code)
}

function passed(): Fault {
  return new Fault('deadline_exceeded', 'the deadline has passed')
}

/** Whether the deadline bounds more than the headers, which are here. */
function stillBound(reply: Reply, deadline: Deadline): boolean {
  if (!Number.isFinite(deadline.at) || deadline.until === 'headers' || deadline.until === 'upgrade') return false
  return reply.kind === 'grpc' || (reply.body !== undefined && !(reply.body instanceof Uint8Array))
}

interface BodyWatch {
  readonly moved: () => void
  readonly dropped: () => void
  readonly whole: (status: number) => void
  readonly broken: (fault: Fault) => void
  readonly finish: (outcome: string) => void
}

function relayBody(reply: HttpReply, { moved, whole, broken, dropped, finish }: BodyWatch): HttpReply {
  const outcome = `${Math.floor(reply.status / 100)}xx`
  if (reply.body === undefined || reply.body instanceof Uint8Array) {
    whole(reply.status)
    finish(outcome)
    return reply
  }
  const ended = () => {
    whole(reply.status)
    finish(outcome)
  }
  const body = relay(reply.body, { item: moved, ended, broken, dropped })
  return { ...reply, body }
}

interface MessagesWatch {
  readonly begun: () => void
  readonly status: (code: number) => void
  readonly broken: (fault: Fault) => void
  readonly dropped: () => void
  readonly finish: (outcome: string) => void
}

function relayMessages(reply: GrpcReply, { begun, status, broken, dropped, finish }: MessagesWatch): GrpcReply {
  const messages = relay(reply.messages, {
    item: begun,
    ended: () => {
      const { code } = reply.status()
      status(code)
      finish(`grpc_${code}`)
    },
    broken,
    dropped,
  })
  return { ...reply, messages }
}
