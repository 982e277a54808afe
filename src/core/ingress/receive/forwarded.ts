import { isAddress, normalizeAddress } from '../../net.ts'

/*
 * RFC 7239 section 4:
 *
 *   Forwarded = Element { "," Element }
 *   Element   = [ Pair ] { ";" [ Pair ] }
 *   Pair      = token "=" ( token | quoted-string )
 *
 * and section 6: a node is an address, `[IPv6]`, `unknown` or `_obfuscated`, each with an optional port.
 */

/** The `for` of every element of one Forwarded line, left to right; `unknown` where there is none. Undefined when the line is malformed. */
export function parseForwarded(line: string): readonly string[] | undefined {
  const hops: string[] = []
  let at = 0
  for (;;) {
    const element = readElement(line, at)
    if (element === undefined) return undefined
    if (element.pairs > 0) hops.push(element.node ?? 'unknown')
    if (element.end === line.length) return hops
    at = element.end + 1
  }
}

interface Element {
  readonly end: number
  readonly pairs: number
  readonly node: string | undefined
}

function readElement(line: string, from: number): Element | undefined {
  let at = from
  let pairs = 0
  let node: string | undefined
  for (;;) {
    at = skipSpace(line, at)
    const nameEnd = tokenEnd(line, at)
    if (nameEnd > at) {
      const name = line.slice(at, nameEnd).toLowerCase()
      const value = line[nameEnd] === '=' ? readValue(line, nameEnd + 1) : undefined
      if (value === undefined || (name === 'for' && node !== undefined)) return undefined
      if (name === 'for') node = value.text
      pairs++
      at = skipSpace(line, value.end)
    }
    if (at === line.length || line[at] === ',') return { end: at, pairs, node }
    if (line[at] !== ';') return undefined
    at++
  }
}

function readValue(line: string, from: number): { readonly text: string; readonly end: number } | undefined {
  if (line[from] !== '"') {
    // Many proxies write `for=192.0.2.1:47011` and `for=[::1]` unquoted, although a token has no ":" or "[".
    let end = from
    while (end < line.length && !';, \t"'.includes(line[end] as string)) end++
    return end > from ? { text: line.slice(from, end), end } : undefined
  }
  let text = ''
  for (let at = from + 1; at < line.length; at++) {
    if (line[at] === '"') return { text, end: at + 1 }
    if (line[at] === '\\') at++
    text += line[at] ?? ''
  }
  return undefined
}

function skipSpace(line: string, from: number): number {
  let at = from
  while (line[at] === ' ' || line[at] === '\t') at++
  return at
}

function tokenEnd(line: string, from: number): number {
  let at = from
  while (at < line.length && /[A-Za-z0-9!#$%&'*+\-.^_`|~]/.test(line[at] as string)) at++
  return at
}

/** The address of one hop, written plain, with a port, or in brackets; undefined for `unknown`, obfuscated and malformed ones. */
export function addressOfHop(hop: string): string | undefined {
  if (isAddress(hop)) return normalizeAddress(hop)
  const end = hop.startsWith('[') ? hop.indexOf(']') : hop.indexOf(':')
  const address = hop.startsWith('[') ? hop.slice(1, end) : hop.slice(0, end)
  const rest = hop.slice(hop.startsWith('[') ? end + 1 : end)
  const fits = end > 0 && isAddress(address) && (rest === '' || /^:[\w.-]{1,20}$/.test(rest))
  return fits ? normalizeAddress(address) : undefined
}
