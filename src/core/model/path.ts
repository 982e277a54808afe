/** A path after canonicalisation, with what a proxied route may have to refuse. */
export interface CanonicalPath {
  readonly path: string
  readonly encodedSlash: boolean
  /** A ";", in an escape or not: who cuts path parameters behind the decoding finds both. */
  readonly semicolon: boolean
}

const forbidden = 0
const plain = 1
const unreserved = 2

/** By ASCII code: RFC 3986 `pchar` and "/" are plain or unreserved, everything else may not stand in a path. */
const kinds = new Uint8Array(128)
for (const char of "!$&'()*+,;=:@/") kinds[char.charCodeAt(0)] = plain
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') kinds[char.charCodeAt(0)] = unreserved

/**
 * The canonical form of a raw path (no query), or why two parsers could read it differently. Canonical: absolute, RFC 3986
 * `pchar` only, unreserved characters decoded and every other escape upper-case (RFC 3986 section 6.2.2). Never repaired, always
 * ambiguous: dot segments and empty segments in any spelling, backslash, control characters, "#", "?", escapes that are
 * not two hex digits or not UTF-8, anything outside ASCII. A canonical path is its own canonical form.
 */
export function canonicalPath(raw: string): CanonicalPath | { readonly ambiguous: string } {
  if (raw.charCodeAt(0) !== 0x2f) return { ambiguous: 'it does not start with "/"' }
  const path = rewriteEscapes(raw)
  if (typeof path !== 'string') return path
  if (path.includes('//')) return { ambiguous: 'an empty segment' }
  const encodedSlash = path.includes('%2F')
  // An encoded slash may be read as a slash further on, so a dot beside it counts as a segment too.
  if ((path.includes('/.') || (encodedSlash && path.includes('%2F.'))) && hasDotSegment(path)) return { ambiguous: 'a dot segment' }
  return { path, encodedSlash, semicolon: path.includes(';') || path.includes('%3B') }
}

function rewriteEscapes(raw: string): string | { readonly ambiguous: string } {
  let path = ''
  let copied = 0
  let beyondAscii = false
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i)
    if (code !== 0x25) {
      if (code > 127 || kinds[code] === forbidden) return { ambiguous: nameOf(code) }
      continue
    }
    const value = hexPair(raw.charCodeAt(i + 1), raw.charCodeAt(i + 2))
    if (value < 0) return { ambiguous: 'a broken percent escape' }
    if (value < 0x20 || value === 0x7f) return { ambiguous: 'an encoded control character' }
    if (value === 0x5c) return { ambiguous: 'an encoded backslash' }
    if (value > 127) beyondAscii = true
    const decoded = value < 128 && kinds[value] === unreserved
    path += raw.slice(copied, i) + (decoded ? String.fromCharCode(value) : raw.slice(i, i + 3).toUpperCase())
    i += 2
    copied = i + 1
  }
  path = copied === 0 ? raw : path + raw.slice(copied)
  return beyondAscii && !isUtf8(path) ? { ambiguous: 'an escape that is not UTF-8' } : path
}

/** The byte that two hex digits (as character codes) spell, or -1. */
function hexPair(high: number, low: number): number {
  const h = hexDigit(high)
  const l = hexDigit(low)
  return h < 0 || l < 0 ? -1 : h * 16 + l
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function isUtf8(path: string): boolean {
  try {
    // The only decoder in the language that refuses overlong forms and surrogates; its result is not used.
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** Servlet containers cut path parameters before they resolve dots, so `..;x` is a dot segment. */
function hasDotSegment(path: string): boolean {
  for (const segment of path.replaceAll('%2F', '/').replaceAll('%3B', ';').split('/')) {
    const semicolon = segment.indexOf(';')
    const name = semicolon < 0 ? segment : segment.slice(0, semicolon)
    if (name === '.' || name === '..') return true
  }
  return false
}

function nameOf(code: number): string {
  if (code === 0x5c) return 'a backslash'
  if (code === 0x23) return 'a "#"'
  if (code < 0x21 || code === 0x7f) return 'a space or control character'
  return code > 127 ? 'a character outside ASCII' : `the character "${String.fromCharCode(code)}"`
}
