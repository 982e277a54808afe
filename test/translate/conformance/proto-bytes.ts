/** Bytes of protobuf by hand, so that what a case says is not what a library makes of it (protobuf.dev, "Encoding"). */

/** A base-128 varint; negative numbers in ten bytes, as int32 and int64 are written. */
export function varint(value: bigint | number): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}

/** A field of wire type 0. */
export function int(field: number, value: bigint | number): Buffer {
  return Buffer.concat([varint((field << 3) | 0), varint(value)])
}

/** A field of wire type 2: text, bytes, or fields of a message. */
export function block(field: number, ...content: readonly (string | Uint8Array)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)))
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes])
}

/** A field of wire type 1. */
export function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
  return Buffer.concat([varint((field << 3) | 1), bytes])
}

/** A field of wire type 5. */
export function fixed32(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return Buffer.concat([varint((field << 3) | 5), bytes])
}

/** A double, in wire type 1. */
export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([varint((field << 3) | 1), bytes])
}

/** A float, in wire type 5. */
export function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([varint((field << 3) | 5), bytes])
}

/** A group, in wire types 3 and 4. */
export function group(field: number, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.concat([varint((field << 3) | 3), ...content, varint((field << 3) | 4)])
}
