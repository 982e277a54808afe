import { FieldList } from './fields.ts'
import type { Fields } from './wire.ts'

/** Fields that concern one connection only (RFC 9110 section 7.6.1, with the ones older peers still send). */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

const none: ReadonlySet<string> = new Set()

/** Whether a field of this name (lower-case) is never passed on. */
export function isHopByHop(name: string): boolean {
  return hopByHop.has(name)
}

/** A copy without hop-by-hop fields and without those that `Connection` names. */
export function endToEnd(fields: Fields): FieldList {
  const kept = new FieldList()
  eachEndToEnd(fields, (name, value) => kept.append(name, value))
  return kept
}

/** Visits what `endToEnd` keeps, without the copy. */
export function eachEndToEnd(fields: Fields, visit: (name: string, value: string) => void): void {
  const named = connectionOptions(fields)
  fields.each((name, value) => {
    if (!hopByHop.has(name) && !named.has(name)) visit(name, value)
  })
}

/** The connection options of a message (RFC 9110 section 7.6.1), lower-case. */
function connectionOptions(fields: Fields): ReadonlySet<string> {
  if (!fields.has('connection')) return none
  const named = new Set<string>()
  for (const value of fields.all('connection')) {
    for (const option of value.split(',')) named.add(option.trim().toLowerCase())
  }
  return named
}
