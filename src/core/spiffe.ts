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

/** Why a pattern is none: a SPIFFE id, or one with `/*` behind it for everything below; undefined when it is good. */
export function checkSpiffePattern(pattern: string): string | undefined {
  const parsed = parseSpiffeId(pattern.endsWith('/*') ? pattern.slice(0, -2) : pattern)
  return 'problem' in parsed ? parsed.problem : undefined
}

/** Whether an id is one of these, or below one of these. Ids are compared as they are written: there is one spelling of each. */
export function compileSpiffe(patterns: readonly string[]): (id: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.endsWith('/*')))
  const below = patterns.filter((pattern) => pattern.endsWith('/*')).map((pattern) => pattern.slice(0, -1))
  return (id) => exact.has(id) || below.some((prefix) => id.startsWith(prefix))
}
