import type { DescField } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/**
 * Reads one string field out of a serialized message without decoding the rest; `path` goes through singular messages. The last value wins, as in
 * decoding. Undefined when it is not set, or the bytes cannot be read.
 */
export function buildStringOf(path: readonly DescField[]): (message: Uint8Array) => string | undefined {
  return (message) => {
    try {
      return stringAt(message, path)
    } catch {
      return undefined // whoever renders the message says what is wrong with it
    }
  }
}

function stringAt(bytes: Uint8Array, [field, ...rest]: readonly DescField[]): string | undefined {
  if (field === undefined) return undefined
  const reader = new BinaryReader(bytes)
  let found: string | undefined
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    if (number !== field.number || type !== WireType.LengthDelimited) reader.skip(type, number)
    else if (rest.length === 0) found = reader.string()
    // A message given in parts is the sum of its parts.
    else found = stringAt(reader.bytes(), rest) ?? found
  }
  return found
}
