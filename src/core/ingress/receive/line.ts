import type { Arrival } from '../../model/exchange.ts'
import { canonicalPath } from '../../model/path.ts'
import type { Target } from '../../model/wire.ts'
import { refusal } from './refusal.ts'

/** Bytes of a request line, HTTP/2 counted as if written in HTTP/1 form. */
const lineLimit = 8192
/** They echo credentials back. */
const refusedMethods: ReadonlySet<string> = new Set(['TRACE', 'TRACK'])

/** Refuses what no request line of ours says: foreign versions, methods and lengths; CONNECT where there are no tunnels. @throws Fault */
export function checkLine(arrival: Arrival, tunnels: boolean): void {
  const { method, target, httpVersion } = arrival
  if (httpVersion !== '1.1' && httpVersion !== '2' && httpVersion !== '1.0') throw refusal(arrival, 'request_invalid', 'this HTTP version is not spoken here')
  if (isRefusedMethod(method) || (method === 'CONNECT' && !tunnels)) throw refusal(arrival, 'not_implemented', 'this method is not implemented')
  if (method.length + target.length + ' '.length + ' HTTP/1.1'.length > lineLimit) throw refusal(arrival, 'target_too_long', 'the request target is too long')
}

/** Whether a request of this method is 501, whatever it asks for. */
export function isRefusedMethod(method: string): boolean {
  return !isMethod(method) || refusedMethods.has(method)
}

/** Upper-case: the names in policies are, and two spellings of one method would be judged apart. */
function isMethod(method: string): boolean {
  if (method.length === 0 || method.length > 32) return false
  for (let i = 0; i < method.length; i++) {
    const code = method.charCodeAt(i)
    if (!((code >= 0x41 && code <= 0x5a) || (i > 0 && (code === 0x2d || code === 0x5f || (code >= 0x30 && code <= 0x39))))) return false
  }
  return true
}

/** A target in origin-form (RFC 9112 section 3.2.1); absolute-form, authority-form and `*` are refused. @throws Fault */
export function readTarget(arrival: Arrival, target: string): Target {
  if (target.charCodeAt(0) !== 0x2f) throw refusal(arrival, 'request_invalid', 'the request target is not a path')
  const mark = target.indexOf('?')
  const canonical = canonicalPath(mark < 0 ? target : target.slice(0, mark))
  if ('ambiguous' in canonical) throw refusal(arrival, 'path_ambiguous', `the path could be read in two ways: ${canonical.ambiguous}`)
  const query = mark < 0 ? '' : target.slice(mark + 1)
  if (!isQuery(query)) throw refusal(arrival, 'request_invalid', 'the query holds a character that must be escaped')
  return { path: canonical.path, query, encodedSlash: canonical.encodedSlash, semicolon: canonical.semicolon }
}

/** Printable ASCII without "#". Browsers leave brackets, quotes and "|" as they are, and nobody splits a query at them. */
function isQuery(query: string): boolean {
  for (let i = 0; i < query.length; i++) {
    const code = query.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return false
  }
  return true
}
