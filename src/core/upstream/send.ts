import type { GrpcCall, HttpCall, Reply } from '../model/call.ts'
import type { Arrived } from '../model/exchange.ts'
import type { Hedge, Retry } from '../model/route.ts'
import type { Caps } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import type { Balance, Candidate } from './balance.ts'
import type { Deadline } from './deadline.ts'
import type { Wait } from './discovery/wait.ts'
import type { HandOver } from './mesh.ts'
import { admit } from './protect/admission.ts'
import type { Shield } from './protect/shield.ts'
import type { Group } from './state.ts'
import type { Note } from './tried.ts'
import { runTries } from './tries.ts'

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
  readonly candidates: (wait: Wait) => readonly Candidate[] | Promise<readonly Candidate[]>
  readonly balance: Balance
  /** By what hashing balancers choose. */
  readonly key?: string | undefined
  readonly note: Note
  readonly deadline: Deadline
  readonly hand: HandOver
  readonly retry: Retry | undefined
  readonly hedge?: Hedge | undefined
  /** It means the same once and twice: by itself, or (`keyed`) because of its key. */
  readonly safety: { readonly plain: boolean; readonly keyed: boolean }
  readonly idleMs: number
}

export type SendPorts = Pick<Ports, 'clock' | 'random' | 'meter'>

/**
 * Sends a shipment, again where the policy wants it and it is safe, and hands back the first answer that stands.
 * @throws Fault `overloaded` or `circuit_open` where the upstream is protected, `deadline_exceeded` without dialling when too little time is left, or
 * what the last try met
 */
export async function send(job: Shipment, ports: SendPorts): Promise<Reply> {
  const out = await admit(job, ports)
  let parts = 1
  // The request counts until nothing of it is under way: neither a try whose answer still flows, nor the loop that may start one.
  const leave = () => {
    parts -= 1
    if (parts === 0) out()
  }
  const enter = () => {
    parts += 1
    return leave
  }
  try {
    return await runTries(job, ports, enter)
  } finally {
    leave()
  }
}
