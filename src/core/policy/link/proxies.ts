import { getPublicSuffix } from 'tldts'
import type { ProxySettings } from '../../model/egress-service.ts'
import type { EgressTarget, ProxyTarget } from '../../model/egress-target.ts'
import { compileCidrs, isAddress, parseAuthority } from '../../net.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { TargetDocument } from '../document/targets.ts'
import type { Listeners } from '../linked/listeners.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isSaid, isWhole, type Linking, nameOfPlace, placeIn, refuse, warn } from './linking.ts'
import { linkStream } from './streams.ts'
import { checkAddresses, checkGuarding, type TargetPlace } from './targets.ts'
import { ms } from './values.ts'

const members: ReadonlySet<string> = new Set(['mode', 'hosts', 'ports', 'allowAddresses', 'guardHosts', 'sharesAddressWithProd', 'reason'])

/** The settings of a service of the forward proxy. */
export function linkProxy(linking: Linking, entry: Entry<EgressDocument>, value: Partial<EgressDocument>, listeners: Listeners): ProxySettings {
  if (listeners.egress?.proxy !== true)
    refuse(linking, entry, ['kind'], {
      code: 'way_missing',
      message: 'The service is called through the forward proxy, and no listener is one.',
      hint: 'Write listeners: { egress: { address: 127.0.0.1:9100, proxy: true } }.',
    })
  return { tunnels: value.connect === true ? linkStream(value) : undefined, clientHelloMs: ms(value.clientHelloTimeout ?? '') }
}

/** Checks and links what the forward proxy may call in one environment. Undefined when it cannot be read. */
export function linkProxyTarget(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, place: TargetPlace): EgressTarget | undefined {
  const { path, environment } = place
  for (const key of Object.keys(said)) {
    if (members.has(key) || !isSaid(entry, [...path, key])) continue
    const message = `"${key}" has no meaning for a service of the forward proxy.`
    refuse(linking, entry, [...path, key], { code: 'kind_differs', message, hint: 'Remove it.', which: 'key' })
  }
  checkGuarding(linking, entry, said, place)
  if (said.mode === 'deny') return { mode: 'deny', environment, reason: said.reason }
  if (said.mode !== undefined && said.mode !== 'live')
    refuse(linking, entry, [...path, 'mode'], {
      code: 'kind_differs',
      message: `A service of the forward proxy has no mode: ${said.mode}.`,
      hint: 'Write hosts, or mode: deny.',
    })
  if (said.hosts === undefined) {
    if (isWhole(entry, path.join('.')))
      refuse(linking, entry, path, { code: 'key_missing', message: 'No host may be called.', hint: 'Write hosts: [github.com], or mode: deny.', which: 'key' })
    return undefined
  }
  checkAddresses(linking, entry, said, place)
  checkHosts(linking, entry, said.hosts, said.allowAddresses, path)
  if (place.kind === 'prod' && said.ports.includes(80))
    warn(linking, entry, [...path, 'ports'], {
      code: 'target_clear_text',
      message: 'Requests to port 80 go out in the clear: anybody on the way reads along, credentials of callers too.',
      hint: 'Leave 80 out where the host speaks https.',
    })
  const { ports, allowAddresses, sharesAddressWithProd } = said
  return { mode: 'proxy', environment, hosts: said.hosts.map(bare), ports, allowAddresses, sharesAddressWithProd }
}

/** As requests name it once they are read: addresses without brackets, in their one spelling. */
function bare(host: string): string {
  const parsed = parseAuthority(host)
  return 'problem' in parsed ? host : parsed.host
}

function checkHosts(linking: Linking, entry: Entry<EgressDocument>, hosts: readonly string[], allowAddresses: readonly string[], path: Path): void {
  const allowed = compileCidrs(allowAddresses)
  for (const [i, host] of hosts.entries()) {
    const at = [...path, 'hosts', i]
    if (host.startsWith('*.')) checkWildcard(linking, entry, host, at)
    else if (isAddress(bare(host)) && !allowed(bare(host)))
      refuse(linking, entry, at, {
        code: 'host_is_address',
        message: `${host} is an address: whose it is, its name would say.`,
        hint: 'Write the host name, or the address under allowAddresses too.',
      })
  }
}

/** A registry's suffix names everybody (RFC 9499 section 6, Public Suffix List); one of a hosting company all of its customers. */
function checkWildcard(linking: Linking, entry: Entry<EgressDocument>, host: string, at: Path): void {
  const base = host.slice(2)
  if (getPublicSuffix(base) === base)
    refuse(linking, entry, at, {
      code: 'host_wide',
      message: `Under ${base} anybody may register a name: ${host} would open them all.`,
      hint: 'Name the hosts.',
    })
  else if (getPublicSuffix(base, { allowPrivateDomains: true }) === base)
    warn(linking, entry, at, {
      code: 'host_wide',
      message: `${base} belongs to a company whose customers have names under it: ${host} opens them all.`,
      hint: 'Name the hosts, if only some are meant.',
    })
}

interface Listed {
  readonly entry: Entry<EgressDocument>
  readonly environment: string
  readonly target: ProxyTarget
}

/** A caller's call to a host must meet one service, or its rules would depend on which is looked at first. */
export function checkListedOnce(linking: Linking, listed: readonly Listed[], hosts: ReadonlyMap<string, string>): void {
  const taken = new Map<string, Listed>()
  for (const one of listed) {
    const { entry, environment, target } = one
    for (const [i, host] of target.hosts.entries()) {
      const at = ['environments', environment, 'hosts', i]
      const service = hosts.get(host)
      if (service !== undefined)
        refuse(linking, entry, at, { code: 'address_repeated', message: `${host} is the host of egress.${service} itself.`, hint: 'Give it another name.' })
      for (const port of target.ports) {
        for (const caller of entry.value?.callers ?? []) {
          const key = JSON.stringify([caller, host, port])
          const other = taken.get(key)
          if (other === undefined) taken.set(key, one)
          else if (other.entry !== entry)
            refuse(linking, entry, at, {
              code: 'address_repeated',
              message: `${caller} calls ${host} port ${port} by ${other.entry.id} already, at ${nameOfPlace(placeIn(other.entry, ['environments', other.environment, 'hosts']))}.`,
              hint: 'List it once for each caller.',
            })
        }
      }
    }
  }
}
