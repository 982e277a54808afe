import type { GrpcCall, HttpCall, Reply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { CallOptions } from '../../src/core/ports.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { fakeClock } from './clock.ts'
import { emptyPolicy } from './policy.ts'
import { fakeChannels, fakePorts } from './ports.ts'
import { cluster, httpReply, type SendableInput, sendable } from './sendable.ts'

/** A try that is under way and waits for its answer. */
export interface Waiting {
  readonly host: string
  readonly options: CallOptions
  readonly call: HttpCall | GrpcCall
  answer(reply: Reply): void
  fail(fault: Fault): void
}

/** Turns of the event loop until everything that can happen without time has happened. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A cluster whose answers are given by hand. */
export function byHand(given: Partial<Cluster> = {}) {
  const waiting: Waiting[] = []
  const hold = (call: HttpCall | GrpcCall, options: CallOptions, host: string) =>
    new Promise<Reply>((resolve, reject) => {
      const entry: Waiting = {
        host,
        options,
        call,
        answer: resolve,
        fail: reject,
      }
      options.lifeline.onEnd(reject)
      waiting.push(entry)
    })
  const hostOf = (address: { readonly kind: string }) => (address as { host?: string }).host ?? ''
  const channels = fakeChannels({
    http: async (call, options, endpoint) => (await hold(call, options, hostOf(endpoint.address))) as ReturnType<typeof httpReply>,
    grpc: async (call, options, endpoint) => (await hold(call, options, hostOf(endpoint.address))) as never, // the test answers in kind
  })
  const clock = fakeClock()
  const ports = fakePorts({ channels, clock })
  const policy = emptyPolicy({ clusters: { c: cluster('c', given) } })
  const upstream = buildUpstream(policy, ports)

  /** Sends one request; what becomes of it shows in `result` once it is there: a status, or a fault's code. */
  async function send(input: SendableInput = {}) {
    const lifeline = new Lifeline()
    const x = sendable({ receivedAt: clock.ticks(), lifeline, ...input })
    const seen: { result: number | string | undefined; fault: Fault | undefined; reply: Reply | undefined } = {
      result: undefined,
      fault: undefined,
      reply: undefined,
    }
    upstream.forward(x).then(
      (reply) => Object.assign(seen, { reply, result: reply.kind === 'http' ? reply.status : 'grpc' }),
      (error: unknown) => Object.assign(seen, { fault: Fault.from(error), result: Fault.from(error).code }),
    )
    await settle()
    return Object.assign(seen, { x, lifeline })
  }

  /** One request that is answered after so long. */
  async function round(tookMs: number, status = 200, input: SendableInput = {}) {
    const sent = await send(input)
    clock.advance(tookMs)
    waiting.at(-1)?.answer(httpReply(status))
    await settle()
    return sent.result
  }

  return { upstream, waiting, clock, ports, channels, send, round, meter: ports.meter }
}
