import { type DescField, ScalarType } from '@bufbuild/protobuf'

/** The wire type of one value (protobuf.dev/programming-guides/encoding#structure): 0 varint, 1 64 bits, 2 length-delimited, 5 32 bits. */
export function wireTypeOf(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5
    default:
      return 0
  }
}

export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0
}

/** The wire type of the values of a field: of the items of a list, of the values of a map. */
export function valueWireType(field: DescField): number {
  if (field.message !== undefined) return 2
  return field.scalar === undefined ? 0 : wireTypeOf(field.scalar)
}
