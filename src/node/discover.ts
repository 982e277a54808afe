import { discoveryOf } from '../core/discovery.ts'
import type { Discover, Random } from '../core/ports.ts'
import type { DialPorts } from './channels/dial.ts'
import { createFiles } from './files.ts'
import { createFollow } from './follow.ts'
import { createNames } from './names.ts'

/** Finds endpoints over this machine's DNS, files and network. `dnsServers`: whom to ask, empty for those of the machine. */
export function createDiscover(ports: DialPorts & { readonly random: Random }, dnsServers: readonly string[]): Discover {
  const { clock } = ports
  const all = { ...ports, names: createNames({ clock, servers: dnsServers }), follow: createFollow(ports), files: createFiles(clock) }
  return (source) => discoveryOf(source, all)
}
