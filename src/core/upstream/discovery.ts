import { Fault } from '../model/fault.ts'
import type { Endpoints, StaticAddress } from '../policy/policy.ts'
import type { Endpoint, Ports } from '../ports.ts'
import type { Candidate } from './balance.ts'
import { openMember, type UpstreamState } from './state.ts'

/** The endpoints of a cluster or subset as they are now. */
export interface EndpointSet {
  /** At least one. @throws Fault `upstream_unavailable` when none was ever found. */
  now(): readonly Candidate[] | Promise<readonly Candidate[]>
  close(): void
}

/** Makes the endpoint of an address; what else there is to know about it stands in the cluster. */
export type EndpointAt = (address: Endpoint['address']) => Endpoint

type SetPorts = Pick<Ports, 'clock' | 'channels' | 'resolve'>

/** How long an answer of the resolver is taken for current, milliseconds. */
const foundForMs = 5_000

export function openEndpointSet(endpoints: Endpoints, at: EndpointAt, state: UpstreamState, ports: SetPorts): EndpointSet {
  return endpoints.kind === 'static' ? fixedSet(endpoints.addresses, at, state, ports) : namedSet(endpoints, at, state, ports)
}

function fixedSet(addresses: readonly StaticAddress[], at: EndpointAt, state: UpstreamState, ports: SetPorts): EndpointSet {
  const candidates = addresses.map((address) => take(at(withoutWeight(address)), address.weight, state, ports))
  return {
    now() {
      if (candidates.length === 0) throw new Fault('upstream_unavailable', 'no endpoint', { internal: 'the cluster has no endpoints' })
      return candidates
    },
    close: () => candidates.forEach((candidate) => give(candidate, state)),
  }
}

/**
 * Endpoints behind a DNS name. Asked again when an answer is older than its time, in the background: requests use the last
 * good answer, and an empty or failed one never empties the set.
 */
function namedSet(endpoints: Extract<Endpoints, { kind: 'dns' }>, at: EndpointAt, state: UpstreamState, ports: SetPorts): EndpointSet {
  const key = endpoints.name
  const found = state.names.take(key, () => ({ addresses: [], staleAt: 0, asking: undefined }))
  let known: readonly string[] = []
  let candidates: readonly Candidate[] = []
  let closed = false

  async function ask(): Promise<void> {
    try {
      const addresses = [...new Set(await ports.resolve(endpoints.name))].sort()
      if (addresses.length > 0) found.addresses = addresses
    } catch {
      // The last good answer stays in force; without one, `now` says so.
    }
    found.staleAt = ports.clock.ticks() + foundForMs
    found.asking = undefined
  }

  function current(): readonly Candidate[] {
    if (known === found.addresses || closed) return candidates
    const next = found.addresses.map((host) => {
      const kept = candidates.find((candidate) => isAt(candidate, host))
      return kept ?? take(at({ kind: 'tcp', host, port: endpoints.port }), 1, state, ports)
    })
    const dropped = candidates.filter((candidate) => !next.includes(candidate))
    known = found.addresses
    candidates = next
    for (const candidate of dropped) give(candidate, state)
    return candidates
  }

  async function first(asking: Promise<void>): Promise<readonly Candidate[]> {
    await asking
    if (found.addresses.length === 0) {
      throw new Fault('upstream_unavailable', 'no endpoint', { internal: `${endpoints.name} has no address` })
    }
    return current()
  }

  // What an earlier snapshot found is taken at once, before that snapshot gives it back.
  current()
  return {
    now() {
      if (found.asking === undefined && ports.clock.ticks() >= found.staleAt) found.asking = ask()
      if (found.addresses.length > 0) return current()
      return first(found.asking ?? Promise.resolve())
    },
    close() {
      closed = true
      for (const candidate of candidates) give(candidate, state)
      candidates = []
      state.names.give(key)
    },
  }
}

function isAt(candidate: Candidate, host: string): boolean {
  const address = candidate.member.endpoint.address
  return address.kind === 'tcp' && address.host === host
}

function take(endpoint: Endpoint, weight: number, state: UpstreamState, ports: Pick<Ports, 'channels'>): Candidate {
  return { member: state.members.take(endpoint.key, () => openMember(endpoint, ports.channels)), weight, score: 0 }
}

function give({ member }: Candidate, state: UpstreamState): void {
  state.members.give(member.endpoint.key, (last) => last.channel.release())
}

function withoutWeight(address: StaticAddress): Endpoint['address'] {
  return address.kind === 'unix' ? { kind: 'unix', path: address.path } : { kind: 'tcp', host: address.host, port: address.port }
}
