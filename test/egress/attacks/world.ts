import { isIP, type NetConnectOpts, type Socket, connect as tcp } from 'node:net'
import { connect as tls } from 'node:tls'
import type { Network } from '../../../src/node/channels/dial.ts'
import type { Keep } from '../../support/keep.ts'
import { watchSockets } from './sockets.ts'
import { openVendor, type Vendor } from './vendor.ts'

/** What a name resolves to: always the same, another name, or the next of these each time (the last for ever). */
export type Zone = readonly string[] | { readonly cname: string } | { readonly turns: readonly (readonly string[])[] }

/** The network as the gateway finds it: a resolver of the test's own, and a vendor behind every address of the world. */
export interface World {
  readonly network: Network
  readonly vendor: Vendor
  /** Names that were looked up, in order. */
  readonly asked: readonly string[]
  /** `address:port` of every socket that was opened, in order: forbidden ones are let through, and seen here and at the vendor. */
  readonly dialled: readonly string[]
}

/** Where the key set of the callers' issuer is: no third party. */
const issuerAddress = '127.9.8.7'
const issuerPath = '/keys-of-callers'
export const issuer = `http://${issuerAddress}${issuerPath}`

export async function openWorld(keep: Keep, zones: Readonly<Record<string, Zone>>, keySet?: string): Promise<World> {
  watchSockets(keep)
  const vendor = await openVendor(keep, keySet === undefined ? {} : { [issuerPath]: keySet })
  const asked: string[] = []
  const dialled: string[] = []

  function addressesOf(host: string): readonly string[] {
    const before = asked.filter((name) => name === host).length
    asked.push(host)
    const zone = Object.hasOwn(zones, host) ? zones[host] : undefined
    if (zone === undefined) throw new Error(`ENOTFOUND ${host}`)
    if ('cname' in zone) return addressesOf(zone.cname)
    return 'turns' in zone ? (zone.turns[Math.min(before, zone.turns.length - 1)] ?? []) : zone
  }

  return {
    vendor,
    asked,
    dialled,
    network: {
      resolve: async (host) => (isIP(host) === 0 ? addressesOf(host) : [host]),
      connect(place, secure): Socket {
        const { host = '', port } = place as NetConnectOpts & { readonly host?: string; readonly port: number } // the dialler knows no pipes to vendors
        if (host !== issuerAddress) dialled.push(`${host.includes(':') ? `[${host}]` : host}:${port}`)
        const there = { ...place, host: '127.0.0.1', port: vendor.portOf(port, secure !== undefined) }
        return secure === undefined ? tcp(there) : tls(Object.assign(there, secure))
      },
    },
  }
}
