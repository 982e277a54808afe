import type { GrpcReply, HttpCall } from '../../model/call.ts'
import { Fault } from '../../model/fault.ts'
import type { Lifeline } from '../../model/lifeline.ts'
import type { Retry } from '../../model/retry.ts'
import type { MetricName } from '../../observe/metrics.ts'
import { attempt, tooLong } from '../attempt.ts'
import { isTold } from '../deadline.ts'
import { holdBack } from '../hold.ts'
import { handOver } from '../mesh.ts'
import { rejoin } from '../relay.ts'
import type { Outcome, Repeatable } from '../retry.ts'
import type { Seal, SendPorts, Shipment } from '../shipment.ts'
import type { Member } from '../state.ts'
import type { Admission } from './admit.ts'

/** Counts one more try in, and hands back how it counts itself out. */
export type Enter = () => () => void

/** One of the tries of a shipment. */
interface OneTry {
  readonly member: Member
  /** Told when nothing reached the endpoint. */
  readonly unused: () => void
  /** Its own end; the request's where no other try can overtake it. */
  readonly line: Lifeline
  readonly admission: Admission
  readonly enter: Enter
  readonly may: Repeatable
  /** Whether a gRPC reply is looked at before it counts: asked when it is there. */
  readonly looks: () => boolean
}

const held: MetricName = 'sallyport_upstream_held_back_total'

/** Sends the call to one endpoint, and says how that came out. */
export async function runTry({ member, unused, line, admission, enter, may, looks }: OneTry, job: Shipment, ports: SendPorts): Promise<Outcome> {
  const { clock, meter } = ports
  const { x, deadline, idleMs, label, retry, seal, resend } = job
  const { leftMs, pass } = admission
  const own = line === x.lifeline ? undefined : x.lifeline.onEnd((why) => line.end(why))
  const perTryMs = own === undefined ? undefined : retry?.perTryMs
  const timer = perTryMs === undefined ? undefined : clock.after(perTryMs, () => line.end(tooLong))
  const out = enter()
  const ended = () => {
    own?.()
    pass?.leave()
    out()
  }
  const note: Shipment['note'] =
    pass === undefined
      ? job.note
      : (of, tried) => {
          job.note(of, tried)
          pass.note(of, tried)
        }
  // What bounds a try here until its answer begins would bound a whole download there.
  const tryMs = deadline.until === 'headers' ? undefined : perTryMs
  const stated = isTold(deadline) ? Math.min(leftMs, Math.ceil(tryMs ?? leftMs)) : undefined
  const handed = handOver(job.call, stated, job.hand, retry !== undefined)
  try {
    const call = seal === undefined || handed.kind === 'grpc' ? handed : await sealed(handed, seal, ended)
    const reply = await attempt({ call, member, deadline, idleMs, lifeline: line, label, note, unused, resend }, ports, ended)
    if (reply.kind === 'grpc') return looks() ? await peek(reply) : { kind: 'reply', reply, ended: undefined }
    // What bounds a try does not cut an answer that has begun.
    timer?.cancel()
    const most = heldBytes(retry, may)
    return { kind: 'reply', reply: most === undefined ? reply : await holdBack(reply, most, deadline, clock), ended: undefined }
  } catch (error) {
    const fault = Fault.from(error)
    if (fault.code === 'overloaded') meter.count(held, { cluster: label, reason: 'connections' })
    return { kind: 'fault', fault, tooLong: line.ended === tooLong }
  } finally {
    timer?.cancel()
  }
}

/** Answers up to so many bytes are held back until they are whole; undefined: none is, because it could not be asked for again. */
function heldBytes(retry: Retry | undefined, { replayable, safe }: Repeatable): number | undefined {
  return replayable && safe && retry?.on.includes('reset') === true ? retry.answers : undefined
}

/** The call as it goes out. `ended`: to be told when it does not. */
async function sealed(call: HttpCall, seal: Seal, ended: () => void): Promise<HttpCall> {
  try {
    return await seal(call)
  } catch (error) {
    ended()
    throw error
  }
}

/** A gRPC reply can be judged only when its first message or its end has come. */
async function peek(reply: GrpcReply): Promise<Outcome> {
  const rest = reply.messages[Symbol.asyncIterator]()
  const first = await rest.next()
  return { kind: 'reply', reply: { ...reply, messages: rejoin(first, rest) }, ended: first.done === true ? reply.status() : undefined }
}
