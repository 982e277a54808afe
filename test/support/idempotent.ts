import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel, MethodOptionsSchema } from '@bufbuild/protobuf/wkt'

/** The same descriptor set, with these methods declared to have no side effects. */
export function sideEffectFree(descriptors: Uint8Array, methods: readonly string[]): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, descriptors)
  for (const method of set.file.flatMap((file) => file.service.flatMap((service) => service.method))) {
    if (!methods.includes(method.name)) continue
    method.options ??= create(MethodOptionsSchema)
    method.options.idempotencyLevel = MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
  }
  return toBinary(FileDescriptorSetSchema, set)
}
