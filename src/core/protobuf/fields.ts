import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'

/** Why a field path cannot be resolved. */
export interface FieldProblem {
  readonly problem: string
}

/** The types that stand for one scalar in JSON, and so can be given as the text of a variable or parameter. */
const textual: ReadonlySet<string> = new Set([
  'google.protobuf.Timestamp',
  'google.protobuf.Duration',
  'google.protobuf.FieldMask',
  'google.protobuf.DoubleValue',
  'google.protobuf.FloatValue',
  'google.protobuf.Int64Value',
  'google.protobuf.UInt64Value',
  'google.protobuf.Int32Value',
  'google.protobuf.UInt32Value',
  'google.protobuf.BoolValue',
  'google.protobuf.StringValue',
  'google.protobuf.BytesValue',
])

/** Whether one text can hold a value of this singular field (google/api/http.proto: primitive types; the textual well-known ones by extension). */
export function isTextual(field: DescField): boolean {
  return field.fieldKind === 'scalar' || field.fieldKind === 'enum' || (field.fieldKind === 'message' && isTextualType(field.message))
}

/** Whether a message type is one that stands for a text. */
export function isTextualType(desc: DescMessage): boolean {
  return textual.has(desc.typeName)
}

/** Types whose fields are nobody's names: in JSON they are whatever stands there. */
export function isAnything({ message }: DescField): boolean {
  return message !== undefined && /^google\.protobuf\.(?:Any|Struct|Value|ListValue)$/.test(message.typeName)
}

/** The field of `desc` by its proto name, or by its JSON name too. */
export function fieldOf(desc: DescMessage, name: string, jsonNames: boolean): DescField | undefined {
  const byName = desc.fields.find((field) => field.name === name)
  return byName ?? (jsonNames ? desc.fields.find((field) => field.jsonName === name) : undefined)
}

/** Resolves `a.b.c` from a message; every step but the last is a singular message. */
export function resolvePath(desc: DescMessage, path: string, jsonNames: boolean): readonly DescField[] | FieldProblem {
  const fields: DescField[] = []
  let at: DescMessage | undefined = desc
  for (const step of path.split('.')) {
    if (at === undefined) return { problem: `"${path}" goes through ${describe(fields.at(-1))}, which has no fields to name` }
    const field = fieldOf(at, step, jsonNames)
    if (field === undefined) return { problem: `"${step}" is not a field of ${at.typeName}` }
    fields.push(field)
    at = field.fieldKind === 'message' ? field.message : undefined
  }
  return fields
}

/** How a diagnostic names a field: `repeated field "items"`. */
export function describe(field: DescField | undefined): string {
  if (field === undefined) return 'nothing'
  const kind = field.fieldKind === 'list' ? 'repeated field' : field.fieldKind === 'map' ? 'map field' : `${field.fieldKind} field`
  return `${kind} "${field.name}"`
}

/** Whether setting one path would set, clear or replace what the other names. */
export function collide(one: readonly DescField[], other: readonly DescField[]): 'same' | 'nested' | 'oneof' | undefined {
  for (let i = 0; ; i++) {
    const [left, right] = [one[i], other[i]]
    if (left === undefined || right === undefined) return one.length === other.length ? 'same' : 'nested'
    if (left === right) continue
    return left.oneof !== undefined && left.oneof === right.oneof ? 'oneof' : undefined
  }
}

/** The string field `etag` of a resource or a request (AIP-154), where there is one. */
export function etagField(desc: DescMessage): DescField | undefined {
  return desc.fields.find((field) => field.name === 'etag' && field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING)
}
