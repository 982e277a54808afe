/*
 * Addresses, networks and authorities, read strictly: four decimal octets for IPv4 (no octal, hex or short forms, which
 * resolvers read differently), RFC 4291 section 2.2 for IPv6, RFC 3986 section 3.2 without userinfo for authorities.
 */

/** 16-bit words: two for IPv4, eight for IPv6. */
type Words = readonly number[]

/** An IPv4-mapped IPv6 address as IPv4, IPv6 as RFC 5952 writes it, the zone dropped. Text that is no address stays as it is. */
export function normalizeAddress(text: string): string {
  const words = parseAddress(withoutZone(text))
  return words === undefined ? text : format(words)
}

/** The limit key of an address: its IPv4 /32 or IPv6 /64 in CIDR form. Text that is no address stays as it is. */
export function networkOf(address: string): string {
  const words = parseAddress(withoutZone(address))
  if (words === undefined) return address
  return words.length === 2 ? `${format(words)}/32` : `${format(words.map((word, i) => (i < 4 ? word : 0)))}/64`
}

/** Whether the text is an IPv4 or IPv6 address (no brackets, no zone). */
export function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined
}

/** `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopbackHost(value: string): boolean {
  return value === 'localhost' || value.endsWith('.localhost') || /^127\.\d+\.\d+\.\d+$/.test(value) || value === '::1'
}

/** A sentence about what is wrong with a CIDR, or undefined. A bare address stands for itself alone. */
export function checkCidr(text: string): string | undefined {
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  const words = parseAddress(address)
  if (words === undefined) return `"${address}" is not an IPv4 or IPv6 address`
  if (words.length === 2 && address.includes(':')) return `"${text}" is an IPv4-mapped network: write it as IPv4`
  if (slash < 0) return undefined
  const bits = decimal(text.slice(slash + 1), words.length * 16)
  if (bits === undefined) return `the prefix length of "${text}" is not a number from 0 to ${words.length * 16}`
  const start = edge(words, bits, 0)
  return start.every((word, i) => word === words[i]) ? undefined : `"${text}" has bits set after its prefix: the network is ${format(start)}/${bits}`
}

/** Compiles CIDRs to sorted integer ranges: one binary search per question. Text that is no address is in no network. @throws Error for what `checkCidr` refuses. */
export function compileCidrs(list: readonly string[]): (address: string) => boolean {
  const v4: Range<number>[] = []
  const v6: Range<bigint>[] = []
  for (const text of list) {
    const problem = checkCidr(text)
    if (problem !== undefined) throw new Error(problem)
    const [address = '', prefix] = text.split('/')
    const words = parseAddress(address) ?? []
    const bits = prefix === undefined ? words.length * 16 : Number(prefix)
    const [from, to] = [edge(words, bits, 0), edge(words, bits, 0xffff)]
    if (words.length === 2) v4.push({ from: numberOf(from), to: numberOf(to) })
    else v6.push({ from: bigOf(from), to: bigOf(to) })
  }
  const [small, large] = [merge(v4), merge(v6)]
  return (address) => {
    if (!address.includes(':')) {
      const number = small.length === 0 ? -1 : ipv4Number(withoutZone(address))
      return number >= 0 && holds(small, number)
    }
    const words = parseIpv6(withoutZone(address))
    if (words === undefined) return false
    return words.length === 2 ? holds(small, numberOf(words)) : large.length > 0 && holds(large, bigOf(words))
  }
}

/**
 * Reads `host[:port]` strictly (RFC 9110 section 7.2, RFC 3986 section 3.2.2): no userinfo, no empty host or port, a DNS name in
 * letters, digits, "-" and "_", strict IPv4, or IPv6 in brackets. The host comes back lower-case, addresses normalised and
 * without brackets (`formatAuthority` puts them back).
 */
export function parseAuthority(text: string): { readonly host: string; readonly port: number | undefined } | { readonly problem: string } {
  if (text === '') return { problem: 'it is empty' }
  if (text.includes('@')) return { problem: 'it holds userinfo' }
  const bracketed = text.startsWith('[')
  const end = bracketed ? text.indexOf(']') + 1 : lengthOfName(text)
  if (bracketed && end === 0) return { problem: '"[" is not closed' }
  const host = bracketed ? ipv6Host(text.slice(1, end - 1)) : nameHost(text.slice(0, end))
  if (typeof host !== 'string') return host
  if (end === text.length) return { host, port: undefined }
  if (text[end] !== ':') return { problem: 'something other than a port follows the host' }
  const port = decimal(text.slice(end + 1), 65_535)
  return port === undefined ? { problem: 'the port is not a number from 0 to 65535' } : { host, port }
}

/** One spelling of a host name or address, to compare by: lower-case, without brackets and without the dot of an absolute name. */
export function plainHost(host: string): string {
  const bare = host.startsWith('[') ? host.slice(1, -1) : host
  return normalizeAddress(bare.endsWith('.') ? bare.slice(0, -1) : bare).toLowerCase()
}

/** `host[:port]` with IPv6 in brackets. */
export function formatAuthority(host: string, port: number | undefined): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === undefined ? name : `${name}:${port}`
}

function lengthOfName(text: string): number {
  const colon = text.indexOf(':')
  return colon < 0 ? text.length : colon
}

function ipv6Host(inside: string): string | { readonly problem: string } {
  const words = inside.includes(':') ? parseAddress(inside) : undefined
  return words === undefined ? { problem: 'the brackets hold no IPv6 address' } : format(words)
}

function nameHost(text: string): string | { readonly problem: string } {
  if (text === '' || text.length > 253) return { problem: 'the host is empty or longer than 253 characters' }
  let label = 0
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? 0x2e : text.charCodeAt(i)
    if (code !== 0x2e) {
      if (!isNameCode(code)) return { problem: 'the host holds a character that no host name has' }
      continue
    }
    if (!isLabel(text, label, i)) return { problem: 'a label of the host is empty, longer than 63 characters, or has "-" at an end' }
    label = i + 1
  }
  // Only now: characters outside ASCII (the Kelvin sign) have lower-case forms inside.
  const host = text.toLowerCase()
  const last = host.slice(host.lastIndexOf('.') + 1)
  // URL parsers read a name that ends in a number as IPv4 in some spelling; only one spelling is left.
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(last) && parseIpv4(host) === undefined) return { problem: 'the host is an IPv4 address in an unusual spelling' }
  return host
}

function isNameCode(code: number): boolean {
  const lower = code | 0x20
  return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x5f
}

function isLabel(host: string, from: number, to: number): boolean {
  return to > from && to - from <= 63 && host.charCodeAt(from) !== 0x2d && host.charCodeAt(to - 1) !== 0x2d
}

interface Range<N> {
  readonly from: N
  readonly to: N
}

function merge<N extends number | bigint>(ranges: readonly Range<N>[]): readonly Range<N>[] {
  const merged: Range<N>[] = []
  for (const range of [...ranges].sort((a, b) => (a.from < b.from ? -1 : 1))) {
    const last = merged.at(-1)
    if (last === undefined || range.from > last.to) merged.push(range)
    else if (range.to > last.to) merged[merged.length - 1] = { from: last.from, to: range.to }
  }
  return merged
}

function holds<N extends number | bigint>(ranges: readonly Range<N>[], key: N): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = ranges[middle] as Range<N> // low and high stay inside the list
    if (key < range.from) high = middle - 1
    else if (key > range.to) low = middle + 1
    else return true
  }
  return false
}

function numberOf([high = 0, low = 0]: Words): number {
  return high * 65_536 + low
}

function bigOf(words: Words): bigint {
  let value = 0n
  for (const word of words) value = (value << 16n) | BigInt(word)
  return value
}

/** The first (`fill` 0) or last (`fill` 0xffff) address of the network. */
function edge(words: Words, bits: number, fill: number): Words {
  return words.map((word, i) => {
    const kept = Math.min(16, Math.max(0, bits - i * 16))
    const mask = (0xffff << (16 - kept)) & 0xffff
    return (word & mask) | (fill & ~mask & 0xffff)
  })
}

function withoutZone(text: string): string {
  const percent = text.indexOf('%')
  return percent < 0 ? text : text.slice(0, percent)
}

function parseAddress(text: string): Words | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): Words | undefined {
  const value = ipv4Number(text)
  return value < 0 ? undefined : [Math.floor(value / 65_536), value % 65_536]
}

/** Four decimal octets without leading zeros as one number, or -1. */
function ipv4Number(text: string): number {
  let octets = 1
  let value = 0
  let octet = -1
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit === -2) {
      if (octet < 0 || ++octets > 4) return -1
      value = value * 256 + octet
      octet = -1
      continue
    }
    // A zero stands alone.
    if (digit < 0 || digit > 9 || octet === 0) return -1
    octet = octet < 0 ? digit : octet * 10 + digit
    if (octet > 255) return -1
  }
  return octets === 4 && octet >= 0 ? value * 256 + octet : -1
}

/** A decimal number without sign or leading zeros, at most `max`. */
function decimal(text: string, max: number): number | undefined {
  if (text.length === 0 || text.length > 5 || (text.length > 1 && text.charCodeAt(0) === 0x30)) return undefined
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value <= max ? value : undefined
}

/** RFC 4291 section 2.2, forms 1 to 3; `::ffff:0:0/96` comes back as IPv4. */
function parseIpv6(text: string): Words | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const compressed = halves.length === 2
  const head = groups(halves[0] ?? '', !compressed)
  const tail = compressed ? groups(halves[1] ?? '', true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (compressed ? missing < 1 : missing !== 0) return undefined
  const words = [...head, ...Array.from({ length: missing }, () => 0), ...tail]
  const mapped = words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0)
  return mapped ? words.slice(6) : words
}

/** Colon-separated groups; the last may be dotted IPv4 where the address ends. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const words: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      const ipv4 = last && i === parts.length - 1 ? parseIpv4(part) : undefined
      if (ipv4 === undefined) return undefined
      words.push(...ipv4)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) words.push(Number.parseInt(part, 16))
    else return undefined
  }
  return words
}

function format(words: Words): string {
  const [high = 0, low = 0] = words
  if (words.length === 2) return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  const [from, to] = longestZeros(words)
  const text = (part: Words) => part.map((word) => word.toString(16)).join(':')
  return to - from < 2 ? text(words) : `${text(words.slice(0, from))}::${text(words.slice(to))}`
}

/** The first of the longest runs of zero words (RFC 5952 section 4.2.3). */
function longestZeros(words: Words): readonly [from: number, to: number] {
  let best: readonly [number, number] = [0, 0]
  for (let from = 0; from < words.length; from++) {
    let to = from
    while (words[to] === 0) to++
    if (to - from > best[1] - best[0]) best = [from, to]
    from = Math.max(from, to - 1)
  }
  return best
}
