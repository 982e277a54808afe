import type { StaticAddress } from '../../policy/linked/endpoints.ts'
import type { Endpoint, Found, Labels } from '../../ports.ts'

/** More endpoints than this in one set are a mistake of the source. */
const mostEndpoints = 5_000

/** `host:port`, IPv6 in brackets, or the path of a socket. */
export function addressText(address: Endpoint['address']): string {
  if (address.kind === 'unix') return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** In the order of the addresses, each once: of two that say the same address the first counts. @throws Error for too many. */
export function inOrder(found: readonly Found[]): readonly Found[] {
  const byAddress = new Map<string, Found>()
  for (const one of found) {
    const text = addressText(one.address)
    if (!byAddress.has(text)) byAddress.set(text, one)
  }
  if (byAddress.size > mostEndpoints) throw new Error(`it names ${byAddress.size} endpoints; at most ${mostEndpoints} are taken`)
  return [...byAddress].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

/** Whether two ordered sets say the same. */
export function sameFound(a: readonly Found[], b: readonly Found[]): boolean {
  return a.length === b.length && JSON.stringify(a.map(facts)) === JSON.stringify(b.map(facts))
}

function facts({ address, weight, zone, labels }: Found) {
  return [addressText(address), weight, zone, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]
}

/** A written address as if it had been found. */
export function foundAt({ weight, zone, labels, ...address }: StaticAddress): Found {
  return { address, weight, zone, labels: labels ?? {} }
}

/** Whether an endpoint has every label that is asked for. */
export function hasLabels(labels: Labels, wanted: Labels | undefined): boolean {
  return wanted === undefined || Object.entries(wanted).every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value)
}
