import type { BalanceDocument } from '../document/balance.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import { type HealthDocument, type OutlierDocument, outlier } from '../document/health.ts'
import type { BalanceKind, Balancing } from '../linked/balance.ts'
import type { Cluster } from '../linked/clusters.ts'
import type { HealthCheck, Outlier } from '../linked/health.ts'
import { type Entry, isWhole, type Linking, refuse, warn } from './linking.ts'
import { ms, share, stickyOf } from './values.ts'

type ClusterEntry = Entry<ClusterDocument>

/** How a cluster balances, asks how its endpoints are, and ejects. */
export function linkHealth(linking: Linking, entry: ClusterEntry): Pick<Cluster, 'balance' | 'balancing' | 'health' | 'outlier'> {
  const value = entry.value ?? {}
  const said = value.balance ?? 'round_robin'
  const sidecar = value.sidecar ?? 'none'
  checkBalance(linking, entry, said)
  return {
    balance: kindOf(said),
    balancing: typeof said === 'string' ? undefined : balancingOf(said),
    health: value.health === undefined ? undefined : linkCheck(linking, entry, value.health),
    outlier: linkOutlier(linking, entry, value.outlier, sidecar),
  }
}

function kindOf(said: BalanceDocument): BalanceKind {
  return typeof said === 'string' ? said : said.policy
}

function balancingOf({ key, slowStart, panic, zones }: Exclude<BalanceDocument, string>): Balancing {
  return { key: stickyOf(key), slowStartMs: slowStart === undefined ? 0 : ms(slowStart), panic: share(panic), zones }
}

function checkBalance(linking: Linking, entry: ClusterEntry, said: BalanceDocument): void {
  const kind = kindOf(said)
  const hashes = kind === 'ring_hash' || kind === 'maglev'
  const { key, slowStart } = typeof said === 'string' ? { key: undefined, slowStart: undefined } : said
  if (hashes && key === undefined && isWhole(entry, 'balance'))
    refuse(linking, entry, ['balance'], {
      code: 'hash_key_missing',
      message: `${kind} needs a key to choose by.`,
      hint: `Write balance: { policy: ${kind}, key: claim.sub }, or header.NAME, cookie.NAME or client.`,
    })
  if (!hashes && key !== undefined)
    warn(linking, entry, ['balance', 'key'], {
      code: 'no_effect',
      message: `"key" has no effect with ${kind}: it is for ring_hash and maglev.`,
      hint: 'Remove it, or write policy: ring_hash.',
      which: 'key',
    })
  if (hashes && slowStart !== undefined)
    warn(linking, entry, ['balance', 'slowStart'], {
      code: 'no_effect',
      message: `"slowStart" has no effect with ${kind}: keys stay where they belong.`,
      hint: 'Remove it.',
      which: 'key',
    })
}

function linkCheck(linking: Linking, entry: ClusterEntry, said: HealthDocument): HealthCheck | undefined {
  const ways = (['path', 'grpc', 'tcp'] as const).filter((way) => said[way] !== undefined)
  if (ways.length !== 1 && isWhole(entry, 'health'))
    refuse(linking, entry, ['health'], {
      code: 'health_shape',
      message: 'health is exactly one of path, grpc and tcp.',
      hint: 'Write { path: /healthz }, { grpc: package.Service } or { tcp: true }.',
      which: 'key',
    })
  checkWay(linking, entry, said)
  if (ms(said.timeout) > ms(said.interval))
    warn(linking, entry, ['health', 'timeout'], {
      code: 'health_timeout_long',
      message: 'A check may take longer than the time between two: the next one waits for it.',
      hint: 'Make timeout shorter than interval.',
      which: 'key',
    })
  const ask = askOf(said)
  if (ask === undefined) return undefined
  return { ask, intervalMs: ms(said.interval), timeoutMs: ms(said.timeout), healthyAfter: said.healthyAfter, unhealthyAfter: said.unhealthyAfter }
}

function checkWay(linking: Linking, entry: ClusterEntry, { path, grpc, statuses }: HealthDocument): void {
  const isGrpc = entry.value?.protocol === 'grpc'
  if (path !== undefined && isGrpc)
    refuse(linking, entry, ['health', 'path'], {
      code: 'health_protocol',
      message: 'A cluster that speaks grpc is asked over gRPC.',
      hint: 'Write health: { grpc: package.Service }, or { tcp: true }.',
      which: 'key',
    })
  if (grpc !== undefined && !isGrpc)
    refuse(linking, entry, ['health', 'grpc'], {
      code: 'health_protocol',
      message: 'gRPC health is for clusters with protocol: grpc.',
      hint: 'Write health: { path: /healthz }, or protocol: grpc.',
      which: 'key',
    })
  if (statuses !== undefined && path === undefined)
    warn(linking, entry, ['health', 'statuses'], { code: 'no_effect', message: '"statuses" has no effect without path.', hint: 'Remove it.', which: 'key' })
}

function askOf({ path, grpc, tcp, statuses }: HealthDocument): HealthCheck['ask'] | undefined {
  if (path !== undefined) return { kind: 'http', path, statuses: (statuses ?? ['200-299']).map(rangeOf) }
  if (grpc !== undefined) return { kind: 'grpc', service: grpc }
  return tcp === true ? { kind: 'tcp' } : undefined
}

function rangeOf(said: number | string): { readonly from: number; readonly to: number } {
  if (typeof said === 'number') return { from: said, to: said }
  const [from, to] = said.split('-')
  return { from: Number(from), to: Number(to) }
}

/** What a cluster without a sidecar does by itself. */
const usual: OutlierDocument = outlier.parse({})

function linkOutlier(linking: Linking, entry: ClusterEntry, said: OutlierDocument | 'off' | undefined, sidecar: Cluster['sidecar']): Outlier | undefined {
  if (said === 'off') return undefined
  if (said === undefined) return sidecar === 'none' ? outlierOf(usual) : undefined
  if (sidecar !== 'none')
    warn(linking, entry, ['outlier'], {
      code: 'outlier_twice',
      message: `The ${sidecar} sidecar balances by itself: what is ejected here are ways to the sidecar, not endpoints of the service.`,
      hint: 'Remove it, and eject in the mesh.',
      which: 'key',
    })
  return outlierOf(said)
}

function outlierOf(said: OutlierDocument): Outlier {
  return {
    consecutive5xx: said.consecutive5xx,
    consecutiveGateway: said.consecutiveGateway,
    successRate: said.successRate,
    slow: said.slow,
    intervalMs: ms(said.interval),
    ejectForMs: ms(said.ejectFor),
    maxEjectForMs: ms(said.maxEjectFor),
    maxEjected: share(said.maxEjected),
  }
}
