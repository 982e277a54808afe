import { isAddress } from '../../net.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import type { Cluster } from '../linked/clusters.ts'
import type { Endpoints } from '../linked/endpoints.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isSaid, type Linking, refuse, warn } from './linking.ts'

type Sidecar = Exclude<Cluster['sidecar'], 'none'>
type Doc = Entry<ClusterDocument>

/** One part of a cluster: the whole (no name), or a subset with endpoints of its own. */
interface Part {
  readonly endpoints: Endpoints
  readonly path: Path
}

/** What makes no sense for the proxy beside the gateway: it would be gone past, could not route, or could not read what it is given. */
export function checkSidecar(linking: Linking, entry: Doc, parts: readonly Part[]): void {
  const sidecar = entry.value?.sidecar
  if (sidecar === undefined || sidecar === 'none') return
  checkAuthority(linking, entry, sidecar)
  for (const part of parts) checkTarget(linking, entry, sidecar, part)
  if (entry.value?.tls !== undefined && sidecar !== 'envoy')
    warn(linking, entry, ['tls'], {
      code: 'sidecar_tls',
      message: `The ${sidecar} sidecar encrypts by itself; what the gateway has encrypted before it can neither route nor balance.`,
      hint: 'Remove tls:, or write sidecar: none where nothing stands in between.',
      which: 'key',
    })
}

/** Consul's proxy has a listener per upstream: the address chooses, and the authority is for the service alone. */
function checkAuthority(linking: Linking, entry: Doc, sidecar: Sidecar): void {
  const { value } = entry
  if (sidecar === 'consul') {
    for (const [name, subset] of Object.entries(value?.subsets ?? {})) {
      if (subset.authority === undefined || isSaid(entry, ['subsets', name, 'address']) || isSaid(entry, ['subsets', name, 'endpoints'])) continue
      warn(linking, entry, ['subsets', name, 'authority'], {
        code: 'sidecar_authority',
        message: `The consul sidecar chooses the upstream by the port that is dialled: by its authority alone the subset "${name}" leads to the same one.`,
        hint: 'Declare an upstream of its own in the sidecar, and give the subset its address.',
      })
    }
  } else if (value?.authority === undefined && !isSaid(entry, ['authority'])) {
    warn(linking, entry, ['sidecar'], {
      code: 'authority_missing',
      message: `The ${sidecar} sidecar chooses the service by authority, and none is given: it gets the downstream's own host name.`,
      hint: 'Add authority: the name of the service in the mesh.',
    })
  }
}

function checkTarget(linking: Linking, entry: Doc, sidecar: Sidecar, { endpoints, path }: Part): void {
  if (sidecar === 'istio') checkIstio(linking, entry, endpoints, path)
  if (sidecar === 'consul') checkConsul(linking, entry, endpoints, path)
}

/**
 * Istio's sidecar captures what leaves the pod and routes by Service host: traffic for an address of a pod goes past routes, splits and
 * policies, and to places that have moved.
 */
function checkIstio(linking: Linking, entry: Doc, endpoints: Endpoints, path: Path): void {
  const hint = 'Dial the Service: address: orders.shop.svc.cluster.local:8080.'
  const place = whereOf(entry, path)
  if (endpoints.kind !== 'static' && endpoints.kind !== 'dns')
    refuse(linking, entry, place, { code: 'sidecar_target', message: 'Pods are looked up here, and the istio sidecar routes what is sent to Services.', hint })
  if (endpoints.kind !== 'static') return
  for (const address of endpoints.addresses) {
    if (isLocal(address))
      warn(linking, entry, place, {
        code: 'sidecar_bypassed',
        message: 'The istio sidecar captures what leaves the pod; this does not leave it, and goes past the sidecar.',
        hint,
      })
    else if (address.kind === 'tcp' && isAddress(address.host.replace(/^\[|\]$/g, '')))
      refuse(linking, entry, place, {
        code: 'sidecar_target',
        message: `${address.host} is an address, and the istio sidecar routes what is sent to Services.`,
        hint,
      })
  }
}

/** Each upstream has a port or a socket of its own beside the gateway. */
function checkConsul(linking: Linking, entry: Doc, endpoints: Endpoints, path: Path): void {
  if (endpoints.kind === 'static' && endpoints.addresses.every(isLocal)) return
  warn(linking, entry, whereOf(entry, path), {
    code: 'sidecar_bypassed',
    message: 'The consul sidecar listens on loopback or on a socket, one per upstream; this goes past it, unless a transparent proxy captures it.',
    hint: 'Dial 127.0.0.1 and the local_bind_port of the upstream, or unix: and its local_bind_socket_path.',
  })
}

function isLocal(address: { readonly kind: 'tcp'; readonly host: string } | { readonly kind: 'unix' }): boolean {
  return address.kind === 'unix' || address.host === 'localhost' || address.host === '[::1]' || address.host === '::1' || address.host.startsWith('127.')
}

function whereOf(entry: Doc, path: Path): Path {
  return isSaid(entry, [...path, 'address']) ? [...path, 'address'] : [...path, 'endpoints']
}
