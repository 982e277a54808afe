import { ascii, contentOf, type Element, hexOf, inside, oidOf, tags } from './der.ts'

/** One attribute of a distinguished name; the text is undefined where it is written in a way that is not read here. */
interface Attribute {
  readonly type: string
  readonly text: string | undefined
  /** The value as DER, for what cannot be shown as text. */
  readonly der: Uint8Array
}

/** A distinguished name (RFC 5280 section 4.1.2.4), its relative names in the order of the certificate. */
export type DistinguishedName = readonly (readonly Attribute[])[]

const commonName = '2.5.4.3'
// RFC 4514 section 3, and the ones that certificates of services carry besides.
const keywords: Readonly<Record<string, string>> = {
  [commonName]: 'CN',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.6': 'C',
  '2.5.4.9': 'STREET',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
}
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function nameOf(element: Element | undefined): DistinguishedName {
  return inside(element, tags.sequence).map((relative) => inside(relative, tags.set).map(attributeOf))
}

function attributeOf(element: Element): Attribute {
  const [type, value, ...rest] = inside(element, tags.sequence)
  if (value === undefined || rest.length > 0) throw new Error('an attribute of a name that has no single value')
  return { type: oidOf(type), text: textOf(value), der: value.whole }
}

function textOf(value: Element): string | undefined {
  if (value.tag === tags.utf8) return utf8.decode(contentOf(value, tags.utf8))
  return value.tag === tags.printable || value.tag === tags.ia5 ? ascii(value.content) : undefined
}

/** As RFC 4514 writes it: the last first, `CN=orders,O=Shop`. */
export function distinguishedText(name: DistinguishedName): string {
  return name
    .toReversed()
    .map((relative) => relative.map(attributeText).join('+'))
    .join(',')
}

function attributeText({ type, text, der }: Attribute): string {
  const keyword = keywords[type]
  return keyword === undefined || text === undefined ? `${keyword ?? type}=#${hexOf(der)}` : `${keyword}=${escaped(text)}`
}

/** RFC 4514 section 2.4; control characters too are written as escapes. */
function escaped(text: string): string {
  const inner = text.replace(/[\\"+,;<>=]/g, '\\$&').replace(/[\p{Cc}]/gu, (char) => `\\${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return inner.replace(/^[ #]/, '\\$&').replace(/(?<!\\)( )$/, '\\$1')
}

/** Every common name that can be read. */
export function commonNames(name: DistinguishedName): readonly string[] {
  return name.flat().flatMap(({ type, text }) => (type === commonName && text !== undefined ? [text] : []))
}
