import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import type { Dice } from './dice.ts'

/** JSON as text of a random message, with the spellings that ProtoJSON allows. */
export function randomJson(dice: Dice, desc: DescMessage, depth = 0): string {
  const special = specialJson(dice, desc, depth)
  if (special !== undefined) return special
  const members = new Map<string, string>()
  const oneofs = new Set<unknown>()
  for (const field of desc.fields) {
    if (field.presence !== FeatureSet_FieldPresence.LEGACY_REQUIRED && dice.chance(depth > 3 ? 0.9 : 0.35)) continue
    if (field.oneof !== undefined && (oneofs.has(field.oneof) || oneofs.add(field.oneof) === undefined)) continue
    if (depth > 6 && field.message !== undefined) continue
    members.set(dice.chance(0.2) ? field.name : field.jsonName, fieldJson(dice, field, depth))
  }
  const entries = [...members]
  if (dice.chance(0.3)) entries.reverse()
  return object(entries)
}

export function object(entries: readonly (readonly [string, string])[]): string {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`
}

function fieldJson(dice: Dice, field: DescField, depth: number): string {
  if (field.oneof === undefined && field.presence !== FeatureSet_FieldPresence.LEGACY_REQUIRED && dice.chance(0.05)) return 'null'
  const many = (): number => dice.pick([0, 1, 2, 5])
  if (field.fieldKind === 'list') return `[${Array.from({ length: many() }, () => valueJson(dice, field, depth)).join(',')}]`
  if (field.fieldKind !== 'map') return valueJson(dice, field, depth)
  const entries = new Map(Array.from({ length: many() }, () => [JSON.parse(keyJson(dice, field.mapKey)) as string, valueJson(dice, field, depth)]))
  return object([...entries])
}

function keyJson(dice: Dice, type: ScalarType): string {
  const key = scalarJson(dice, type)
  const plain = type === ScalarType.STRING ? key : key.replaceAll('"', '')
  if (type === ScalarType.STRING || type === ScalarType.BOOL) return type === ScalarType.STRING ? plain : `"${plain}"`
  return JSON.stringify(/^-?[0-9]+$/.test(plain) ? String(BigInt(plain)) : '0')
}

function valueJson(dice: Dice, field: DescField, depth: number): string {
  if (field.message !== undefined) return randomJson(dice, field.message, depth + 1)
  if (field.enum === undefined) return scalarJson(dice, field.scalar ?? ScalarType.STRING)
  if (field.enum.open && dice.chance(0.2)) return dice.pick(['77', '-77', '2147483647', '-2147483648'])
  const value = dice.pick(field.enum.values)
  return dice.chance(0.3) ? String(value.number) : JSON.stringify(value.name)
}

const texts = [
  '',
  'a',
  'plain text',
  'with "quotes" and \\',
  'line\nbreak\u0001',
  'Übergröße',
  '日本語',
  '😀 emoji',
  '\u2028',
  '__proto__',
  'x'.repeat(39),
  'y'.repeat(140),
  'é'.repeat(90),
  '\uFEFFmark',
]

function scalarJson(dice: Dice, type: ScalarType): string {
  switch (type) {
    case ScalarType.STRING:
      return JSON.stringify(dice.pick(texts))
    case ScalarType.BOOL:
      return dice.pick(['true', 'false'])
    case ScalarType.BYTES:
      return dice.pick(['""', '"AA=="', '"AAE"', '"-_8"', '"+/8="', `"${'QUJD'.repeat(50)}"`])
    case ScalarType.DOUBLE:
      return dice.pick(['0', '-0', '"-0"', '1.5', '-1e300', '"NaN"', '"Infinity"', '"-Infinity"', '5e-324', '"1e5"', '12345678901234567890', '0.1'])
    case ScalarType.FLOAT:
      return dice.pick(['0', '-0', '"-0"', '1.5', '-1e30', '"NaN"', '"-Infinity"', '1e-45', '3.4028234e38', '0.1', '"2"'])
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return dice.pick(['0', '-0', '1', '-1', '127', '128', '"300"', '2147483647', '-2147483648', '1e3', '"1.0"', '10.0'])
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return dice.pick(['0', '1', '127', '128', '16384', '4294967295', '"4294967295"', '1e3', '2147483648'])
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return dice.pick([
        '0',
        '"0"',
        '1',
        '"300"',
        '"18446744073709551615"',
        '18446744073709551615',
        '9007199254740991',
        '"9007199254740993"',
        '4294967296',
        '"1e5"',
      ])
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    default:
      return dice.pick([
        '0',
        '"-0"',
        '1',
        '-1',
        '"-1"',
        '"300"',
        '-4294967296',
        '4294967295',
        '-4294967297',
        '9223372036854775807',
        '"-9223372036854775808"',
        '"9007199254740993"',
        '"1e5"',
      ])
  }
}

function specialJson(dice: Dice, desc: DescMessage, depth: number): string | undefined {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return dice.pick([
        '"1970-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00Z"',
        '"9999-12-31T23:59:59.999999999Z"',
        '"2024-02-29T23:59:59.1+01:00"',
        '"1969-12-31T23:59:59.5Z"',
        '"2000-03-01T00:00:00.000001-23:59"',
        '"1900-02-28T12:00:00.12Z"',
        `"${String(dice.between(2, 9998)).padStart(4, '0')}-${String(dice.between(1, 12)).padStart(2, '0')}-${String(dice.between(1, 28)).padStart(2, '0')}T12:34:56Z"`,
      ])
    case 'google.protobuf.Duration':
      return dice.pick(['"0s"', '"-0.5s"', '"1.000000001s"', '"-315576000000s"', '"315576000000.999s"', '"3.1s"', '"-3.000001s"', '"-0s"'])
    case 'google.protobuf.FieldMask':
      return dice.pick(['""', '"a"', '"a,bC.dEf"', '"fooBar"'])
    case 'google.protobuf.Any':
      return dice.pick(['{}', '{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}'])
    case 'google.protobuf.Value':
      return anyJson(dice, depth)
    case 'google.protobuf.ListValue':
      return `[${anyJson(dice, depth)},${anyJson(dice, depth)}]`
    case 'google.protobuf.Struct':
      return object([
        ...new Map([
          [dice.pick(texts), anyJson(dice, depth)],
          [dice.pick(texts), anyJson(dice, depth)],
        ]),
      ])
    default:
      return /^google\.protobuf\..+Value$/.test(desc.typeName) ? scalarJson(dice, desc.fields[0]?.scalar ?? ScalarType.STRING) : undefined
  }
}

function anyJson(dice: Dice, depth: number): string {
  const kind = dice.below(depth > 6 ? 4 : 6)
  if (kind === 0) return 'null'
  if (kind === 1) return dice.pick(['true', 'false'])
  if (kind === 2) return scalarJson(dice, ScalarType.STRING)
  if (kind === 3) return dice.pick(['0', '-0', '1.5', '12345678901234567890', '1e300'])
  if (kind === 4) return `[${anyJson(dice, depth + 1)},${anyJson(dice, depth + 1)}]`
  return object([[dice.pick(texts), anyJson(dice, depth + 1)]])
}
