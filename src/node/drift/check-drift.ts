import type { Cluster } from '../../core/policy/linked/clusters.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Channels } from '../../core/ports.ts'
import { compareServices, type DescriptorBook, type Difference, emptyBook, readDescriptors } from '../../core/protobuf.ts'
import { type Place, type PlacePorts, partsOf } from '../../core/upstream.ts'
import { ReflectionError, reflect } from '../proto/reflect.ts'
import { usedOf } from './used.ts'

/** What asking one part of a cluster came to. */
export type DriftFinding = { readonly subset: string | undefined } & (
  | { readonly kind: 'compared'; readonly differences: readonly Difference[] }
  /** It speaks gRPC and does not offer reflection: nothing can be said. */
  | { readonly kind: 'unreflected' }
  | { readonly kind: 'failed'; readonly reason: string }
)

export interface DriftPorts extends PlacePorts {
  readonly channels: Channels
  /** Ends a look before its time. */
  readonly signal?: AbortSignal | undefined
}

/** How many endpoints of one part are asked before the part counts as one that cannot be. */
const tries = 3

/**
 * Asks a cluster, by server reflection, whether what the policy uses of its pinned set still holds: every part that routes use, at the
 * first of its endpoints that can be asked. Empty where there is nothing to ask. Never rejects, and takes at most `timeoutMs` per endpoint.
 */
export async function checkDrift(policy: Policy, cluster: Cluster, ports: DriftPorts, timeoutMs: number): Promise<readonly DriftFinding[]> {
  const pinned = pinnedOf(policy, cluster)
  const { services, subsets } = usedOf(policy, cluster.name)
  if (pinned === undefined || services.length === 0 || cluster.quarantined !== undefined) return []
  const findings: DriftFinding[] = []
  for (const part of await partsOf(cluster, ports)) {
    if (!subsets.has(part.subset)) continue
    if ('problem' in part) findings.push({ subset: part.subset, kind: 'failed', reason: `${part.name}: ${part.problem}` })
    else findings.push(await ask(part.places, pinned, services, ports, timeoutMs))
  }
  return findings
}

function pinnedOf(policy: Policy, { descriptors }: Cluster): DescriptorBook | undefined {
  const bytes = descriptors === undefined ? undefined : policy.descriptors[descriptors.file]
  const book = bytes === undefined ? undefined : readDescriptors(bytes)
  return book === undefined || 'problem' in book ? undefined : book
}

async function ask(places: readonly Place[], pinned: DescriptorBook, services: readonly string[], ports: DriftPorts, timeoutMs: number): Promise<DriftFinding> {
  const subset = places[0]?.subset
  let last = 'it has no endpoint'
  for (const place of places.slice(0, tries)) {
    if (ports.signal?.aborted === true) break
    const channel = ports.channels.acquire(place.endpoint)
    try {
      const { authority, fields } = place
      const live = bookOf(await reflect(channel, { authority, fields, timeoutMs, services, clock: ports.clock, signal: ports.signal }))
      return { subset, kind: 'compared', differences: compareServices(pinned, live, services) }
    } catch (error) {
      if (error instanceof ReflectionError && error.kind === 'absent') return { subset, kind: 'unreflected' }
      last = error instanceof Error ? error.message : String(error)
    } finally {
      channel.release()
    }
  }
  return { subset, kind: 'failed', reason: last }
}

/** A server that has none of the services hands over nothing. */
function bookOf(bytes: Uint8Array): DescriptorBook {
  const book = bytes.length === 0 ? undefined : readDescriptors(bytes)
  if (book !== undefined && 'problem' in book) throw new Error(book.problem)
  return book ?? emptyBook
}
