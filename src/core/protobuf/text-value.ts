import { create, type DescEnum, type DescField, type DescMessage, fromJson, type JsonValue, ScalarType } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { base64Decode } from '@bufbuild/protobuf/wire'
import { base64Problem, durationProblem, timestampProblem } from './lexical.ts'
import { expectedInteger, floatOf, inRange, integerKind, plainIntegerOf } from './numbers.ts'

/** A field's value in the form that `ReflectMessage.set` and `ReflectList.add` take. */
export type LocalValue = boolean | number | bigint | string | Uint8Array | ReflectMessage
export type TextResult = { readonly value: LocalValue } | { readonly problem: string }

/** What a text is converted to: the type of a singular field or of the items of a list. */
export type TextTarget = Pick<DescField, 'scalar' | 'enum' | 'message'>

/** Names, keys of maps and the wildcard of google.aip.dev/161. */
const fieldMaskPath = /^(?:\*|[A-Za-z0-9_]+)(?:\.(?:\*|[A-Za-z0-9_]+))*$/

/**
 * The value of a field from the text of a path variable or query parameter. One table for both: decimal integers in range,
 * `true` and `false`, enum names or numbers, both base64 alphabets, the bare value of a wrapper, ProtoJSON times and durations,
 * and field masks in either spelling.
 */
export function valueFromText(target: TextTarget, text: string): TextResult {
  if (target.message !== undefined) return messageFromText(target.message, text)
  if (target.enum !== undefined) return enumFromText(target.enum, text)
  return target.scalar === undefined ? { problem: 'cannot be given as text' } : scalarFromText(target.scalar, text)
}

function scalarFromText(scalar: ScalarType, text: string): TextResult {
  const kind = integerKind(scalar)
  if (kind !== undefined) {
    const value = plainIntegerOf(kind, text)
    if (value === undefined) return { problem: expectedInteger(kind) }
    return { value: kind === 'int32' || kind === 'uint32' ? Number(value) : value }
  }
  if (scalar === ScalarType.STRING) return { value: text }
  if (scalar === ScalarType.BOOL) return text === 'true' || text === 'false' ? { value: text === 'true' } : { problem: 'expected true or false' }
  if (scalar === ScalarType.BYTES) {
    const problem = base64Problem(text)
    return problem === undefined ? { value: base64Decode(text) } : { problem }
  }
  const value = floatOf(scalar, text)
  return value === undefined ? { problem: 'expected a number' } : { value }
}

function enumFromText(desc: DescEnum, text: string): TextResult {
  const named = desc.values.find((value) => value.name === text || value.jsonName === text)
  if (named !== undefined) return { value: named.number }
  const number = plainIntegerOf('int32', text)
  const known = number !== undefined && (desc.open ? inRange('int32', number) : desc.value[Number(number)] !== undefined)
  return known ? { value: Number(number) } : { problem: `not a value of ${desc.typeName}` }
}

function messageFromText(desc: DescMessage, text: string): TextResult {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return viaJson(desc, text, timestampProblem(text))
    case 'google.protobuf.Duration':
      return viaJson(desc, text, durationProblem(text))
    case 'google.protobuf.FieldMask':
      return fieldMaskFromText(desc, text)
    default:
      return wrapperFromText(desc, text)
  }
}

function viaJson(desc: DescMessage, json: JsonValue, problem: string | undefined): TextResult {
  if (problem !== undefined) return { problem }
  try {
    return { value: reflect(desc, fromJson(desc, json)) }
  } catch {
    return { problem: 'out of range' }
  }
}

function wrapperFromText(desc: DescMessage, text: string): TextResult {
  const field = desc.fields[0]
  if (field === undefined) return { problem: 'cannot be given as text' }
  const inner = valueFromText(field, text)
  if ('problem' in inner) return inner
  const message = reflect(desc, create(desc))
  message.set(field, inner.value)
  return { value: message }
}

/** Google APIs take `update_mask=display_name` beside the `displayName` of ProtoJSON. */
function fieldMaskFromText(desc: DescMessage, text: string): TextResult {
  const paths = text === '' ? [] : text.split(',')
  const bad = paths.find((path) => !fieldMaskPath.test(path) || (path.includes('_') && /[A-Z]/.test(path)))
  if (bad !== undefined) return { problem: `"${bad}" is not a field path` }
  const snake = paths.map((path) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
  return { value: reflect(desc, create(desc, { paths: snake })) }
}
