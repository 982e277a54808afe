import { createFileRegistry, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { shopDescriptors } from './shop.ts'

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, shopDescriptors))

/** A message of the shop (`Order`, `ChatMessage`) between ProtoJSON and its bytes. */
export function codecOf(name: string): { readonly write: (json: JsonValue) => Buffer; readonly read: (bytes: Buffer) => JsonValue } {
  const type = registry.getMessage(`shop.v1.${name}`)
  if (type === undefined) throw new Error(`the shop has no message ${name}`)
  return { write: (json) => Buffer.from(toBinary(type, fromJson(type, json))), read: (bytes) => toJson(type, fromBinary(type, bytes)) }
}
