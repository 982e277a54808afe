import { ascii, contentOf, type Element, elements, inside, integerHex, oidOf, only, tags, timeOf } from './certificate/der.ts'
import { commonNames, distinguishedText, nameOf } from './certificate/name.ts'
import { parseSpiffeId, type SpiffeId } from './spiffe.ts'

/** What a client certificate says. Its signature and its chain were verified by the listener; nothing here does. */
export interface Certificate {
  /** Upper-case hex. */
  readonly serial: string
  /** Distinguished names as RFC 4514 writes them. */
  readonly issuer: string
  readonly subject: string
  readonly commonNames: readonly string[]
  /** Milliseconds since the epoch; the certificate is good at both. */
  readonly notBefore: number
  readonly notAfter: number
  readonly san: { readonly uri: readonly string[]; readonly dns: readonly string[]; readonly email: readonly string[] }
  /** It may sign certificates, or lists of revoked ones. */
  readonly signs: boolean
}

export type ReadCertificate = Certificate | { readonly problem: string }

const longest = 65_536
const alternativeNames = '2.5.29.17'
const keyUsage = '2.5.29.15'
const basicConstraints = '2.5.29.19'
const context = { version: 0xa0, issuerId: 0x81, subjectId: 0x82, extensions: 0xa3 } as const
const generalName = { email: 0x81, dns: 0x82, uri: 0x86 } as const
/** RFC 5280 section 4.2.1.6: those of [0] to [8] that hold more than one element are constructed. */
const generalNames: ReadonlySet<number> = new Set([0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88])

/**
 * Reads an X.509 certificate (RFC 5280 section 4.1) from DER, strictly: what could be understood in two ways is a problem, as the end
 * of a sentence. Never throws.
 */
export function readCertificate(der: Uint8Array): ReadCertificate {
  if (der.length > longest) return { problem: `it is longer than ${longest} bytes` }
  try {
    return certificateOf(der)
  } catch (error) {
    return { problem: `it holds ${error instanceof Error ? error.message : 'what cannot be read'}` }
  }
}

/** The same, remembered for as long as the listener keeps the bytes: a connection brings many requests. */
export function certificateReader(): (der: Uint8Array) => ReadCertificate {
  const known = new WeakMap<Uint8Array, ReadCertificate>()
  return (der) => {
    const before = known.get(der)
    if (before !== undefined) return before
    const certificate = readCertificate(der)
    known.set(der, certificate)
    return certificate
  }
}

/**
 * The SPIFFE id of an X.509-SVID (SPIFFE X509-SVID sections 2 and 5.2): the only URI among its names, of a workload and not of a whole trust
 * domain, in a certificate that signs nothing. A problem otherwise, as the end of a sentence.
 */
export function spiffeOf({ san, signs }: Certificate): (SpiffeId & { readonly id: string }) | { readonly problem: string } {
  const [id, ...others] = san.uri
  if (id === undefined || others.length > 0) return { problem: `it has ${san.uri.length} URIs where an SVID has one` }
  const parsed = parseSpiffeId(id)
  if ('problem' in parsed) return { problem: `its URI is no SPIFFE id: ${parsed.problem}` }
  if (parsed.path === '') return { problem: 'its SPIFFE id names a whole trust domain' }
  return signs ? { problem: 'it may sign other certificates' } : { ...parsed, id }
}

function certificateOf(der: Uint8Array): Certificate {
  const [body, , , ...rest] = inside(only(elements(der)), tags.sequence)
  if (rest.length > 0) throw new Error('more than a certificate has')
  const fields = [...inside(body, tags.sequence)]
  if (fields[0]?.tag === context.version) fields.shift()
  const [serial, , issuer, validity, subject, , ...optional] = fields
  const [from, to, ...more] = inside(validity, tags.sequence)
  if (more.length > 0) throw new Error('a validity of more than two times')
  const extensions = extensionsOf(optional)
  const named = nameOf(subject)
  return {
    serial: integerHex(serial),
    issuer: distinguishedText(nameOf(issuer)),
    subject: distinguishedText(named),
    commonNames: commonNames(named),
    notBefore: timeOf(from),
    notAfter: timeOf(to),
    san: namesOf(extensions.get(alternativeNames)),
    signs: isAuthority(extensions.get(basicConstraints)) || maySign(extensions.get(keyUsage)),
  }
}

function extensionsOf(optional: readonly Element[]): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  const known: ReadonlySet<number> = new Set([context.issuerId, context.subjectId, context.extensions])
  if (optional.some(({ tag }, i) => !known.has(tag) || (optional[i - 1]?.tag ?? 0) >= tag)) throw new Error('more than a certificate has')
  const last = optional.at(-1)
  if (last?.tag !== context.extensions) return found
  for (const extension of inside(only(elements(last.content)), tags.sequence)) {
    const [type, ...parts] = inside(extension, tags.sequence)
    const id = oidOf(type)
    if (found.has(id)) throw new Error('an extension twice')
    if (parts[0]?.tag === tags.boolean) parts.shift()
    found.set(id, contentOf(only(parts), tags.octetString))
  }
  return found
}

/** Names of the kinds that are not read must be well formed all the same: who finds one malformed may see none of the names (RFC 5280 section 4.2.1.6). */
function checkOther({ tag, content }: Element): void {
  if (tag === 0xa0) {
    const [type, value, ...more] = elements(content)
    if (type?.tag !== tags.oid || value?.tag !== 0xa0 || more.length > 0) throw new Error('an otherName that is none')
    only(elements(value.content))
  }
  if (tag === 0xa3 || tag === 0xa4 || tag === 0xa5) elements(content)
  if (tag === 0x87 && content.length !== 4 && content.length !== 16) throw new Error('an address of no length that addresses have')
}

function namesOf(extension: Uint8Array | undefined): Certificate['san'] {
  const names = extension === undefined ? [] : inside(only(elements(extension)), tags.sequence)
  if (names.some(({ tag }) => !generalNames.has(tag))) throw new Error('a name of a kind that there is not')
  for (const name of names) checkOther(name)
  const of = (tag: number) => names.filter((name) => name.tag === tag).map(({ content }) => ascii(content))
  return { uri: of(generalName.uri), dns: of(generalName.dns), email: of(generalName.email) }
}

function isAuthority(extension: Uint8Array | undefined): boolean {
  if (extension === undefined) return false
  const [first] = inside(only(elements(extension)), tags.sequence)
  return first?.tag === tags.boolean && first.content.some((byte) => byte !== 0)
}

/** RFC 5280 section 4.2.1.3: keyCertSign (5) and cRLSign (6) are bits of the first byte after the count of unused ones. */
function maySign(extension: Uint8Array | undefined): boolean {
  if (extension === undefined) return false
  const bits = contentOf(only(elements(extension)), tags.bitString)[1] ?? 0
  return (bits & 0b0000_0110) !== 0
}
