import { consulDiscovery } from './discovery/consul.ts'
import { dnsDiscovery, srvDiscovery } from './discovery/dns.ts'
import { fileDiscovery } from './discovery/file.ts'
import { kubernetesDiscovery } from './discovery/kubernetes.ts'
import type { DiscoveryPorts } from './discovery/ports.ts'
import type { EndpointSource } from './policy/linked/endpoints.ts'
import type { Discovery } from './ports.ts'

export type { DiscoveryPorts } from './discovery/ports.ts'

/** How endpoints of a source are found. Nothing is asked before it is followed. */
export function discoveryOf(source: EndpointSource, ports: DiscoveryPorts): Discovery {
  switch (source.kind) {
    case 'dns':
      return dnsDiscovery(source, ports)
    case 'srv':
      return srvDiscovery(source, ports)
    case 'file':
      return fileDiscovery(source, ports)
    case 'consul':
      return consulDiscovery(source, ports)
    case 'kubernetes':
    default:
      return kubernetesDiscovery(source, ports)
  }
}
