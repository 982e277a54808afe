import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { base64Encode } from '@bufbuild/protobuf/wire'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { type Server, type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js'
import { reflectionPaths, reflectionRequest, reflectionResponse } from '../../proto/reflection-messages.ts'

interface Request {
  readonly listServices?: string
  readonly fileByFilename?: string
  readonly fileContainingSymbol?: string
}

/** Adds gRPC server reflection (v1 and v1alpha) for the services of a serialized FileDescriptorSet that holds its imports. */
export function addReflection(server: Server, descriptors: Uint8Array, paths: readonly string[] = reflectionPaths): void {
  const files = fromBinary(FileDescriptorSetSchema, descriptors).file
  for (const path of paths) server.addService(definition(path), { ServerReflectionInfo: handler(files) })
}

function definition(path: string): ServiceDefinition {
  return {
    ServerReflectionInfo: {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: (request: JsonValue) => Buffer.from(toBinary(reflectionRequest, fromJson(reflectionRequest, request))),
      requestDeserialize: (bytes) => toJson(reflectionRequest, fromBinary(reflectionRequest, bytes)),
      responseSerialize: (answer: JsonValue) => Buffer.from(toBinary(reflectionResponse, fromJson(reflectionResponse, answer))),
      responseDeserialize: (bytes) => toJson(reflectionResponse, fromBinary(reflectionResponse, bytes)),
    },
  }
}

function handler(files: readonly FileDescriptorProto[]): (call: ServerDuplexStream<Request, JsonValue>) => void {
  return (call) => {
    call.on('data', (request: Request) => call.write(answer(files, request)))
    call.on('end', () => call.end())
  }
}

function answer(files: readonly FileDescriptorProto[], request: Request): JsonValue {
  if (request.listServices !== undefined) {
    return { listServicesResponse: { service: files.flatMap((file) => servicesOf(file).map((name) => ({ name }))) } }
  }
  const { fileByFilename: name, fileContainingSymbol: symbol } = request
  const file = files.find((candidate) => (name === undefined ? symbol !== undefined && symbolsOf(candidate).includes(symbol) : candidate.name === name))
  if (file === undefined) return { errorResponse: { errorCode: status.NOT_FOUND, errorMessage: `no ${name ?? symbol ?? 'such thing'} here` } }
  return { fileDescriptorResponse: { fileDescriptorProto: [base64Encode(toBinary(FileDescriptorProtoSchema, file))] } }
}

function servicesOf(file: FileDescriptorProto): readonly string[] {
  return file.service.map((service) => qualified(file, service.name))
}

/** Top-level names and RPCs. */
function symbolsOf(file: FileDescriptorProto): readonly string[] {
  const rpcs = file.service.flatMap((service) => service.method.map((method) => qualified(file, `${service.name}.${method.name}`)))
  return [...servicesOf(file), ...rpcs, ...[...file.messageType, ...file.enumType].map((type) => qualified(file, type.name))]
}

function qualified(file: FileDescriptorProto, name: string): string {
  return file.package === '' ? name : `${file.package}.${name}`
}
