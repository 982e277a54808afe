import type { RouteUpgrade } from '../../model/route.ts'
import { hidesRequests } from '../../model/upgrade.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import { defaults } from '../document/defaults.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, isWhole, type Linking, refuse } from './linking.ts'
import { ms } from './values.ts'

/** Checks and links `upgrade` of a route. Undefined when it is not said, or broken. */
export function linkUpgrade(linking: Linking, entry: Entry<RouteDocument>, clusters: ReadonlyMap<string, Entry<ClusterDocument>>): RouteUpgrade | undefined {
  const { upgrade, match, to } = entry.value ?? {}
  if (upgrade === undefined || !isWhole(entry, 'upgrade')) return undefined
  const said = 'protocols' in upgrade ? upgrade : { protocols: upgrade, idle: defaults['routes.upgrade.idle'].value, lifetime: undefined }
  const at = 'protocols' in upgrade ? ['upgrade', 'protocols'] : ['upgrade']
  for (const [i, name] of said.protocols.entries()) checkName(linking, entry, [...at, i], name, said.protocols.slice(0, i))
  const isWebSocket = said.protocols.some((name) => name.toLowerCase() === 'websocket')
  if (isWebSocket && match?.methods !== undefined && !match.methods.includes('GET'))
    refuse(linking, entry, ['upgrade'], {
      code: 'no_effect',
      message: 'No WebSocket can reach this route: its handshake is a GET.',
      hint: 'Add GET to match.methods, or remove websocket.',
      which: 'key',
    })
  for (const { name, role } of clustersOf(to)) checkCluster(linking, entry, { name, role }, clusters.get(name)?.value?.protocol)
  return { protocols: said.protocols, idleMs: ms(said.idle), lifetimeMs: said.lifetime === undefined ? undefined : ms(said.lifetime) }
}

function checkName(linking: Linking, entry: Entry<RouteDocument>, at: readonly (string | number)[], name: string, before: readonly string[]): void {
  if (hidesRequests(name))
    refuse(linking, entry, at, {
      code: 'upgrade_refused',
      message: `Upgrading to ${name} is never offered: requests on such a connection would pass every rule unseen.`,
      hint: 'HTTP/2 is spoken by the listener itself; write protocol: h2 at a cluster.',
    })
  if (before.some((other) => other.toLowerCase() === name.toLowerCase()))
    refuse(linking, entry, at, { code: 'no_effect', message: `${name} is named twice.`, hint: 'Name it once.' })
}

/** The change of protocol is one of HTTP/1.1; over HTTP/2 there is none (RFC 9113 section 8.6). */
function checkCluster(linking: Linking, entry: Entry<RouteDocument>, { name, role }: Used, protocol: ClusterDocument['protocol'] | undefined): void {
  // One that speaks gRPC alone is refused for what it is.
  if (protocol !== 'h2') return
  refuse(linking, entry, ['upgrade'], {
    code: 'upgrade_protocol',
    message: `The cluster "${name}"${role === 'failover' ? ' that the route fails over to' : ''} speaks h2, and connections change their protocol over HTTP/1.1 alone.`,
    hint: `Set protocol: http in clusters.${name}, or ${role === 'failover' ? 'fail over' : 'send the route'} to another cluster.`,
    which: 'key',
  })
}

/** A cluster that handshakes of the route may reach. Mirrors are none: a conversation is not copied. */
interface Used {
  readonly name: string
  readonly role: 'destination' | 'failover'
}

function clustersOf(to: RouteDocument['to']): readonly Used[] {
  if (to === undefined) return []
  if (typeof to === 'string') return [{ name: to, role: 'destination' }]
  const destinations = Array.isArray(to) ? to : [to]
  const first = new Set(destinations.map(({ cluster }) => cluster))
  const spare = new Set(destinations.flatMap(({ failover }) => (failover === undefined || first.has(failover.cluster) ? [] : [failover.cluster])))
  return [...Array.from(first, (name): Used => ({ name, role: 'destination' })), ...Array.from(spare, (name): Used => ({ name, role: 'failover' }))]
}
