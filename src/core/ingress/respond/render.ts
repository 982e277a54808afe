import { type DescField, type DescMessage, fromBinary } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { Fault } from '../../model/fault.ts'
import type { TranslateOptions } from '../../model/translate-options.ts'
import { type RouteTypes, unsetText } from '../../protobuf.ts'
import { buildEtag, type EtagOf } from './etag.ts'

/** A message as it goes downstream: JSON text, or the bytes of a google.api.HttpBody. */
export type Rendered = { readonly kind: 'json'; readonly text: string } | { readonly kind: 'raw'; readonly type: string; readonly bytes: Uint8Array }

/** Makes what goes downstream out of a serialized message. */
export interface Render {
  (message: Uint8Array): Rendered
  /** Where the route shows entity tags and the type has one. */
  readonly etag: EtagOf | undefined
  /** What is shown is google.protobuf.Empty. */
  readonly isEmpty: boolean
}

/** How answers of one RPC look under one rule. @throws Error when they do not fit the descriptors */
export function buildRender(types: RouteTypes, output: string, responseBody: string, options: TranslateOptions): Render {
  const desc = types.registry.getMessage(output)
  if (desc === undefined) throw new Error(`${output} is not in the descriptors`)
  const field = responseBody === '' ? undefined : desc.fields.find((candidate) => candidate.name === responseBody)
  const isEmpty = (field === undefined ? desc : field.message)?.typeName === 'google.protobuf.Empty'
  return Object.assign(renderOf(types, desc, field, options), { etag: buildEtag(desc, field, options), isEmpty })
}

function renderOf(types: RouteTypes, desc: DescMessage, field: DescField | undefined, options: TranslateOptions): (message: Uint8Array) => Rendered {
  if (isHttpBody(desc) && field === undefined) return (bytes) => rawBody(desc, bytes)
  if (field?.fieldKind === 'message' && isHttpBody(field.message)) return (bytes) => rawField(desc, field, bytes)
  if (field === undefined) return (bytes) => ({ kind: 'json', text: types.codec.toText(desc, bytes) })
  const absent = absentText(field, options)
  return (bytes) => ({ kind: 'json', text: types.codec.toFieldText(desc, field, bytes) ?? absent })
}

function isHttpBody(desc: DescMessage): boolean {
  return desc.typeName === 'google.api.HttpBody'
}

/** What a field that is not set looks like as a whole body: its default; `{}` for a message; null where there is no default to show. */
function absentText(field: DescField, options: TranslateOptions): string {
  if (field.fieldKind === 'message') return hasOwnForm(field.message) ? 'null' : '{}'
  return unsetText(field, options) ?? 'null'
}

/** Well-known types that are not written as objects; Struct and Any are, but say nothing when they are not there. */
function hasOwnForm({ typeName }: DescMessage): boolean {
  return typeName.startsWith('google.protobuf.') && typeName !== 'google.protobuf.Empty'
}

function rawField(desc: DescMessage, field: DescField & { readonly fieldKind: 'message' }, bytes: Uint8Array): Rendered {
  const inner = reflect(desc, decoded(desc, bytes)).get(field)
  return rawOf(inner.message as unknown as HttpBody)
}

function rawBody(desc: DescMessage, bytes: Uint8Array): Rendered {
  return rawOf(decoded(desc, bytes) as unknown as HttpBody)
}

/** google.api.HttpBody as the dynamic registry decodes it. */
interface HttpBody {
  readonly contentType: string
  readonly data: Uint8Array
}

function rawOf({ contentType, data }: HttpBody): Rendered {
  const isSafe = contentType !== '' && /^[\x20-\x7e]+$/.test(contentType)
  return { kind: 'raw', type: isSafe ? contentType : 'application/octet-stream', bytes: data }
}

function decoded(desc: DescMessage, bytes: Uint8Array): ReturnType<typeof fromBinary> {
  try {
    return fromBinary(desc, bytes)
  } catch (cause) {
    throw new Fault('upstream_protocol', 'the upstream sent a message that cannot be read', { cause })
  }
}
