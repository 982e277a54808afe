import type { EndpointSource } from '../../policy/policy.ts'
import { consulDiscovery } from './consul.ts'
import { dnsDiscovery, srvDiscovery } from './dns.ts'
import { fileDiscovery } from './file.ts'
import { kubernetesDiscovery } from './kubernetes.ts'
import type { Discovery, DiscoveryPorts } from './source.ts'

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
      return kubernetesDiscovery(source, ports)
  }
}
