import type { Health, HealthBoard } from '../health.ts'
import type { GrpcCall, GrpcReply, GrpcStatus } from '../model/call.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { Lifeline } from '../model/lifeline.ts'
import type { Clock } from '../ports.ts'

export interface Asking {
  readonly call: GrpcCall
  readonly lifeline: Lifeline
  /** What the downstream stated, monotonic milliseconds; Infinity for none. */
  readonly deadline: number
  /** A stream that is silent for longer is cut somewhere on its way. Milliseconds. */
  readonly idleMs: number
}

const numbers: Readonly<Record<Health, number>> = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 }

/** gRPC status codes (grpc.io, statuscodes). */
const code = { ok: 0, deadlineExceeded: 4, notFound: 5, unimplemented: 12, unavailable: 14 } as const

/**
 * Answers grpc.health.v1.Health from the board, in place of an upstream: Check (NOT_FOUND for an unknown service), List, and Watch, which
 * says the status at once, on every change, and again before silence would cut it; it ends with UNAVAILABLE when the process
 * stops. @throws Fault `body_invalid` for a request that is no message
 */
export async function answerHealth(asking: Asking, board: HealthBoard, clock: Clock): Promise<GrpcReply> {
  const { call } = asking
  const service = serviceIn(await onlyMessage(call.messages))
  const rpc = call.path.slice(call.path.lastIndexOf('/') + 1)
  if (rpc === 'Check') {
    const health = board.of(service)
    return health === 'SERVICE_UNKNOWN' ? reply([], code.notFound, 'unknown service') : reply([statusMessage(health)])
  }
  if (rpc === 'List') return reply([listMessage(board.all())])
  if (rpc === 'Watch') return watch(service, asking, board, clock)
  return reply([], code.unimplemented, `there is no ${rpc}`)
}

function statusOf(number: number, message: string): GrpcStatus {
  return { code: number, message, details: undefined, trailers: new FieldList() }
}

function reply(messages: readonly Uint8Array[], number: number = code.ok, message = ''): GrpcReply {
  async function* said(): AsyncIterable<Uint8Array> {
    yield* messages
  }
  return { kind: 'grpc', metadata: new FieldList(), messages: said(), status: () => statusOf(number, message) }
}

function watch(service: string, { lifeline, deadline, idleMs }: Asking, board: HealthBoard, clock: Clock): GrpcReply {
  let status = statusOf(code.unavailable, 'the gateway is stopping')
  let wake = () => {}
  async function* said(): AsyncIterable<Uint8Array> {
    const forget = board.watch(() => wake())
    const leave = lifeline.onEnd(() => wake())
    try {
      let last: Health | undefined
      while (!board.ended) {
        lifeline.check()
        const health = board.of(service)
        const left = deadline - clock.ticks()
        if (left <= 0) {
          status = statusOf(code.deadlineExceeded, 'the deadline has passed')
          return
        }
        // Woken without a change it says nothing new; woken by the time it says the same again.
        if (health !== last) yield statusMessage(health)
        last = health
        if (!(await changed(health, Math.min(idleMs / 2, deadline - clock.ticks())))) last = undefined
      }
    } finally {
      forget()
      leave()
    }
  }
  /** False when the time was over first. */
  function changed(health: Health, ms: number): Promise<boolean> {
    // What happened while the last message was taken.
    if (board.ended || lifeline.ended !== undefined || board.of(service) !== health) return Promise.resolve(true)
    return new Promise((resolve) => {
      const timer = clock.after(Math.max(0, ms), () => resolve(false))
      wake = () => {
        timer.cancel()
        resolve(true)
      }
    })
  }
  return { kind: 'grpc', metadata: new FieldList(), messages: said(), status: () => status }
}

async function onlyMessage(messages: GrpcCall['messages']): Promise<Uint8Array> {
  if (messages instanceof Uint8Array) return messages
  for await (const message of messages) return message
  return new Uint8Array()
}

/** HealthCheckResponse: `status` is field 1, an enum. */
function statusMessage(health: Health): Uint8Array {
  return Uint8Array.of(0x08, numbers[health])
}

/** HealthListResponse: `statuses` is field 1, a map of names to HealthCheckResponse; an entry is a message with key 1 and value 2. */
function listMessage(all: readonly (readonly [service: string, health: Health])[]): Uint8Array {
  const bytes: number[] = []
  for (const [service, health] of all) {
    const name = new TextEncoder().encode(service)
    const status = statusMessage(health)
    const entry = [0x0a, ...varint(name.length), ...name, 0x12, status.length, ...status]
    bytes.push(0x0a, ...varint(entry.length), ...entry)
  }
  return Uint8Array.from(bytes)
}

function varint(value: number): readonly number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest]
    bytes.push((rest & 0x7f) | 0x80)
  }
}

/** `service` of a HealthCheckRequest: field 1, a string; the last one counts. Unknown fields are skipped (protobuf.dev, encoding). */
function serviceIn(bytes: Uint8Array): string {
  let at = 0
  let service = ''
  const number = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw broken()
      if (shift < 28) value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw broken()
  }
  while (at < bytes.length) {
    const tag = number()
    const wire = tag & 7
    if (wire === 0) number()
    else if (wire === 1 || wire === 5) at += wire === 1 ? 8 : 4
    else if (wire === 2) {
      const length = number()
      if (at + length > bytes.length) throw broken()
      if (tag >>> 3 === 1) service = textOf(bytes.subarray(at, at + length))
      at += length
    } else throw broken()
    if (at > bytes.length || tag >>> 3 === 0) throw broken()
  }
  return service
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw broken()
  }
}

function broken(): Fault {
  return new Fault('body_invalid', 'the message is no grpc.health.v1.HealthCheckRequest')
}
