import { type ClusterDocument, descriptorsIn } from '../document/clusters.ts'
import type { Cluster, PinnedSet, Subset } from '../linked/clusters.ts'
import type { Endpoints } from '../linked/endpoints.ts'
import type { Path } from '../read/node.ts'
import type { Descriptors } from './descriptors.ts'
import { linkEndpoints } from './endpoints.ts'
import { linkHealth } from './health.ts'
import { type Entry, isSaid, isWhole, type Linking, refuse, warn } from './linking.ts'
import { linkBreaker } from './protect.ts'
import { checkSidecar } from './sidecar.ts'
import { ms } from './values.ts'

const nowhere: Endpoints = { kind: 'static', addresses: [] }

/** Checks and links the clusters. Quarantine is set later. */
export function linkClusters(linking: Linking, entries: ReadonlyMap<string, Entry<ClusterDocument>>, descriptors: Descriptors): readonly Cluster[] {
  for (const entry of entries.values()) checkDescriptors(linking, entry, descriptors)
  return Array.from(entries.values(), (entry) => linkCluster(linking, entry, descriptors))
}

function checkDescriptors(linking: Linking, entry: Entry<ClusterDocument>, descriptors: Descriptors): void {
  const said = descriptorsIn(entry.value?.descriptors)
  if (said !== undefined && entry.value?.protocol !== undefined && entry.value.protocol !== 'grpc')
    warn(linking, entry, ['descriptors'], {
      code: 'no_effect',
      message: `"descriptors" has no effect on a cluster that speaks ${entry.value.protocol}.`,
      hint: 'Write protocol: grpc, or remove it.',
      which: 'key',
    })
  const found = said === undefined ? undefined : descriptors(said.file)
  if (said === undefined || found === undefined) return
  const path = typeof entry.value?.descriptors === 'string' ? ['descriptors'] : ['descriptors', 'file']
  if ('problem' in found)
    refuse(linking, entry, path, {
      code: 'descriptors_unreadable',
      message: found.problem,
      hint: 'Make it with `sallyport proto build` or `sallyport proto pull`.',
    })
  else if (said.sha256 !== undefined && said.sha256 !== found.digest)
    refuse(linking, entry, ['descriptors', 'sha256'], {
      code: 'descriptors_digest',
      message: `${said.file} is not the set that is pinned: its digest is ${found.digest}.`,
      hint: 'Put the pinned file back, or review what changed and write the new digest here.',
    })
}

function pinnedSet(value: Partial<ClusterDocument>, descriptors: Descriptors): PinnedSet | undefined {
  const said = descriptorsIn(value.descriptors)
  const found = said === undefined ? undefined : descriptors(said.file)
  if (said === undefined || found === undefined || 'problem' in found) return undefined
  return { file: said.file, sha256: found.digest, driftMs: said.drift === undefined ? undefined : ms(said.drift) }
}

function linkCluster(linking: Linking, entry: Entry<ClusterDocument>, descriptors: Descriptors): Cluster {
  const value = entry.value ?? {}
  const endpoints = linkEndpoints(linking, entry, value, [])
  if (!isSaid(entry, ['address']) && !isSaid(entry, ['endpoints']) && entry.value !== undefined)
    refuse(linking, entry, [], { code: 'endpoints_missing', message: 'The cluster does not say where it is.', hint: 'Add address: host:port, or endpoints.' })
  const subsets = linkSubsets(linking, entry, value, endpoints)
  const own = Object.entries(subsets).flatMap(([name, subset]) =>
    subset.endpoints === undefined ? [] : [{ endpoints: subset.endpoints, path: ['subsets', name] }],
  )
  checkSidecar(linking, entry, [...(endpoints === undefined ? [] : [{ endpoints, path: [] }]), ...own])
  return {
    name: entry.name,
    quarantined: undefined,
    sidecar: value.sidecar ?? 'none',
    protocol: value.protocol ?? 'http',
    endpoints: endpoints ?? nowhere,
    authority: value.authority,
    tls: linkTls(linking, entry, value),
    ...linkHealth(linking, entry),
    connectTimeoutMs: ms(value.connectTimeout ?? ''),
    caps: {
      requests: value.caps?.requests ?? 0,
      pending: value.caps?.pending ?? 0,
      retries: value.caps?.retries,
      connections: linkConnections(linking, entry),
    },
    breaker: linkBreaker(value.breaker),
    concurrency: value.concurrency,
    subsets,
    descriptors: pinnedSet(value, descriptors),
  }
}

function linkConnections(linking: Linking, entry: Entry<ClusterDocument>): number | undefined {
  const { caps, protocol } = entry.value ?? {}
  if (caps?.connections !== undefined && protocol === 'grpc')
    refuse(linking, entry, ['caps', 'connections'], {
      code: 'no_effect',
      message: 'A gRPC endpoint has one connection, whatever goes over it.',
      hint: 'Remove it; caps.requests bounds what is under way.',
      which: 'key',
    })
  return caps?.connections
}

function linkTls(linking: Linking, entry: Entry<ClusterDocument>, { tls }: Partial<ClusterDocument>): Cluster['tls'] {
  if (tls === undefined) return undefined
  const { serverName, spiffe, ca, certificate, key } = tls
  if ((certificate === undefined) !== (key === undefined) && isWhole(entry, 'tls'))
    refuse(linking, entry, ['tls'], { code: 'tls_pair', message: 'certificate and key go together.', hint: 'Give both or neither.', which: 'key' })
  if (spiffe !== undefined && ca === undefined && !isSaid(entry, ['tls', 'ca']))
    refuse(linking, entry, ['tls', 'spiffe'], {
      code: 'tls_spiffe_ca',
      message: 'A SPIFFE id proves something only when the trust domain signed it, and no authority of it is named.',
      hint: "Add ca: the trust domain's bundle.",
    })
  return { serverName, ...(spiffe !== undefined && { spiffe: typeof spiffe === 'string' ? [spiffe] : spiffe }), ca, certificate, key }
}

function linkSubsets(
  linking: Linking,
  entry: Entry<ClusterDocument>,
  value: Partial<ClusterDocument>,
  endpoints: Endpoints | undefined,
): Readonly<Record<string, Subset>> {
  const subsets = Object.entries(value.subsets ?? {}).map(([name, subset]): [string, Subset] => {
    const path = ['subsets', name]
    if (Object.keys(subset).length === 0 && isWhole(entry, path.join('.')))
      refuse(linking, entry, path, {
        code: 'subset_empty',
        message: `The subset "${name}" does not differ from its cluster.`,
        hint: 'Give it labels, an authority, an address or endpoints.',
        which: 'key',
      })
    const linked = linkEndpoints(linking, entry, subset, path)
    if (subset.labels !== undefined) checkLabels(linking, entry, subset.labels, linked ?? endpoints, path)
    return [name, { authority: subset.authority, endpoints: linked, labels: subset.labels }]
  })
  return Object.fromEntries(subsets)
}

/** Labels that no endpoint can ever have would leave a subset without any. */
function checkLabels(
  linking: Linking,
  entry: Entry<ClusterDocument>,
  labels: Readonly<Record<string, string>>,
  endpoints: Endpoints | undefined,
  path: Path,
): void {
  if (endpoints === undefined || (endpoints.kind !== 'static' && endpoints.kind !== 'dns' && endpoints.kind !== 'srv')) return
  const fits = endpoints.kind === 'static' && endpoints.addresses.some((one) => Object.entries(labels).every(([name, value]) => one.labels?.[name] === value))
  if (fits) return
  refuse(linking, entry, [...path, 'labels'], {
    code: 'subset_labels',
    message: endpoints.kind === 'static' ? 'No endpoint has these labels.' : `Endpoints from ${endpoints.kind} have no labels.`,
    hint: endpoints.kind === 'static' ? 'Give endpoints labels: { address, labels: { … } }.' : 'Give the subset its own endpoints.',
    which: 'key',
  })
}
