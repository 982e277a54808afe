/** One element of DER (X.690 section 8.1): its tag, and where its content stands. */
export interface Element {
  readonly tag: number
  /** The content alone. */
  readonly content: Uint8Array
  /** Tag, length and content. */
  readonly whole: Uint8Array
}

/** Tags of the universal class, and of the context classes that certificates use. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/**
 * The elements that these bytes are made of. Lengths are definite and as short as can be; tags have one byte.
 * @throws Error for anything that DER would write otherwise, or that ends too early.
 */
export function elements(bytes: Uint8Array): readonly Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = byteAt(bytes, at)
    if ((tag & 0x1f) === 0x1f) throw new Error('a tag of several bytes')
    const { length, from } = lengthAt(bytes, at + 1)
    const end = from + length
    if (end > bytes.length) throw new Error('an element that ends too early')
    found.push({ tag, content: bytes.subarray(from, end), whole: bytes.subarray(at, end) })
    at = end
  }
  return found
}

function lengthAt(bytes: Uint8Array, at: number): { readonly length: number; readonly from: number } {
  const first = byteAt(bytes, at)
  if (first < 0x80) return { length: first, from: at + 1 }
  const count = first & 0x7f
  // Four bytes speak of gigabytes; none means "until an end mark", which is not DER.
  if (count === 0 || count > 3) throw new Error('a length that is not DER')
  let length = 0
  for (let i = 1; i <= count; i++) length = length * 256 + byteAt(bytes, at + i)
  if (length < 0x80 || length < 256 ** (count - 1)) throw new Error('a length that is longer than it needs to be')
  return { length, from: at + 1 + count }
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new Error('an element that ends too early')
  return byte
}

/** The elements inside one of this tag. @throws Error when it has another one. */
export function inside(element: Element | undefined, tag: number): readonly Element[] {
  return elements(contentOf(element, tag))
}

/** @throws Error when the element is not there or has another tag. */
export function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element === undefined || element.tag !== tag) throw new Error(`no element of tag ${tag} where one must be`)
  return element.content
}

/** Exactly one element. */
export function only(list: readonly Element[]): Element {
  const [first] = list
  if (first === undefined || list.length > 1) throw new Error(`${list.length} elements where one must be`)
  return first
}

/** An object identifier in dotted form (X.690 section 8.19). */
export function oidOf(element: Element | undefined): string {
  const bytes = contentOf(element, tags.oid)
  if (bytes.length > 64) throw new Error('an object identifier without end')
  const arcs: bigint[] = []
  // Some identifiers hold a whole UUID, beyond what a number can.
  let value = 0n
  let open = false
  for (const byte of bytes) {
    if (!open && byte === 0x80) throw new Error('an object identifier with a leading zero')
    value = value * 128n + BigInt(byte & 0x7f)
    open = (byte & 0x80) !== 0
    if (open) continue
    if (arcs.length === 0) {
      const head = value < 80n ? value / 40n : 2n
      arcs.push(head, value - head * 40n)
    } else arcs.push(value)
    value = 0n
  }
  if (open || arcs.length === 0) throw new Error('an object identifier that ends too early')
  return arcs.join('.')
}

/** A serial number as upper-case hex without leading zeros. */
export function integerHex(element: Element | undefined): string {
  const bytes = contentOf(element, tags.integer)
  const [first, second] = bytes
  if (first === undefined) throw new Error('an integer without content')
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw new Error('an integer that is longer than it needs to be')
  if (first >= 0x80) throw new Error('a negative serial number')
  return hexOf(first === 0 && bytes.length > 1 ? bytes.subarray(1) : bytes)
}

/** Upper-case hex. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}

/** Milliseconds since the epoch (RFC 5280 section 4.1.2.5): UTC, with seconds, without fractions. */
export function timeOf(element: Element | undefined): number {
  const utc = element?.tag === tags.utcTime
  const text = ascii(contentOf(element, utc ? tags.utcTime : tags.generalizedTime))
  const parts = (utc ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/ : /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/).exec(text)
  if (parts === null) throw new Error('a time that is not written as certificates write it')
  const [said = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number)
  const year = utc ? said + (said < 50 ? 2000 : 1900) : said
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59) throw new Error('a time that is none')
  return ((daysUntil(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

/** Days from the epoch to a date: years that start on the first of March, so that the leap day is the last of its year. */
function daysUntil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const days = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return shifted * 365 + Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400) + days - 719_468
}

/** Printable ASCII alone: a NUL or a line break in a name has fooled many. @throws Error */
export function ascii(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte < 0x20 || byte > 0x7e)) throw new Error('a name with characters that are not printable ASCII')
  return String.fromCharCode(...bytes)
}
