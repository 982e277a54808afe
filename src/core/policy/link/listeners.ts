import type { EgressListenerDocument, EgressTlsDocument, PlainListenerDocument, PublicListenerDocument } from '../document/listeners.ts'
import type { EgressListener, ListenerLimits, Listeners, ListenerTls, PublicListener } from '../linked/listeners.ts'
import { parseRate } from '../units.ts'
import { type Entry, isSaid, type Linking, nameOfPlace, placeIn, refuse, warn } from './linking.ts'
import { addressOf, bytes, ms } from './values.ts'

export interface ListenerEntries {
  readonly public: Entry<PublicListenerDocument> | undefined
  readonly egress: Entry<EgressListenerDocument> | undefined
  readonly admin: Entry<PlainListenerDocument> | undefined
}

/** Checks and links the listeners. */
export function linkListeners(linking: Linking, entries: ListenerEntries): Listeners {
  checkDistinct(linking, entries)
  return {
    public: entries.public === undefined ? undefined : linkPublic(linking, entries.public),
    egress: linkEgressListener(entries.egress),
    admin: linkPlain(entries.admin),
  }
}

function checkDistinct(linking: Linking, entries: ListenerEntries): void {
  const taken = new Map<string, Entry<PlainListenerDocument>>()
  for (const entry of [entries.public, entries.egress, entries.admin]) {
    const address = entry?.value?.address
    // Port 0 is any free port.
    if (entry === undefined || address === undefined || address.endsWith(':0')) continue
    const other = taken.get(address)
    if (other === undefined) taken.set(address, entry)
    else
      refuse(linking, entry, ['address'], {
        code: 'address_repeated',
        message: `${address} is the address of "${other.name}" too, at ${nameOfPlace(placeIn(other, ['address']))}.`,
        hint: 'Give one of the two another port.',
      })
  }
}

function linkEgressListener(entry: Entry<EgressListenerDocument> | undefined): EgressListener | undefined {
  const plain = linkPlain(entry)
  return plain === undefined ? undefined : { ...plain, ...linkEgressTls(entry?.value?.tls), proxy: entry?.value?.proxy ?? false }
}

/** Callers without a certificate are let in as far as the walk, which knows who needs none, and writes a record of who is refused. */
export function linkEgressTls(said: EgressTlsDocument | undefined): { readonly tls?: ListenerTls } {
  if (said === undefined) return {}
  const { certificate, key, clientCa } = said
  return { tls: { certificate, key, clientAuth: clientCa === undefined ? 'none' : 'optional', clientCa } }
}

function linkPlain(entry: Entry<PlainListenerDocument> | undefined): Listeners['admin'] {
  const address = entry?.value?.address
  return address === undefined ? undefined : { address: addressOf(address) }
}

function linkPublic(linking: Linking, entry: Entry<PublicListenerDocument>): PublicListener | undefined {
  const value = entry.value
  if (value?.address === undefined || value.limits === undefined) return undefined
  const { headers, headerCount, body, requests, idle } = value.limits
  const newConnections = linkNewConnections(linking, entry)
  if (value.trustedProxies?.some((network) => network.endsWith('/0')) === true)
    warn(linking, entry, ['trustedProxies'], {
      code: 'proxies_everywhere',
      message: 'Every peer is a trusted proxy: anybody may claim any client address.',
      hint: 'Name the networks of your load balancers.',
    })
  return {
    address: addressOf(value.address),
    protocols: value.protocols ?? [],
    tls: linkTls(linking, entry),
    trustedProxies: value.trustedProxies ?? [],
    limits: { headerBytes: bytes(headers), headerCount, bodyBytes: bytes(body), requestMs: ms(requests), idleMs: ms(idle), newConnections },
  }
}

function linkNewConnections(linking: Linking, entry: Entry<PublicListenerDocument>): ListenerLimits['newConnections'] {
  const said = entry.value?.limits?.newConnections
  const rate = said === undefined ? undefined : parseRate(said)
  if (rate === undefined) return undefined
  if (rate.points < 1 || rate.windowMs < 1000 || rate.windowMs > 3_600_000 || rate.windowMs % 1000 !== 0)
    refuse(linking, entry, ['limits', 'newConnections'], {
      code: 'rate_window',
      message: `New connections are counted over 1s to 1h, in whole seconds, and at least one must be let in; ${said} is not such a rate.`,
      hint: 'Write 50/1s.',
    })
  return { points: rate.points, windowMs: rate.windowMs }
}

function linkTls(linking: Linking, entry: Entry<PublicListenerDocument>): ListenerTls | undefined {
  const tls = entry.value?.tls
  if (tls === undefined) return undefined
  if (tls.clientAuth !== 'none' && tls.clientCa === undefined && !isSaid(entry, ['tls', 'clientCa']))
    refuse(linking, entry, ['tls', 'clientAuth'], {
      code: 'client_ca_missing',
      message: `clientAuth: ${tls.clientAuth} needs to know who signs client certificates.`,
      hint: 'Add clientCa: file:/….',
    })
  if (tls.clientAuth === 'none' && tls.clientCa !== undefined)
    warn(linking, entry, ['tls', 'clientCa'], {
      code: 'no_effect',
      message: '"clientCa" has no effect while downstreams are not asked for a certificate.',
      hint: 'Write clientAuth: optional or required, or remove it.',
      which: 'key',
    })
  return { certificate: tls.certificate, key: tls.key, clientAuth: tls.clientAuth, clientCa: tls.clientCa }
}
