import { Fault } from '../model/fault.ts'
import type { EgressService, LiveTarget, Vet } from '../model/route.ts'
import type { Endpoint, Ports } from '../ports.ts'
import { buildBalance, type Candidate } from './balance.ts'
import type { Plan } from './cluster.ts'
import { idleConnectionMs } from './cluster.ts'
import { openMember, type UpstreamState } from './state.ts'
import { noteTimes } from './tried.ts'

/** The live targets that this snapshot has called so far. */
export interface OpenTargets {
  /** @throws Fault `address_denied` without an address guard: nothing leaves unguarded. */
  plan(service: EgressService, target: LiveTarget, vet: Vet | undefined): Plan
  close(): void
}

/** Requests under way to one target at once. */
const cap = 1024

/**
 * Connections to third parties are kept by service, environment, place and policy revision: a socket that was opened under one
 * set of rules is never used under another.
 */
export function openTargets(revision: string, state: UpstreamState, ports: Pick<Ports, 'clock' | 'random' | 'channels'>): OpenTargets {
  const open = new Map<string, { readonly plan: Plan; readonly close: () => void }>()
  const balance = buildBalance('round_robin', ports)

  function openTarget(service: EgressService, endpoint: Endpoint, groupKey: string) {
    const group = state.groups.take(groupKey, () => ({ active: 0, retrying: 0 }))
    const member = state.members.take(endpoint.key, () => openMember(endpoint, ports.channels))
    const candidates: readonly Candidate[] = [{ member, weight: 1, score: 0 }]
    const plan: Plan = { label: service.name, group, cap, candidates: () => candidates, balance, hand: { sidecar: 'none', destination: '' }, note: noteTimes }
    const close = () => {
      state.members.give(endpoint.key, (last) => last.channel.release())
      state.groups.give(groupKey)
    }
    return { plan, close }
  }

  return {
    plan(service, target, vet) {
      if (vet === undefined) throw new Fault('address_denied', 'this address is not allowed', { internal: 'a live target came without its address guard' })
      const endpoint = endpointOf(service, target, vet, revision)
      let there = open.get(endpoint.key)
      if (there === undefined) {
        there = openTarget(service, endpoint, `egress ${service.name} ${target.environment}`)
        open.set(endpoint.key, there)
      }
      return there.plan
    },
    close() {
      for (const target of open.values()) target.close()
      open.clear()
    },
  }
}

function endpointOf(service: EgressService, target: LiveTarget, vet: Vet, revision: string): Endpoint {
  const { host, port, scheme, ca, certificate: own } = target
  const tls = scheme === 'https' ? { serverName: host, ca, certificate: own?.certificate, key: own?.key } : undefined
  const key = JSON.stringify(['egress', service.name, target.environment, revision, target.origin, ca ?? null, own ?? null, service.connectTimeoutMs])
  const address = { kind: 'tcp', host, port } as const
  return { key, protocol: 'http1', address, tls, connectTimeoutMs: service.connectTimeoutMs, idleMs: idleConnectionMs, vet }
}
