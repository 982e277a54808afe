import type { PublicListener } from '../policy/linked/listeners.ts'
import type { Policy } from '../policy/policy.ts'
import type { JsonObject } from './json.ts'

/** Where operations without a host of their own are: at the listener, or where the document itself came from. */
export function defaultServers(policy: Policy, here: boolean): readonly JsonObject[] {
  const listener = policy.listeners.public
  if (here || listener === undefined) return [{ url: '/', description: 'The host that served this document.' }]
  return [{ url: `${schemeOf(listener)}://${hostText(listener.address.host)}${portText(listener)}`, description: 'The public listener.' }]
}

/** One server for each host of a route; `*.example.com` has a variable. */
export function serversOf(hosts: readonly string[], policy: Policy): readonly JsonObject[] {
  const listener = policy.listeners.public
  const [scheme, port] = listener === undefined ? ['https', ''] : [schemeOf(listener), portText(listener)]
  return hosts.map((host) => {
    if (!host.startsWith('*.')) return { url: `${scheme}://${host}${port}` }
    return { url: `${scheme}://{label}${host.slice(1)}${port}`, variables: { label: { default: 'www', description: 'Any one label.' } } }
  })
}

function schemeOf({ tls }: PublicListener): 'http' | 'https' {
  return tls === undefined ? 'http' : 'https'
}

/** A listener of every address is reached by some name; on this machine by this one. */
function hostText(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

/** Port 0 is any that is free: which one is not known. */
function portText(listener: PublicListener): string {
  const { port } = listener.address
  return port === 0 || port === (schemeOf(listener) === 'https' ? 443 : 80) ? '' : `:${port}`
}
