import type { GrpcCall, GrpcReply, HttpCall, HttpReply } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import type { CallOptions, Clock, Endpoint } from '../../core/ports.ts'
import { nameOf } from './dial.ts'

/** One protocol towards one endpoint, shared by everybody who uses the endpoint. */
export interface Wire {
  http(call: HttpCall, options: CallOptions): Promise<HttpReply>
  grpc(call: GrpcCall, options: CallOptions): Promise<GrpcReply>
  /** Connections that are open now, those that end among them. */
  readonly connections: number
  /** Closes connections once what is in flight has ended. */
  close(): void
}

/** Counts what is in flight, and says when the last of it has ended after `close`. */
export class InFlight {
  #count = 0
  #last: (() => void) | undefined

  /** Returns the way out; calling that twice counts once. */
  enter(): () => void {
    this.#count += 1
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      this.#count -= 1
      if (this.#count === 0) this.#last?.()
    }
  }

  /** Runs `last` when nothing is in flight, which may be now. */
  close(last: () => void): void {
    if (this.#count === 0) last()
    else this.#last = last
  }
}

/** Runs `late` when headers are not there by the deadline; at once when it has passed. Returns the way to call it off. */
export function watchDeadline(options: CallOptions, clock: Clock, late: (fault: Fault) => void): () => void {
  if (!Number.isFinite(options.deadline)) return () => {}
  const timer = clock.after(Math.max(0, options.deadline - clock.ticks()), () => late(new Fault('deadline_exceeded', 'the deadline has passed')))
  return () => timer.cancel()
}

/** The upstream went away after something was sent. */
export function brokenOff(endpoint: Endpoint, why: string, cause?: unknown): Fault {
  return new Fault('upstream_reset', 'the upstream broke off', { internal: `${nameOf(endpoint)}: ${why}`, cause })
}

/** The upstream said what its protocol does not allow. */
export function brokenProtocol(endpoint: Endpoint, why: string, cause?: unknown): Fault {
  return new Fault('upstream_protocol', 'the upstream broke its protocol', { internal: `${nameOf(endpoint)}: ${why}`, cause })
}

/** Nothing moved for the idle limit, on either side. */
export function stalledFault(endpoint: Endpoint, idleMs: number): Fault {
  return new Fault('upstream_reset', 'the answer stalled', { internal: `${nameOf(endpoint)}: nothing moved for ${idleMs} ms` })
}

/** A wire that speaks only the other kind of call. */
export function wrongKind(endpoint: Endpoint): Promise<never> {
  return Promise.reject(new Fault('internal', 'internal error', { internal: `${nameOf(endpoint)} does not speak this kind of call` }))
}
