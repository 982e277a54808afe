import type { EgressService } from '../model/egress-service.ts'
import type { LiveTarget } from '../model/egress-target.ts'
import { Fault } from '../model/fault.ts'
import type { Vet } from '../model/vet.ts'
import type { Endpoint, Ports } from '../ports.ts'
import { buildBalance, type Candidate } from './balance.ts'
import type { Plan } from './cluster.ts'
import { idleConnectionMs } from './cluster.ts'
import { Shield } from './protect/shield.ts'
import { shieldState } from './protect/state.ts'
import { openGate, type QuotaGate, type Ticket } from './quota.ts'
import type { Seal } from './shipment.ts'
import { newGroup, openMember, type UpstreamState } from './state.ts'
import { both, noteTimes } from './tried.ts'

/** The live targets that this snapshot has called so far. */
export interface OpenTargets {
  /** @throws Fault `address_denied` without an address guard: nothing leaves unguarded. */
  plan(way: WayOut): Plan
  close(): void
}

/** A call to a third party: where to, and by whom. */
export interface WayOut {
  readonly service: EgressService
  readonly target: LiveTarget
  readonly vet: Vet | undefined
  /** Who shares a quota. */
  readonly caller: string
  /** Of each try. */
  readonly seal: Seal | undefined
}
/** Targets of one snapshot that may be open at once. */
const mostOpen = 1000

/** Requests under way to one target at once. */
const caps = { requests: 1024 } as const

/**
 * Connections to third parties are kept by service, environment, place and policy revision: a socket that was opened under one
 * set of rules is never used under another.
 */
export function openTargets(
  revision: string,
  state: UpstreamState,
  ports: Pick<Ports, 'clock' | 'random' | 'channels' | 'counters' | 'meter' | 'lasting'>,
): OpenTargets {
  const open = new Map<string, { readonly plan: Plan; readonly gate: QuotaGate | undefined; readonly close: () => void }>()
  const balance = buildBalance('round_robin', ports)
  const shields = shieldState(ports.lasting)

  function openTarget(service: EgressService, endpoint: Endpoint, environment: string) {
    const gate = openGate(service, environment, ports)
    const groupKey = `egress ${service.name} ${environment}`
    const group = state.groups.take(groupKey, newGroup)
    // Like connections: what was learnt under one set of rules does not count under another.
    const shieldKey = `${groupKey} ${revision}`
    const shield = shields.take(shieldKey, () => new Shield(`${service.name} ${environment}`, ports.meter))
    shield.rule = { breaker: service.breaker, adaptive: false, most: caps.requests }
    const member = state.members.take(endpoint.key, () => openMember(endpoint, gate?.watch(ports.channels) ?? ports.channels))
    const candidates: readonly Candidate[] = [{ member, weight: 1, score: 0 }]
    const hand = { sidecar: 'none', destination: '' } as const
    // What a vendor counts is sent by leave alone; and what PUT and DELETE mean the second time, it has not told us.
    const resend = gate === undefined ? 'safe' : 'never'
    const plan: Plan = { label: service.name, resend, group, shield, caps, candidates: () => candidates, balance, hand, note: both(noteTimes, shield.note) }
    const close = () => {
      state.members.give(endpoint.key, (last) => last.channel.release())
      state.groups.give(groupKey)
      shields.give(shieldKey)
    }
    return { plan, gate, close }
  }

  /** The forward proxy names ever new places: those that were not called for the longest time go, once what is in flight there has ended. */
  function letGo(): void {
    for (const [key, oldest] of open) {
      if (open.size <= mostOpen) return
      open.delete(key)
      oldest.close()
    }
  }

  return {
    plan({ service, target, vet, caller, seal }) {
      if (vet === undefined) throw new Fault('address_denied', 'this address is not allowed', { internal: 'a live target came without its address guard' })
      const endpoint = endpointOf(service, target, vet, revision)
      const there = open.get(endpoint.key) ?? openTarget(service, endpoint, target.environment)
      open.delete(endpoint.key)
      open.set(endpoint.key, there)
      letGo()
      const { plan, gate } = there
      return gate === undefined ? { ...plan, seal } : { ...plan, ...gated(plan.candidates, gate, caller, seal) }
    },
    close() {
      for (const target of open.values()) target.close()
      open.clear()
    },
  }
}

/** The gate is met before every try of one call. Who looks for another endpoint and finds none has made no try: the next one goes by the same ticket. */
function gated(candidates: Plan['candidates'], gate: QuotaGate, caller: string, seal: Seal = (call) => call): Pick<Plan, 'candidates' | 'seal'> {
  let ticket: Ticket | undefined
  return {
    async candidates(wait) {
      if (ticket === undefined || ticket.used) ticket = await gate.pass(caller, wait)
      return candidates(wait)
    },
    async seal(call) {
      const going = await seal(call)
      if (ticket !== undefined) gate.bind(going, ticket)
      return going
    },
  }
}

function endpointOf(service: EgressService, target: LiveTarget, vet: Vet, revision: string): Endpoint {
  const { host, port, scheme, ca, certificate: own } = target
  const tls = scheme === 'https' ? { serverName: host, use: `egress ${service.name}`, ca, certificate: own?.certificate, key: own?.key } : undefined
  const key = JSON.stringify(['egress', service.name, target.environment, revision, target.origin, ca ?? null, own ?? null, service.connectTimeoutMs])
  const address = { kind: 'tcp', host, port } as const
  return { key, of: service.name, protocol: 'http1', address, tls, connectTimeoutMs: service.connectTimeoutMs, idleMs: idleConnectionMs, vet }
}
