import { isAddress, normalizeAddress, parseAuthority } from '../../net.ts'
import type { Address } from '../../policy/linked/listeners.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import { classifyAddress } from './classify.ts'

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Whether an address and port is one of our own listeners: dialling it would loop, or reach the admin listener. */
export function buildOwn(policy: Policy, ports: Pick<Ports, 'ownAddresses'>): (address: string, port: number) => boolean {
  const listeners = listenersOf(policy)
  const byPort = Map.groupBy(listeners, (listener) => listener.port)
  return (address, port) => {
    const here = byPort.get(port)
    return here !== undefined && here.some((listener) => isAt(listener.host, normalizeAddress(address), ports))
  }
}

function listenersOf(policy: Policy): readonly Address[] {
  const shared = [policy.listeners.public?.address, policy.listeners.egress?.address, policy.listeners.admin?.address]
  const own = Object.values(policy.egress).map(({ service }) => addressOf(service.listen))
  return [...shared, ...own].filter((address) => address !== undefined)
}

function addressOf(listen: string | undefined): Address | undefined {
  const parsed = listen === undefined ? undefined : parseAuthority(listen)
  if (parsed === undefined || 'problem' in parsed || parsed.port === undefined) return undefined
  return { host: parsed.host, port: parsed.port }
}

function isAt(host: string, address: string, ports: Pick<Ports, 'ownAddresses'>): boolean {
  if (isAddress(host) && !wildcards.has(host)) return normalizeAddress(host) === address
  // A wildcard, or a name of this machine: every interface it has.
  return classifyAddress(address).kind === 'loopback' || ports.ownAddresses().some((own) => normalizeAddress(own) === address)
}
