import type { Unwrap } from '../../nat64.ts'
import { compileCidrs } from '../../net.ts'
import type { EnvironmentClass } from '../../policy/policy.ts'
import { type AddressClass, type AddressKind, classifyAddress } from './classify.ts'

/** Judges an address by its class: why it may not be dialled, or undefined. */
export type Judge = (address: string) => string | undefined

/** Nothing an operator lists opens these: they name no single host, or hide which one they name. */
const never: ReadonlySet<AddressKind> = new Set([
  'unspecified',
  'multicast',
  'broadcast',
  'mapped',
  'compatible',
  'translated',
  'nat64-local',
  '6to4',
  'teredo',
  'isatap',
  'invalid',
])

/**
 * Global unicast passes, and what `allowAddresses` lists. In prod no list opens link-local or metadata addresses; elsewhere
 * metadata opens to an entry that names it alone. Listing 64:ff9b::/96 states that the network translates: the IPv4 inside is judged,
 * as it is for the prefixes that `unwrap` knows without being listed.
 */
export function buildJudge(allowAddresses: readonly string[], environmentClass: EnvironmentClass, unwrap?: Unwrap): Judge {
  const listed = compileCidrs(allowAddresses)
  const single = compileCidrs(allowAddresses.filter(isSingle))
  const opens = ({ kind, address }: AddressClass): boolean => {
    if (never.has(kind)) return false
    if (kind === 'metadata') return environmentClass === 'nonprod' && single(address)
    return listed(address) && (kind !== 'link-local' || environmentClass === 'nonprod')
  }
  return function judge(text: string): string | undefined {
    const found = classifyAddress(text, unwrap)
    if (found.translates && found.embedded !== undefined) return judge(found.embedded)
    if (found.kind === 'global') return undefined
    if (!opens(found)) return `${found.address} is not a public address (${found.kind})`
    return found.embedded === undefined ? undefined : judge(found.embedded)
  }
}

function isSingle(cidr: string): boolean {
  const [, bits] = cidr.split('/')
  return bits === undefined || bits === (cidr.includes(':') ? '128' : '32')
}
