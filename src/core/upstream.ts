import type { GrpcCall, HttpCall, Reply } from './model/call.ts'
import type { Received } from './model/exchange.ts'
import type { Permit } from './model/permit.ts'
import type { Destination, EgressService, LiveTarget, Route, Vet } from './model/route.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'

/** Anything of the ingress wing that holds a permit, a place to go and something to say. */
export interface Sendable extends Received {
  readonly permit: Permit
  readonly route: Route
  readonly destination: Destination
  readonly call: HttpCall | GrpcCall
}

/** The same of the egress wing. */
export interface SendableOut extends Received {
  readonly permit: Permit
  readonly service: EgressService
  readonly target: LiveTarget
  readonly vet: Vet | undefined
  readonly call: HttpCall
}

/** The only way out of the house. It fills the slot `sent` with every try. */
export interface Upstream {
  readonly forward: (x: Sendable) => Promise<Reply>
  readonly forwardOut: (x: SendableOut) => Promise<Reply>
  /** Gives back every channel; what is in flight ends first. */
  close(): Promise<void>
}
export declare function buildUpstream(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'channels' | 'resolve' | 'meter'>): Upstream
