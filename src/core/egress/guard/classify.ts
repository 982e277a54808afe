import ipaddr from 'ipaddr.js'
import type { Unwrap } from '../../nat64.ts'
import { isAddress, normalizeAddress } from '../../net.ts'

/**
 * What kind of network an address leads to. Only `global` may be dialled without being listed. `mapped`, `compatible`, `translated`,
 * `nat64`, `nat64-local`, `6to4`, `teredo` and `isatap` are IPv6 spellings that end at some IPv4 address.
 */
export type AddressKind =
  | 'global'
  | 'loopback'
  | 'private'
  | 'shared'
  | 'link-local'
  | 'metadata'
  | 'reserved'
  | 'unspecified'
  | 'multicast'
  | 'broadcast'
  | 'mapped'
  | 'compatible'
  | 'translated'
  | 'nat64'
  | 'nat64-local'
  | '6to4'
  | 'teredo'
  | 'isatap'
  | 'invalid'

export interface AddressClass {
  readonly kind: AddressKind
  /** RFC 5952 spelling without a zone; a mapped address as IPv4; the text itself when it is no address. */
  readonly address: string
  /** The IPv4 address inside a NAT64 address (RFC 6052 section 2.2): of a prefix of this network, or the well-known one. */
  readonly embedded: string | undefined
  /** The operator says that this network translates it: it is what stands inside. */
  readonly translates: boolean
}

/** Instance metadata and platform services: whoever reaches them holds the machine's own credentials. */
const metadataAddresses: ReadonlySet<string> = new Set([
  '169.254.169.254', // AWS, Azure, Google Cloud, Oracle, DigitalOcean
  '169.254.170.2', // AWS ECS task credentials
  '169.254.170.23', // AWS EKS pod identity
  '169.254.42.42', // Scaleway
  '168.63.129.16', // Azure wire server: global unicast by its number
  '100.100.100.200', // Alibaba Cloud
  '192.0.0.192', // Oracle Cloud, older
  'fd00:ec2::254', // AWS over IPv6
  'fd00:ec2::23', // AWS EKS pod identity over IPv6
  'fd20:ce::254', // Google Cloud over IPv6
  'fd00:42::42', // Scaleway over IPv6
])

const kindsByRange: Readonly<Record<string, AddressKind>> = {
  unspecified: 'unspecified',
  broadcast: 'broadcast',
  multicast: 'multicast',
  linkLocal: 'link-local',
  loopback: 'loopback',
  carrierGradeNat: 'shared',
  private: 'private',
  uniqueLocal: 'private',
  rfc6145: 'translated',
  '6to4': '6to4',
  teredo: 'teredo',
}

/** Classifies one address, as text from a resolver or a literal. Spellings that resolvers read differently are `invalid`. */
export function classifyAddress(text: string, unwrap: Unwrap = () => undefined): AddressClass {
  const percent = text.indexOf('%')
  const bare = percent < 0 ? text : text.slice(0, percent)
  if (!isAddress(bare)) return { kind: 'invalid', address: text, embedded: undefined, translates: false }
  const address = normalizeAddress(bare)
  if (bare.includes(':') && !address.includes(':')) return { kind: 'mapped', address, embedded: undefined, translates: false }
  // The one spelling in hexadecimal: ipaddr.js reads ::127.0.0.1 as if it were ::ffff:127.0.0.1.
  const parsed = ipaddr.parse(address)
  if (parsed instanceof ipaddr.IPv6) {
    const inside = unwrap(parsed)
    if (inside !== undefined) return { kind: 'nat64', address, embedded: inside, translates: true }
    return { address, translates: false, ...classifyIpv6(parsed, address) }
  }
  return { kind: metadataAddresses.has(address) ? 'metadata' : kindOfRange(parsed.range()), address, embedded: undefined, translates: false }
}

function classifyIpv6(parsed: ipaddr.IPv6, address: string): Pick<AddressClass, 'kind' | 'embedded'> {
  const words = parsed.parts
  if (metadataAddresses.has(address)) return { kind: 'metadata', embedded: undefined }
  if (isNat64(words)) return { kind: 'nat64', embedded: lastIpv4(words) }
  if (words[0] === 0x64 && words[1] === 0xff9b) return { kind: 'nat64-local', embedded: undefined }
  // RFC 5214 section 6.1: interface id ::0:5efe:a.b.c.d, whatever the prefix and the universal and group bits.
  if (words[5] === 0x5efe && ((words[4] as number) & 0xfcff) === 0) return { kind: 'isatap', embedded: undefined }
  const range = parsed.range()
  if (range !== 'loopback' && range !== 'unspecified' && words.slice(0, 6).every((word) => word === 0)) return { kind: 'compatible', embedded: undefined }
  // IANA has given out 2000::/3 alone; everything else that no range names is nobody's.
  if (range === 'unicast') return { kind: ((words[0] as number) & 0xe000) === 0x2000 ? 'global' : 'reserved', embedded: undefined }
  return { kind: kindOfRange(range), embedded: undefined }
}

function kindOfRange(range: string): AddressKind {
  return range === 'unicast' ? 'global' : (kindsByRange[range] ?? 'reserved')
}

/** The well-known prefix 64:ff9b::/96 (RFC 6052 section 2.1). */
function isNat64(words: readonly number[]): boolean {
  return words[0] === 0x64 && words[1] === 0xff9b && words.slice(2, 6).every((word) => word === 0)
}

function lastIpv4(words: readonly number[]): string {
  const [high = 0, low = 0] = words.slice(6)
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
