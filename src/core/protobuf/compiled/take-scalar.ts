import { type DescEnum, ScalarType } from '@bufbuild/protobuf'
import { base64Encode } from '@bufbuild/protobuf/wire'
import type { WireReader } from './wire-reader.ts'

/** Reads one value and answers its JSON text. */
export type Take = (r: WireReader) => string

export function takeScalar(type: ScalarType): Take {
  switch (type) {
    case ScalarType.STRING:
      return (r) => r.quoted()
    case ScalarType.BOOL:
      return (r) => (r.bool() ? 'true' : 'false')
    case ScalarType.BYTES:
      return (r) => `"${base64Encode(r.blob())}"`
    case ScalarType.DOUBLE:
      return (r) => numberText(r.double())
    case ScalarType.FLOAT:
      return (r) => numberText(r.float())
    default:
      return takeInteger(type)
  }
}

function takeInteger(type: ScalarType): Take {
  switch (type) {
    case ScalarType.INT32:
      return (r) => String(r.int32())
    case ScalarType.UINT32:
      return (r) => String(r.int32() >>> 0)
    case ScalarType.SINT32:
      return (r) => {
        const value = r.int32()
        return String((value >>> 1) ^ -(value & 1))
      }
    case ScalarType.FIXED32:
      return (r) => String(r.fixed32())
    case ScalarType.SFIXED32:
      return (r) => String(r.sfixed32())
    default:
      return takeLong(type)
  }
}

/** 64-bit integers are quoted (ProtoJSON). */
function takeLong(type: ScalarType): Take {
  const signed = type === ScalarType.INT64 || type === ScalarType.SINT64 || type === ScalarType.SFIXED64
  const read: (r: WireReader) => void =
    type === ScalarType.FIXED64 || type === ScalarType.SFIXED64
      ? (r) => r.fixed64()
      : type === ScalarType.SINT64
        ? (r) => {
            r.varint64()
            r.unzigzag()
          }
        : (r) => r.varint64()
  return (r) => {
    read(r)
    return `"${signed ? r.signed() : r.unsigned()}"`
  }
}

/** Numbers as JSON has them; what it lacks as the strings of ProtoJSON. */
function numberText(value: number): string {
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
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return '""'
    case ScalarType.BOOL:
      return 'false'
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return '"0"'
    default:
      return '0'
  }
}
