import { type DescField, ScalarType } from '@bufbuild/protobuf'

const wireTypes: ReadonlyMap<ScalarType, number> = new Map([
  [ScalarType.DOUBLE, 1],
  [ScalarType.FIXED64, 1],
  [ScalarType.SFIXED64, 1],
  [ScalarType.STRING, 2],
  [ScalarType.BYTES, 2],
  [ScalarType.FLOAT, 5],
  [ScalarType.FIXED32, 5],
  [ScalarType.SFIXED32, 5],
])

/** The wire type of one value (protobuf.dev/programming-guides/encoding#structure): 0 varint, 1 64 bits, 2 length-delimited, 5 32 bits. */
export function wireTypeOf(scalar: ScalarType): number {
  return wireTypes.get(scalar) ?? 0
}

export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0
}

/** The wire type of the values of a field: of the items of a list, of the values of a map. */
export function valueWireType(field: DescField): number {
  if (field.message !== undefined) return 2
  return field.scalar === undefined ? 0 : wireTypeOf(field.scalar)
}
