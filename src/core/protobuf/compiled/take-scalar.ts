import { type DescEnum, ScalarType } from '@bufbuild/protobuf'
import { base64Encode } from '@bufbuild/protobuf/wire'
import type { WireReader } from './wire-reader.ts'

/** Reads one value and answers its JSON text. */
export type Take = (r: WireReader) => string

const takes: Readonly<Record<ScalarType, Take>> = {
  [ScalarType.STRING]: (r) => r.quoted(),
  [ScalarType.BOOL]: (r) => (r.bool() ? 'true' : 'false'),
  [ScalarType.BYTES]: (r) => `"${base64Encode(r.blob())}"`,
  [ScalarType.DOUBLE]: (r) => numberText(r.double()),
  [ScalarType.FLOAT]: (r) => numberText(r.float()),
  [ScalarType.INT32]: (r) => String(r.int32()),
  [ScalarType.UINT32]: (r) => String(r.int32() >>> 0),
  [ScalarType.SINT32]: (r) => unzigzagged(r.int32()),
  [ScalarType.FIXED32]: (r) => String(r.fixed32()),
  [ScalarType.SFIXED32]: (r) => String(r.sfixed32()),
  // 64-bit integers are quoted (ProtoJSON).
  [ScalarType.INT64]: takeLong((r) => r.varint64(), true),
  [ScalarType.UINT64]: takeLong((r) => r.varint64(), false),
  [ScalarType.SINT64]: takeLong((r) => r.zigzag64(), true),
  [ScalarType.FIXED64]: takeLong((r) => r.fixed64(), false),
  [ScalarType.SFIXED64]: takeLong((r) => r.fixed64(), true),
}
const integers32: ReadonlySet<ScalarType> = new Set([ScalarType.INT32, ScalarType.UINT32, ScalarType.SINT32, ScalarType.FIXED32, ScalarType.SFIXED32])

export function takeScalar(type: ScalarType): Take {
  return takes[type]
}

function unzigzagged(value: number): string {
  return String((value >>> 1) ^ -(value & 1))
}

function takeLong(read: (r: WireReader) => void, signed: boolean): Take {
  return (r) => {
    read(r)
    return `"${signed ? r.signed() : r.unsigned()}"`
  }
}

/** Numbers as JSON has them, minus zero with its sign; what it lacks as the strings of ProtoJSON. */
function numberText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  return Number.isFinite(value) ? String(value) : `"${value}"`
}

/** How each value of an enum is shown; a number that has no name as itself. */
export function enumText(desc: DescEnum, asInteger: boolean): (value: number) => string {
  if (desc.typeName === 'google.protobuf.NullValue') return () => 'null'
  if (asInteger) return String
  const names = new Map(desc.values.map((value) => [value.number, JSON.stringify(desc.value[value.number]?.jsonName ?? value.number)] as const))
  return (value) => names.get(value) ?? String(value)
}

/** The text of the zero value of a scalar. */
export function zeroText(type: ScalarType): string {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) return '""'
  if (type === ScalarType.BOOL) return 'false'
  return type === ScalarType.DOUBLE || type === ScalarType.FLOAT || integers32.has(type) ? '0' : '"0"'
}
