import { claimAt } from '../../model/claims.ts'
import type { Matched } from '../../model/exchange.ts'
import type { Principal } from '../../model/principal.ts'
import type { LimitKeyPart } from '../../policy/linked/limits.ts'

/*
 * The key of a limit:
 *
 *   Key    = { Part } | "-"          "-" is the one key that all requests with a missing part share
 *   Part   = Length ":" Text         Length: UTF-16 code units of Text
 *
 * Length-prefixed, so no two lists of parts make the same key. A claim's text begins with its type (`s:`, `n:`, `b:`), so
 * that the number 1 and the string "1" are two keys.
 */
const sharedKey = '-'

/** What limits read: before authentication without a principal. */
export type Countable = Matched & { readonly principal?: Principal }

/** Reads the key of one limit from an exchange. */
export interface LimitKey {
  /** Undefined: a part is missing and the limit skips such requests. */
  readonly of: (x: Countable) => string | undefined
  /** The same for people: `issuer=shop subject=alice`; missing parts as `?`. */
  readonly readable: (x: Countable) => string
}

/** An empty text is a missing part. */
type ReadPart = (x: Countable) => string

/** Compiles the parts of a key, and what a request with a missing part does. */
export function compileKey(parts: readonly LimitKeyPart[], missing: 'shared' | 'skip'): LimitKey {
  const readers = parts.map(readerOf)
  const labels = parts.map(labelOf)
  const whenMissing = whenMissingOf(missing)
  return {
    of(x) {
      let key = ''
      for (const read of readers) {
        const text = read(x)
        if (text === '') return whenMissing
        key += `${text.length}:${text}`
      }
      return key
    },
    readable: (x) => readers.map((read, i) => `${labels[i]}=${read(x) || '?'}`).join(' '),
  }
}

/** The same key from the texts of its parts; an empty one is missing. */
export function encodeKey(texts: readonly string[], missing: 'shared' | 'skip'): string | undefined {
  return texts.includes('') ? whenMissingOf(missing) : texts.map((text) => `${text.length}:${text}`).join('')
}

function whenMissingOf(missing: 'shared' | 'skip'): string | undefined {
  return missing === 'skip' ? undefined : sharedKey
}

/** What a part is called in the policies. */
export function labelOf(part: LimitKeyPart): string {
  if (part.kind === 'claim') return `claim.${part.path}`
  return part.kind === 'header' ? `header.${part.name}` : part.kind
}

type PlainKind = Exclude<LimitKeyPart['kind'], 'claim' | 'header'>

const plainReaders: Readonly<Record<PlainKind, ReadPart>> = {
  issuer: (x) => (x.principal?.kind === 'subject' ? x.principal.issuer : ''),
  subject: (x) => (x.principal?.kind === 'subject' ? x.principal.subject : ''),
  clientId: (x) => (x.principal?.kind === 'subject' ? (x.principal.clientId ?? '') : ''),
  apiKey: (x) => keyId(x.principal),
  'client.network': (x) => x.client.network,
  'client.address': (x) => x.client.address,
  route: (x) => x.route.name,
  host: (x) => x.request.host,
}

/** The key that was proved, be it beside another credential. */
function keyId(principal: Principal | undefined): string {
  if (principal?.kind !== 'subject') return ''
  const id = principal.keyId ?? principal.also?.find((one) => one.keyId !== undefined)?.keyId
  // An assumed key of a rehearsal has no id of its own.
  return id ?? (principal.by === 'apiKey' ? 'assumed' : '')
}

function readerOf(part: LimitKeyPart): ReadPart {
  if (part.kind === 'claim') return (x) => (x.principal?.kind === 'subject' ? claimText(claimAt(x.principal.claims, part.path)) : '')
  // Repeated lines are one value (RFC 9110 section 5.3): a second line cannot hide behind the first.
  if (part.kind === 'header') return (x) => x.request.headers.all(part.name).join(', ')
  return plainReaders[part.kind]
}

/** Lists and objects make no key: they are missing. */
function claimText(value: unknown): string {
  if (typeof value === 'string') return value === '' ? '' : `s:${value}`
  if (typeof value === 'number') return `n:${value}`
  return typeof value === 'boolean' ? `b:${value}` : ''
}
