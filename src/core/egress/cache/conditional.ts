import type { Fields } from '../../model/wire.ts'

/** Whether a caller asks by a condition of its own. */
export function conditional(request: Fields): boolean {
  return request.has('if-none-match') || request.has('if-modified-since')
}

/** Whether the caller has a stored answer already (RFC 9111 section 4.3.2): entity tags are compared weakly, times as texts. */
export function isNotModified(request: Fields, stored: Fields, status: number): boolean {
  if (status !== 200) return false
  const etag = stored.get('etag')
  if (request.has('if-none-match')) return etag !== undefined && tags(request.all('if-none-match')).some((tag) => tag === '*' || weak(tag) === weak(etag))
  const since = request.get('if-modified-since')
  return since !== undefined && since === stored.get('last-modified')
}

function tags(values: readonly string[]): readonly string[] {
  return values.join(',').match(/\*|(?:W\/)?"[^"]*"/g) ?? []
}

function weak(tag: string): string {
  return tag.replace(/^W\//, '')
}
