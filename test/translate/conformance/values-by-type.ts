import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import type { Dice } from '../../protobuf/dice.ts'

/** What a random message must leave to others, and what it must have. */
export interface Wish {
  /** Field paths that path variables set. */
  readonly paths: readonly (readonly DescField[])[]
  /** Only what a query can say. */
  readonly textOnly: boolean
  readonly needs: (field: DescField) => boolean
}

export const anything: Wish = { paths: [], textOnly: false, needs: () => false }

const texts = ['a', 'plain text', 'Ünïcode 日本 😀', 'a&b=c+d%25;e#f', 'slash/and:colon', '"quoted" \\ {}', '', ' edges ', 'x'.repeat(40)]
const numbers: Readonly<Record<'int32' | 'uint32' | 'int64' | 'uint64', readonly JsonValue[]>> = {
  int32: [0, 1, -1, 2147483647, -2147483648],
  uint32: [0, 7, 4294967295],
  int64: ['0', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808'],
  uint64: ['0', '5', '9007199254740993', '18446744073709551615'],
}
const specials: Readonly<Record<string, readonly JsonValue[]>> = {
  'google.protobuf.Timestamp': ['2024-02-29T12:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999999Z', '1969-12-31T23:59:59.500Z'],
  'google.protobuf.Duration': ['0s', '1.500s', '-0.000000001s', '315576000000s'],
  'google.protobuf.FieldMask': ['', 'displayName', 'a,bC.dE'],
  'google.protobuf.Struct': [{}, { a: 1, b: [null, 'x'], c: { d: true } }],
  'google.protobuf.Value': ['x', 1.5, true, ['a', null], { a: {} }],
  'google.protobuf.ListValue': [[], [1, null, 'x', [false]]],
  'google.protobuf.Any': [{ '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' }, {}],
  'google.protobuf.Int32Value': [0, 5],
  'google.protobuf.DoubleValue': [0, 'NaN', 2.5],
}
const notText = new Set(['google.protobuf.Struct', 'google.protobuf.Value', 'google.protobuf.ListValue', 'google.protobuf.Any'])

/** ProtoJSON of a random message, in either spelling of each name. */
export function messageOf(dice: Dice, desc: DescMessage, wish: Wish, depth = 0): JsonObject {
  const json: JsonObject = {}
  const oneofs = new Set(wish.paths.flatMap(([head]) => head?.oneof ?? []))
  for (const field of desc.fields) {
    const inside = wish.paths.filter(([head]) => head === field)
    if (inside.some((path) => path.length === 1)) continue
    const required = field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED || wish.needs(field)
    if (field.oneof !== undefined && inside.length === 0 && oneofs.has(field.oneof)) continue
    if (!required && dice.chance(depth > 2 ? 0.9 : 0.4)) continue
    const value = fieldOf(dice, field, { ...wish, paths: inside.map((path) => path.slice(1)) }, depth)
    if (value === undefined) continue
    if (field.oneof !== undefined) oneofs.add(field.oneof)
    json[dice.chance(0.3) ? field.name : field.jsonName] = value
  }
  return json
}

/** A random value of a field; undefined where the wish allows none. */
export function fieldOf(dice: Dice, field: DescField, wish: Wish, depth = 0): JsonValue | undefined {
  const many = Array.from({ length: dice.pick([0, 1, 3]) }, (_, i) => i)
  if (field.fieldKind === 'map') {
    if (wish.textOnly) return undefined
    return Object.fromEntries(many.map((i) => [keyOf(field.mapKey, i), valueOf(dice, field, wish, depth) as JsonValue]))
  }
  if (field.fieldKind !== 'list') return valueOf(dice, field, wish, depth)
  return wish.textOnly && field.message !== undefined ? undefined : many.map(() => valueOf(dice, field, wish, depth) as JsonValue)
}

function keyOf(type: ScalarType, i: number): string {
  if (type === ScalarType.BOOL) return String(i % 2 === 0)
  return type === ScalarType.STRING ? (['', 'key', 'ké.y'][i % 3] ?? '') : String(i)
}

function valueOf(dice: Dice, field: DescField, wish: Wish, depth: number): JsonValue | undefined {
  const { message } = field
  if (field.enum !== undefined) return dice.pick(field.enum.values).name
  if (message === undefined) return scalarOf(dice, field.scalar ?? ScalarType.STRING)
  const special = specials[message.typeName]
  if (special !== undefined) return wish.textOnly && notText.has(message.typeName) ? undefined : dice.pick(special)
  if (wish.textOnly && depth > 1) return undefined
  const json = messageOf(dice, message, wish, depth + 1)
  // A query cannot say an empty message.
  return wish.textOnly && Object.keys(json).length === 0 ? undefined : json
}

export function scalarOf(dice: Dice, type: ScalarType): JsonValue {
  switch (type) {
    case ScalarType.STRING:
      return dice.pick(texts)
    case ScalarType.BOOL:
      return dice.chance(0.5)
    case ScalarType.BYTES:
      return dice.pick(['', 'AQ==', '+/8=', 'AAECAwQF'])
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return dice.pick<JsonValue>([0, 1.5, -0.25, 'NaN', 'Infinity', 1e10])
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return dice.pick(numbers.int32)
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return dice.pick(numbers.uint32)
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return dice.pick(numbers.uint64)
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return dice.pick(numbers.int64)
    default:
      return type satisfies never
  }
}
