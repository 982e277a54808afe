import { claimAt } from './model/claims.ts'
import type { Metered } from './model/exchange.ts'
import type { Sticky } from './model/sticky.ts'
import type { Fields } from './model/wire.ts'

/** What of an exchange may tell one subject from another. */
export type Told = Pick<Metered, 'principal' | 'request' | 'client'>

/**
 * Compiles what keeps a downstream on one side: the text that is hashed. Where the request does not bring it (no such
 * claim, header or cookie, or an empty one), the client's address takes its place.
 */
export function compileSticky(sticky: Sticky): (x: Told) => string {
  const read = readerOf(sticky)
  return (x) => read(x) || x.client.address
}

function readerOf(sticky: Sticky): (x: Told) => string | undefined {
  if (sticky.kind === 'claim') return (x) => (x.principal.kind === 'subject' ? scalarText(claimAt(x.principal.claims, sticky.path)) : '')
  if (sticky.kind === 'header') return (x) => x.request.headers.get(sticky.name)
  if (sticky.kind === 'cookie') return (x) => cookie(x.request.headers, sticky.name)
  return (x) => x.client.address
}

function scalarText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

/** The first cookie of that name (RFC 6265 section 4.2.1), over all Cookie lines (HTTP/2 may split them), without its quotes. */
function cookie(headers: Fields, name: string): string {
  for (const line of headers.all('cookie')) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=')
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue
      const value = pair.slice(equals + 1).trim()
      return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
    }
  }
  return ''
}
