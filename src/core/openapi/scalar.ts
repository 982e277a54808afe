import { type DescEnum, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import type { Json, JsonObject } from './json.ts'

const notFinite: JsonObject = { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }

/** ProtoJSON of a scalar (protobuf.dev/programming-guides/json): what is written; what is read is wider. */
export function scalarSchema(scalar: ScalarType): JsonObject {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: 'string' }
    case ScalarType.BYTES:
      return { type: 'string', format: 'byte', contentEncoding: 'base64' }
    case ScalarType.BOOL:
      return { type: 'boolean' }
    case ScalarType.DOUBLE:
      return { anyOf: [{ type: 'number', format: 'double' }, notFinite] }
    case ScalarType.FLOAT:
      return { anyOf: [{ type: 'number', format: 'float' }, notFinite] }
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { type: 'integer', format: 'int32' }
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { type: 'integer', format: 'uint32', minimum: 0, maximum: 4_294_967_295 }
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { type: 'string', format: 'uint64', pattern: '^[0-9]+$' }
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return { type: 'string', format: 'int64', pattern: '^-?[0-9]+$' }
    default:
      return scalar satisfies never
  }
}

/** A value that fits the schema: as JSON, and as text in a path or query. */
export function scalarExample(scalar: ScalarType): { readonly json: Json; readonly text: string } {
  switch (scalar) {
    case ScalarType.STRING:
      return { json: 'example', text: 'example' }
    case ScalarType.BYTES:
      return { json: 'ZXhhbXBsZQ==', text: 'ZXhhbXBsZQ==' }
    case ScalarType.BOOL:
      return { json: true, text: 'true' }
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { json: 1.5, text: '1.5' }
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { json: 1, text: '1' }
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { json: '1', text: '1' }
    default:
      return scalar satisfies never
  }
}

/** The first value that is not zero, which would be left out. */
export function enumExample(desc: DescEnum, asInt: boolean): string | number {
  const value = desc.values.find(({ number }) => number !== 0) ?? desc.values[0]
  return asInt ? (value?.number ?? 0) : (value?.name ?? '0')
}

/** The types of google.protobuf that have a JSON form of their own. */
export interface KnownType {
  readonly schema: JsonObject
  readonly example: Json
}

const any: JsonObject = {
  type: 'object',
  description: 'Any message: its fields beside "@type", the URL of its type.',
  properties: { '@type': { type: 'string' } },
  required: ['@type'],
  additionalProperties: true,
}

const known: Readonly<Record<string, KnownType>> = {
  'google.protobuf.Timestamp': { schema: { type: 'string', format: 'date-time' }, example: '2026-01-01T00:00:00Z' },
  'google.protobuf.Duration': {
    schema: { type: 'string', description: 'Seconds, with up to nine decimals, and "s".', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$' },
    example: '1.5s',
  },
  'google.protobuf.FieldMask': { schema: { type: 'string', description: 'Field paths, parted by commas.' }, example: 'name' },
  'google.protobuf.Struct': { schema: { type: 'object', additionalProperties: true }, example: { key: 'value' } },
  'google.protobuf.Value': { schema: { description: 'Any JSON value.' }, example: 'example' },
  'google.protobuf.ListValue': { schema: { type: 'array', items: {} }, example: ['example'] },
  'google.protobuf.Empty': { schema: { type: 'object', additionalProperties: false }, example: {} },
  'google.protobuf.Any': { schema: any, example: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1.5s' } },
}

const wrapper = /^google\.protobuf\.(?:Double|Float|U?Int(?:32|64)|Bool|String|Bytes)Value$/

/** The scalar that a wrapper stands for. */
export function wrapped({ typeName, fields }: DescMessage): ScalarType | undefined {
  return wrapper.test(typeName) ? fields[0]?.scalar : undefined
}

/** The JSON form of a well-known type; undefined for every other message. */
export function knownType(desc: DescMessage): KnownType | undefined {
  const scalar = wrapped(desc)
  return scalar === undefined ? known[desc.typeName] : { schema: nullable(scalarSchema(scalar)), example: scalarExample(scalar).json }
}

function nullable(schema: JsonObject): JsonObject {
  const { type, anyOf } = schema
  if (typeof type === 'string') return { ...schema, type: [type, 'null'] }
  return Array.isArray(anyOf) ? { ...schema, anyOf: [...anyOf, { type: 'null' }] } : schema
}
