import { Fault } from '../model/fault.ts'
import type { Subset } from '../policy/linked/clusters.ts'
import type { Endpoints } from '../policy/linked/endpoints.ts'
import type { Endpoint, Found, Ports } from '../ports.ts'
import type { Candidate } from './balance.ts'
import { foundAt, hasLabels } from './discovery/found.ts'
import { sourceName } from './discovery/name.ts'
import { Source, type SourcePorts } from './discovery/source.ts'
import type { Wait } from './discovery/wait.ts'
import { openMember, type UpstreamState } from './state.ts'

/** The endpoints of a cluster or subset as they are now. */
export interface EndpointSet {
  /** At least one; before the first answer of its source it waits for that. @throws Fault `upstream_unavailable` when there is none. */
  now(wait: Wait): readonly Candidate[] | Promise<readonly Candidate[]>
  close(): void
}

/** What a set is made of. */
export interface EndpointsWanted {
  readonly cluster: string
  readonly subset?: string | undefined
  readonly endpoints: Endpoints
  /** Labels that an endpoint must have. */
  readonly labels?: Subset['labels']
  /** Makes the endpoint of an address; what else there is to know about it stands in the cluster. */
  readonly at: (address: Endpoint['address']) => Endpoint
}

type SetPorts = Pick<Ports, 'channels'> & SourcePorts

export function openEndpointSet(wanted: EndpointsWanted, state: UpstreamState, ports: SetPorts): EndpointSet {
  const { endpoints } = wanted
  return endpoints.kind === 'static' ? fixedSet(endpoints.addresses.map(foundAt), wanted, state, ports) : sourceSet(endpoints, wanted, state, ports)
}

function fixedSet(all: readonly Found[], wanted: EndpointsWanted, state: UpstreamState, ports: SetPorts): EndpointSet {
  const candidates = all.filter(({ labels }) => hasLabels(labels, wanted.labels)).map((found) => take(found, wanted, state, ports))
  return {
    now() {
      if (candidates.length === 0) throw none('the cluster has no endpoints')
      return candidates
    },
    close: () => candidates.forEach((candidate) => give(candidate, state)),
  }
}

/**
 * Endpoints that a source names. It is followed once for all who use it, from the first who opens it to the last who closes it, and a new
 * set takes effect when it comes. A subset whose labels fit none keeps the endpoints it had, as a cluster does.
 */
function sourceSet(source: Exclude<Endpoints, { kind: 'static' }>, wanted: EndpointsWanted, state: UpstreamState, ports: SetPorts): EndpointSet {
  const { shrinking, ...asked } = source
  // The rule is part of the key, and changes with a reload: what is known of the source goes on.
  const [same, key] = [JSON.stringify(asked), JSON.stringify({ asked, shrinking })]
  const followed = state.sources.take(key, () => {
    const before = state.sources.find((other) => other.startsWith(`{"asked":${same},`))
    return new Source(sourceName(asked), shrinking, ports.discover(asked), ports, before)
  })
  let candidates: readonly Candidate[] = []
  const apply = () => {
    const fitting = followed.part(wanted.labels)
    if (fitting.length === 0 && (followed.found ?? []).length > 0) return
    const before = new Map(candidates.map((candidate) => [candidate.member, candidate]))
    // What stays is taken before it is given: its connections go on.
    const next = fitting.map((one) => carried(take(one, wanted, state, ports), before))
    const dropped = candidates
    candidates = next
    for (const candidate of dropped) give(candidate, state)
  }
  const forget = followed.watch(apply)
  const leave = followed.enter(wanted)
  apply()

  const whatThereIs = () => {
    if (candidates.length > 0) return candidates
    throw none(followed.found === undefined || followed.found.length === 0 ? followed.problem : 'no endpoint has the labels of the subset')
  }
  return {
    now: (wait) => (candidates.length > 0 || followed.found !== undefined ? whatThereIs() : followed.first(wait).then(whatThereIs)),
    close() {
      forget()
      leave()
      for (const candidate of candidates) give(candidate, state)
      candidates = []
      state.sources.give(key, (last) => last.close())
    },
  }
}

/** A candidate that was there keeps its turn. */
function carried(candidate: Candidate, before: ReadonlyMap<Candidate['member'], Candidate>): Candidate {
  candidate.score = before.get(candidate.member)?.score ?? 0
  return candidate
}

function none(internal: string): Fault {
  return new Fault('upstream_unavailable', 'no endpoint', { internal })
}

function take({ address, weight, zone, labels }: Found, { at }: EndpointsWanted, state: UpstreamState, ports: Pick<Ports, 'channels'>): Candidate {
  const endpoint = at(address)
  return { member: state.members.take(endpoint.key, () => openMember(endpoint, ports.channels)), weight, zone, labels, score: 0 }
}

function give({ member }: Candidate, state: UpstreamState): void {
  state.members.give(member.endpoint.key, (last) => last.channel.release())
}
