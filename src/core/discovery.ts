import { dnsDiscovery, srvDiscovery } from './discovery/dns.ts'
import type { DiscoveryPorts } from './discovery/ports.ts'
import type { EndpointSource } from './policy/linked/endpoints.ts'
import type { Discovery } from './ports.ts'

export type { DiscoveryPorts } from './discovery/ports.ts'

/** Loads what finds endpoints by this kind of source. A process that has none of a kind goes without. @throws Error when it cannot be loaded. */
export async function loadDiscovery(kind: EndpointSource['kind']): Promise<void> {
  if (kind in late) await late[kind as keyof typeof late]()
}

/** What reads what others write, with the libraries for that. */
const late = {
  file: () => import('./discovery/file.ts'),
  consul: () => import('./discovery/consul.ts'),
  kubernetes: () => import('./discovery/kubernetes.ts'),
} as const

/** How endpoints of a source are found. Nothing is asked before it is followed. */
export function discoveryOf(source: EndpointSource, ports: DiscoveryPorts): Discovery {
  switch (source.kind) {
    case 'dns':
      return dnsDiscovery(source, ports)
    case 'srv':
      return srvDiscovery(source, ports)
    case 'file':
      return opened(async () => (await late.file()).fileDiscovery(source, ports))
    case 'consul':
      return opened(async () => (await late.consul()).consulDiscovery(source, ports))
    case 'kubernetes':
    default:
      return opened(async () => (await late.kubernetes()).kubernetesDiscovery(source, ports))
  }
}

/** One that is opened by its first use. */
function opened(open: () => Promise<Discovery>): Discovery {
  let discovery: Promise<Discovery> | undefined
  const there = () => {
    discovery ??= open()
    return discovery
  }
  return {
    once: async (lifeline) => (await there()).once(lifeline),
    follow: async (tell, lifeline) => (await there()).follow(tell, lifeline),
  }
}
