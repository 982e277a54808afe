const directive = /([^\s,;="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g

/**
 * The directives of `Cache-Control` (RFC 9111 section 5.2), names lower-case; one without a value has an empty one. One that is said twice and not the
 * same is invalid, and so, where it is a time, no time at all (section 4.2.1).
 */
export function directives(values: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [, name = '', quoted, plain] of values.join(',').matchAll(directive)) {
    const key = name.toLowerCase()
    const value = quoted ?? plain ?? ''
    found.set(key, found.has(key) && found.get(key) !== value ? 'invalid' : value)
  }
  return found
}

/** `delta-seconds` (RFC 9111 section 1.2.2), or undefined. */
export function parseSeconds(text: string): number | undefined {
  return /^\d{1,12}$/.test(text) ? Math.min(Number(text), 2_147_483_648) : undefined
}
