/** The names of a client certificate as a person or a policy test writes them down. */
export interface WrittenCertificate {
  readonly uri: readonly string[]
  readonly dns: readonly string[]
  readonly email: readonly string[]
  readonly commonName: string | undefined
}

/** DER of a certificate with these names, good from 1970 to the end of 9999. Nobody signed it: it is for rehearsals, which verify no chain. */
export function writeCertificate({ uri, dns, email, commonName }: WrittenCertificate): Uint8Array {
  const algorithm = element(0x30, oid(2, 16, 840, 1))
  const bits = element(0x03, [0])
  const names = [
    ...email.map((name) => element(0x81, text(name))),
    ...dns.map((name) => element(0x82, text(name))),
    ...uri.map((name) => element(0x86, text(name))),
  ]
  const alternatives = element(0x30, [...oid(2, 5, 29, 17), ...element(0x04, element(0x30, names.flat()))])
  const body = [
    ...element(0xa0, element(0x02, [2])),
    ...element(0x02, [1]),
    ...algorithm,
    ...nameOf('Rehearsal'),
    ...element(0x30, [...element(0x18, text('19700101000000Z')), ...element(0x18, text('99991231235959Z'))]),
    ...nameOf(commonName),
    ...element(0x30, [...algorithm, ...bits]),
    ...(names.length === 0 ? [] : element(0xa3, element(0x30, alternatives))),
  ]
  return Uint8Array.from(element(0x30, [...element(0x30, body), ...algorithm, ...bits]))
}

/** A distinguished name of one common name, or of none. */
function nameOf(commonName: string | undefined): readonly number[] {
  if (commonName === undefined) return element(0x30, [])
  return element(0x30, element(0x31, element(0x30, [...oid(2, 5, 4, 3), ...element(0x0c, text(commonName))])))
}

function element(tag: number, content: readonly number[]): readonly number[] {
  return [tag, ...lengthOf(content.length), ...content]
}

/** X.690 section 10.1: definite, and as short as can be. */
function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}

function oid(first: number, second: number, ...rest: readonly number[]): readonly number[] {
  return element(0x06, [first * 40 + second, ...rest.flatMap((arc) => (arc < 0x80 ? [arc] : [0x80 | (arc >> 7), arc & 0x7f]))])
}

function text(value: string): readonly number[] {
  return [...new TextEncoder().encode(value)]
}
