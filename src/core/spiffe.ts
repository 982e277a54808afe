/** A SPIFFE id, taken apart. */
export interface SpiffeId {
  readonly trustDomain: string
  /** With its leading slash; empty for the trust domain itself. */
  readonly path: string
}

const shape = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/

/**
 * Reads a SPIFFE id strictly (SPIFFE-ID section 2): lower-case scheme and trust domain, no port, user, query, fragment or percent
 * escape, no empty or dot segments, at most 2048 bytes. A problem otherwise, as the end of a sentence.
 */
export function parseSpiffeId(text: string): SpiffeId | { readonly problem: string } {
  if (text.length > 2048) return { problem: 'it is longer than 2048 bytes' }
  if (!text.startsWith('spiffe://')) return { problem: 'it does not begin with spiffe://' }
  const [, trustDomain, path] = shape.exec(text) ?? []
  if (trustDomain === undefined || path === undefined) return { problem: 'it is not spiffe://trust.domain/path of letters, digits, ".", "-" and "_"' }
  if (/\/\.{1,2}(?:\/|$)/.test(path)) return { problem: 'it holds a dot segment' }
  return { trustDomain, path }
}

/**
 * Why a pattern is none; undefined when it is good. A pattern is a SPIFFE id in whose path `*` may stand for one whole segment, and as the last
 * segment for everything below. The trust domain is never a pattern: who signs for it is configured.
 */
export function checkSpiffePattern(pattern: string): string | undefined {
  const [, domain = pattern, path = ''] = /^(spiffe:\/\/[^/]*)(.*)$/s.exec(pattern) ?? []
  const parsed = parseSpiffeId(domain + path.replaceAll(/\/\*(?=\/|$)/g, '/x'))
  return 'problem' in parsed ? parsed.problem : undefined
}

/** Whether an id is one of these, or fits one of these. Ids are compared as they are written: there is one spelling of each. */
export function compileSpiffe(patterns: readonly string[]): (id: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const wide = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split('/'))
  if (wide.length === 0) return (id) => exact.has(id)
  return (id) => {
    if (exact.has(id)) return true
    const segments = id.split('/')
    return wide.some((pattern) => reaches(pattern, segments.length) && pattern.every((segment, i) => segment === '*' || segment === segments[i]))
  }
}

/** Whether some id fits both patterns. */
export function spiffePatternsMeet(one: string, other: string): boolean {
  const [a, b] = [one.split('/'), other.split('/')]
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  return reaches(short, long.length) && short.every((segment, i) => segment === '*' || long[i] === '*' || segment === long[i])
}

/** Whether an id of so many segments can fit. */
function reaches(pattern: readonly string[], segments: number): boolean {
  return pattern.at(-1) === '*' ? segments >= pattern.length : segments === pattern.length
}
