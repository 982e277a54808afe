import { isLoopbackHost } from '../../net.ts'
import { parseSpiffeId, spiffePatternsMeet } from '../../spiffe.ts'
import type { CallerDocument } from '../document/callers.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { EgressListenerDocument, EgressTlsDocument } from '../document/listeners.ts'
import type { Caller, CallerToken } from '../linked/callers.ts'
import type { Entries } from './entries.ts'
import { type Entry, isSaid, isWhole, type Linking, refuse, warn } from './linking.ts'
import { addressOf } from './values.ts'

/** A port by which a caller may come. */
interface Way {
  readonly of: 'shared' | 'own'
  readonly open: boolean
  readonly tls: EgressTlsDocument | undefined
}

/** Whether callers can be told apart by what they are known by, and whether the ports they come by ask for it. */
export function checkRecognition(linking: Linking, entries: Entries, callers: readonly Caller[]): void {
  const shared = entries.listeners.get('egress')
  const known = callers.filter(({ name }) => isWholeCaller(entries.callers.get(name)))
  checkDistinct(linking, entries, known)
  checkDomains(linking, entries, known)
  for (const { name, token } of known) if (token !== undefined) checkHolder(linking, entries, name, token)
  const byName = new Map(known.map((caller) => [caller.name, caller]))
  const open = Array.from(entries.egress.values(), (entry) => checkService(linking, entry, shared?.value, byName)).includes(true)
  if (shared !== undefined && open) warnOpen(linking, shared, ['address'], shared.value?.address ?? '')
  checkAsked(linking, entries, shared, known)
}

function isWholeCaller(entry: Entry<CallerDocument> | undefined): boolean {
  return entry?.value !== undefined && ['listener', 'spiffe', 'token'].every((key) => isWhole(entry, key))
}

/** Two callers that one request would be: it could be neither. Those known by the listener alone are told apart by the order of the service's list. */
function checkDistinct(linking: Linking, entries: Entries, callers: readonly Caller[]): void {
  const proved = callers.filter((caller) => caller.spiffe !== undefined || caller.token !== undefined)
  for (const [i, caller] of proved.entries()) {
    const other = proved.slice(0, i).find((before) => isSame(before, caller))
    const entry = entries.callers.get(caller.name)
    if (other === undefined || entry === undefined) continue
    refuse(linking, entry, [], {
      code: 'callers_alike',
      message: `A workload may be "${other.name}" and "${caller.name}" at once: what they are known by does not tell them apart.`,
      hint: 'Give them ids or claims that exclude each other, or listeners of their own.',
    })
  }
}

function isSame(one: Caller, other: Caller): boolean {
  if (one.listener !== other.listener && one.listener !== 'egress' && other.listener !== 'egress') return false
  if ((one.spiffe === undefined) !== (other.spiffe === undefined) || (one.token === undefined) !== (other.token === undefined)) return false
  if (one.spiffe !== undefined && !one.spiffe.some((a) => other.spiffe?.some((b) => spiffePatternsMeet(a, b)))) return false
  return one.token === undefined || other.token === undefined || includes(one.token, other.token) || includes(other.token, one.token)
}

/** Whether every token that fits `narrow` fits `wide`. Where neither includes the other a token that is both is refused when it comes. */
function includes(wide: CallerToken, narrow: CallerToken): boolean {
  if (wide.issuer !== narrow.issuer) return false
  return wide.claims.every((asked) =>
    narrow.claims.some(
      (given) =>
        given.path === asked.path && (asked.kind === 'present' || (given.kind === 'in' && given.values.every((value) => asked.values.includes(value)))),
    ),
  )
}

/** A bundle of several authorities lets each of them sign for the trust domains of the others. */
function checkDomains(linking: Linking, entries: Entries, callers: readonly Caller[]): void {
  const domains = new Map<string, Entry<CallerDocument>>()
  for (const { name, spiffe = [] } of callers) {
    const entry = entries.callers.get(name)
    for (const pattern of spiffe) {
      const id = parseSpiffeId(pattern.replaceAll('*', 'x'))
      if ('problem' in id || entry === undefined || domains.has(id.trustDomain)) continue
      domains.set(id.trustDomain, entry)
      if (domains.size !== 2) continue
      warn(linking, entry, ['spiffe'], {
        code: 'trust_domains_mixed',
        message: `Callers are of several trust domains (${[...domains.keys()].join(', ')}), and whoever signs for one of them could sign for the others.`,
        hint: 'Give each trust domain a gateway of its own, or trust one authority for all of them.',
      })
    }
  }
}

/** There is no way to prove here that one holds a key of DPoP. */
function checkHolder(linking: Linking, entries: Entries, name: string, token: CallerToken): void {
  const entry = entries.callers.get(name)
  if (entry === undefined || entries.issuers.get(token.issuer)?.value?.proof?.required !== 'dpop') return
  refuse(linking, entry, ['token', 'issuer'], {
    code: 'token_bound',
    message: `Tokens of "${token.issuer}" must be bound to a key of DPoP, and callers bring no proof of one.`,
    hint: 'Use an issuer whose tokens are bound to a certificate, or to nothing.',
  })
}

/** Problems of one service's callers. True where its shared port is open to somebody whom nothing but the port tells. */
function checkService(
  linking: Linking,
  entry: Entry<EgressDocument>,
  shared: Partial<EgressListenerDocument> | undefined,
  callers: ReadonlyMap<string, Caller>,
): boolean {
  const listed = (entry.value?.callers ?? []).flatMap((name) => callers.get(name) ?? [])
  const ways = waysInto(entry, shared)
  const open = new Set<Way>()
  for (const caller of listed) {
    const [i, own] = [entry.value?.callers?.indexOf(caller.name) ?? 0, ways.filter((way) => mayCome(caller, way, entry.name))]
    const isKnown = caller.spiffe !== undefined || caller.token !== undefined
    if (entry.value?.kind === 'tcp' && isKnown)
      refuse(linking, entry, ['callers', i], {
        code: 'stream_caller',
        message: `A TCP connection says nothing about who makes it, and "${caller.name}" is known by a certificate or token.`,
        hint: `List a caller that is known by its listener alone, such as { listener: "egress:${entry.name}" }.`,
      })
    else if (caller.spiffe !== undefined && ways.length > 0 && !own.some(({ tls }) => tls?.clientCa !== undefined))
      refuse(linking, entry, ['callers', i], {
        code: 'certificate_unasked',
        message: `"${caller.name}" is known by its certificate, and no port by which it comes to "${entry.name}" asks for one.`,
        hint: 'Add tls: { certificate, key, clientCa } to listeners.egress, or to the service for its own port.',
      })
    for (const way of own) if (way.open && (!isKnown || way.tls === undefined)) open.add(way)
  }
  const ownWay = ways.find(({ of }) => of === 'own')
  if (ownWay !== undefined && (open.has(ownWay) || (ownWay.open && listed.length === 0))) warnOpen(linking, entry, ['listen'], entry.value?.listen ?? '')
  return ways.some((way) => way.of === 'shared' && open.has(way))
}

function waysInto({ value }: Entry<EgressDocument>, shared: Partial<EgressListenerDocument> | undefined): readonly Way[] {
  const isOpen = (address: string | undefined) => address !== undefined && !isLoopbackHost(addressOf(address).host)
  return [
    ...(value?.listen === undefined ? [] : [{ of: 'own', open: isOpen(value.listen), tls: value.tls } as const]),
    ...((value?.host === undefined && value?.kind !== 'proxy') || shared === undefined
      ? []
      : [{ of: 'shared', open: isOpen(shared.address), tls: shared.tls } as const]),
  ]
}

function mayCome({ listener }: Caller, { of }: Way, service: string): boolean {
  return listener === 'egress' || (of === 'own' && listener === `egress:${service}`)
}

function warnOpen<T>(linking: Linking, entry: Entry<T>, path: readonly string[], address: string): void {
  warn(linking, entry, path, {
    code: 'listen_open',
    message: `${address} is not a loopback address: whoever reaches this machine calls out as its callers, or can read their tokens on the way.`,
    hint: 'Listen on 127.0.0.1, keep the port behind a network policy, or give it tls: and let callers be known by spiffe or token.',
  })
}

/** A certificate that is asked for and tells nobody anything. */
function checkAsked(linking: Linking, entries: Entries, shared: Entry<EgressListenerDocument> | undefined, callers: readonly Caller[]): void {
  if (callers.length !== entries.callers.size || callers.some(({ spiffe, token }) => spiffe !== undefined || token !== undefined)) return
  const asking = [...(shared === undefined ? [] : [shared]), ...entries.egress.values()]
  for (const entry of asking)
    if (isSaid(entry, ['tls', 'clientCa']))
      warn(linking, entry, ['tls', 'clientCa'], {
        code: 'no_effect',
        message: '"clientCa" has no effect while no caller is known by a certificate.',
        hint: 'Write spiffe: at a caller, or remove it.',
        which: 'key',
      })
}
