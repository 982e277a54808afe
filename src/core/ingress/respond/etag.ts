import type { DescField, DescMessage } from '@bufbuild/protobuf'
import type { TranslateOptions } from '../../model/translate-options.ts'
import type { Inbound } from '../../model/wire.ts'
import { buildStringOf, etagField } from '../../protobuf.ts'

/** The entity tag of an answer as its header says it; undefined when the answer has none. */
export type EtagOf = (message: Uint8Array) => string | undefined

const entityTag = /^(?:W\/)?"[\x21\x23-\x7e]*"$/
const opaque = /^[\x21\x23-\x7e]+$/

/** Finds the entity tag of what the answer shows: of the whole message, or of the field that is its body. Undefined where the route or the type has none. */
export function buildEtag(desc: DescMessage, shown: DescField | undefined, { etag }: TranslateOptions): EtagOf | undefined {
  if (etag === undefined || etag === false) return undefined
  const resource = shown === undefined ? desc : shown.fieldKind === 'message' ? shown.message : undefined
  const field = resource === undefined ? undefined : etagField(resource)
  if (field === undefined) return undefined
  const read = buildStringOf(shown === undefined ? [field] : [shown, field])
  return (message) => headerOf(read(message) ?? '')
}

/** Quoted where the service did not (RFC 9110 section 8.8.3). What no entity tag can hold is none. */
function headerOf(value: string): string | undefined {
  if (entityTag.test(value)) return value
  return opaque.test(value) ? `"${value}"` : undefined
}

/** Whether GET or HEAD is answered 304: If-None-Match names the tag, or any (RFC 9110 section 13.1.2, weak comparison). */
export function isKnown({ method, headers }: Pick<Inbound, 'method' | 'headers'>, etag: string): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const said = headers.all('if-none-match').join(', ')
  if (said.trim() === '*') return true
  const tags: readonly string[] = said.match(/"[\x21\x23-\x7e\x80-\xff]*"/g) ?? []
  return tags.includes(etag.replace(/^W\//, ''))
}
