import { create, type DescField, type DescMessage, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { Fault } from '../../model/fault.ts'
import type { TranslateOptions } from '../../model/route.ts'
import type { RouteTypes } from '../../protobuf.ts'

/** A message as it goes downstream: JSON text, or the bytes of a google.api.HttpBody. */
export type Rendered = { readonly kind: 'json'; readonly text: string } | { readonly kind: 'raw'; readonly type: string; readonly bytes: Uint8Array }
export type Render = (message: Uint8Array) => Rendered

/** How answers of one RPC look under one rule. @throws Error when they do not fit the descriptors */
export function buildRender(types: RouteTypes, output: string, responseBody: string, options: TranslateOptions): Render {
  const desc = types.registry.getMessage(output)
  if (desc === undefined) throw new Error(`${output} is not in the descriptors`)
  const field = responseBody === '' ? undefined : desc.fields.find((candidate) => candidate.name === responseBody)
  if (isHttpBody(desc) && field === undefined) return (bytes) => rawBody(desc, bytes)
  if (field?.fieldKind === 'message' && isHttpBody(field.message)) return (bytes) => rawField(desc, field, bytes)
  if (field === undefined) return (bytes) => ({ kind: 'json', text: types.codec.toText(desc, bytes) })
  const name = options.protoNames ? field.name : field.jsonName
  const absent = absentJson(desc, field, name, options)
  return (bytes) => ({ kind: 'json', text: JSON.stringify(memberOf(types.codec.toJson(desc, bytes), name) ?? absent) })
}

function isHttpBody(desc: DescMessage): boolean {
  return desc.typeName === 'google.api.HttpBody'
}

function memberOf(json: JsonValue, name: string): JsonValue | undefined {
  // A field may be called as what every object inherits, such as `constructor`.
  return typeof json === 'object' && json !== null && !Array.isArray(json) && Object.hasOwn(json, name) ? json[name] : undefined
}

/** What a field that is not set looks like as a whole body: its default; `{}` for a message; null where there is no default to show. */
function absentJson(desc: DescMessage, field: DescField, name: string, options: TranslateOptions): JsonValue {
  if (field.fieldKind === 'message') return field.message.typeName.startsWith('google.protobuf.') ? null : {}
  const defaults = toJson(desc, create(desc), { alwaysEmitImplicit: true, enumAsInteger: options.enumsAsInts, useProtoFieldName: options.protoNames })
  return memberOf(defaults, name) ?? null
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
