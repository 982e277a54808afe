import ipaddr from 'ipaddr.js'

/** The IPv4 address that an IPv6 address stands for behind a translator of this network; undefined where it stands for itself. */
export type Unwrap = (parsed: ipaddr.IPv6) => string | undefined

/** Where the four bytes stand, by the length of the prefix (RFC 6052 section 2.2): byte 8 is none of them. */
const places: Readonly<Record<number, readonly number[]>> = {
  32: [4, 5, 6, 7],
  40: [5, 6, 7, 9],
  48: [6, 7, 9, 10],
  56: [7, 9, 10, 11],
  64: [9, 10, 11, 12],
  96: [12, 13, 14, 15],
}

/** What is wrong with the prefix of a translator, as the end of a sentence; undefined for nothing. */
export function nat64Problem(prefix: string): string | undefined {
  const parsed = parse(prefix)
  if (parsed === undefined) return 'it is no IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as 64:ff9b::/96'
  const isWhole = parsed.network.every((byte, i) => byte === 0 || (i < parsed.bits / 8 && i !== 8))
  return isWhole ? undefined : 'bits are set behind the prefix, or bits 64 to 71 in it (RFC 6052 section 2.2)'
}

/** Compiles prefixes without a problem. An address in one of them is what stands inside, whatever follows that. */
export function compileNat64(prefixes: readonly string[]): Unwrap {
  const known = prefixes.flatMap((prefix) => parse(prefix) ?? [])
  return (parsed) => {
    const bytes = parsed.toByteArray()
    const found = known.find(({ network, bits }) => network.slice(0, bits / 8).every((byte, i) => byte === bytes[i]))
    return found && (places[found.bits] ?? []).map((i) => bytes[i]).join('.')
  }
}

function parse(prefix: string): { readonly network: readonly number[]; readonly bits: number } | undefined {
  const [address = '', length = '', ...more] = prefix.split('/')
  const bits = Number(length)
  if (more.length > 0 || !/^\d+$/.test(length) || !Object.hasOwn(places, bits) || !ipaddr.IPv6.isValid(address) || address.includes('%')) return undefined
  return { network: ipaddr.IPv6.parse(address).toByteArray(), bits }
}
