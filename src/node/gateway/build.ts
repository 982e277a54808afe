import { loadDiscovery } from '../../core/discovery.ts'
import { loadReplay } from '../../core/egress/cassette.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Ports } from '../../core/ports.ts'
import { buildSnapshot, type Snapshot, type WayIn } from '../../core/snapshot.ts'
import { loadGrpc } from '../channels/late-grpc.ts'
import { loadDrift } from '../drift/drift-watch.ts'

/** Compiles policies into snapshots for this process. Rejects when a module cannot be loaded that the policies need. */
export type Build = (policy: Policy) => Promise<Snapshot>

/**
 * Opens the compiling of policies over the ports. This is the one place that decides what a process loads: what only some policies need comes when
 * the first of them does, before its snapshot is built, so that whatever is wrong with it stands against the load and not against a request.
 * An ambassador holds neither the way in nor gRPC.
 */
export function openBuild(ports: Ports): Build {
  let wayIn: WayIn | undefined
  return async (policy) => {
    await loadDoors(policy)
    // Kept once it is there: what drains after a reload may still bring requests.
    if (policy.listeners.public !== undefined) wayIn ??= await loadWayIn()
    return buildSnapshot(policy, ports, wayIn)
  }
}

async function loadWayIn(): Promise<WayIn> {
  const [{ buildIngress }, { buildMessageJson }] = await Promise.all([import('../../core/ingress.ts'), import('../../core/protobuf.ts')])
  return { buildIngress, buildMessageJson }
}

/** What stands behind doors that would otherwise open at their first use. */
async function loadDoors(policy: Policy): Promise<void> {
  const clusters = Object.values(policy.clusters)
  const sources = clusters.flatMap(({ endpoints, subsets }) => [endpoints, ...Object.values(subsets).map((subset) => subset.endpoints)])
  const targets = Object.values(policy.egress).flatMap((egress) => Object.values(egress.targets))
  await Promise.all([
    clusters.some(({ protocol }) => protocol === 'grpc') && loadGrpc(),
    targets.some(({ mode }) => mode === 'replay') && loadReplay(),
    clusters.some(({ descriptors }) => descriptors?.driftMs !== undefined) && loadDrift(),
    ...Array.from(new Set(sources.map((source) => source?.kind)), (kind) => kind !== undefined && kind !== 'static' && loadDiscovery(kind)),
  ])
}
