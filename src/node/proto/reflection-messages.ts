import { create, createFileRegistry, type DescMessage } from '@bufbuild/protobuf'
import { protoCamelCase } from '@bufbuild/protobuf/reflect'
import { FileDescriptorProtoSchema, FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type } from '@bufbuild/protobuf/wkt'

/*
 * The messages of gRPC server reflection (grpc/reflection/v1/reflection.proto), as far as descriptors need them. v1alpha has the same
 * wire form under another package name.
 */

const own = '.grpc.reflection.v1.'

function text(name: string, number: number): object {
  return { name, number, jsonName: protoCamelCase(name), type: Type.STRING, label: Label.OPTIONAL }
}

function choice(name: string, number: number, message?: string): object {
  const type = message === undefined ? { type: Type.STRING } : { type: Type.MESSAGE, typeName: own + message }
  return { name, number, jsonName: protoCamelCase(name), label: Label.OPTIONAL, oneofIndex: 0, ...type }
}

function repeated(name: string, message?: string): object {
  const type = message === undefined ? { type: Type.BYTES } : { type: Type.MESSAGE, typeName: own + message }
  return { name, number: 1, jsonName: protoCamelCase(name), label: Label.REPEATED, ...type }
}

const file = create(FileDescriptorProtoSchema, {
  name: 'grpc/reflection/v1/reflection.proto',
  package: 'grpc.reflection.v1',
  syntax: 'proto3',
  messageType: [
    {
      name: 'ServerReflectionRequest',
      oneofDecl: [{ name: 'message_request' }],
      field: [text('host', 1), choice('file_by_filename', 3), choice('file_containing_symbol', 4), choice('list_services', 7)],
    },
    {
      name: 'ServerReflectionResponse',
      oneofDecl: [{ name: 'message_response' }],
      field: [
        choice('file_descriptor_response', 4, 'FileDescriptorResponse'),
        choice('list_services_response', 6, 'ListServiceResponse'),
        choice('error_response', 7, 'ErrorResponse'),
      ],
    },
    { name: 'FileDescriptorResponse', field: [repeated('file_descriptor_proto')] },
    { name: 'ListServiceResponse', field: [repeated('service', 'ServiceResponse')] },
    { name: 'ServiceResponse', field: [text('name', 1)] },
    { name: 'ErrorResponse', field: [{ ...text('error_code', 1), type: Type.INT32 }, text('error_message', 2)] },
  ],
})

const registry = createFileRegistry(file, () => undefined)

export const reflectionRequest: DescMessage = message('ServerReflectionRequest')
export const reflectionResponse: DescMessage = message('ServerReflectionResponse')

/** Paths of the one RPC, newest first. */
export const reflectionPaths = [
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
] as const

function message(name: string): DescMessage {
  const desc = registry.getMessage(`grpc.reflection.v1.${name}`)
  if (desc === undefined) throw new Error(`the reflection file has no ${name}`)
  return desc
}
