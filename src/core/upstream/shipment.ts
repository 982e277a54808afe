import type { GrpcCall, HttpCall } from '../model/call.ts'
import type { Arrived } from '../model/exchange.ts'
import type { Hedge, Retry } from '../model/retry.ts'
import type { Caps } from '../policy/linked/clusters.ts'
import type { CallOptions, Ports } from '../ports.ts'
import type { Balance, Candidate } from './balance.ts'
import type { Deadline } from './deadline.ts'
import type { Wait } from './discovery/wait.ts'
import type { HandOver } from './mesh.ts'
import type { Shield } from './protect/shield.ts'
import type { Group } from './state.ts'
import type { Note } from './tried.ts'

/** One request on its way out: where it may go, until when, and how often. */
export interface Shipment {
  readonly x: Pick<Arrived, 'lifeline' | 'sent'>
  readonly call: HttpCall | GrpcCall
  /** The cluster or egress service, for the metrics. */
  readonly label: string
  readonly group: Group
  readonly shield: Shield
  /** Most that may be under way in the group. */
  readonly caps: Caps
  /** Each request has a connection to itself, as over HTTP/1.1. */
  readonly oneEach?: boolean | undefined
  readonly candidates: (wait: Wait) => readonly Candidate[] | Promise<readonly Candidate[]>
  readonly balance: Balance
  /** By what hashing balancers choose. */
  readonly key?: string | undefined
  readonly note: Note
  readonly deadline: Deadline
  readonly hand: HandOver
  readonly retry: Retry | undefined
  readonly hedge?: Hedge | undefined
  /** It means the same once and twice: by itself, or (`keyed`) because of its key. Without it: neither. */
  readonly safety?: { readonly plain: boolean; readonly keyed: boolean } | undefined
  readonly idleMs: number
  readonly resend?: CallOptions['resend']
  /**
   * The last step before a try goes out, after whatever it waited for: what is signed here is fresh, and stays as it is. What it throws is the
   * outcome of the try, which has sent nothing.
   */
  readonly seal?: Seal | undefined
}

export type Seal = (call: HttpCall) => HttpCall | Promise<HttpCall>

export type SendPorts = Pick<Ports, 'clock' | 'random' | 'meter'>
