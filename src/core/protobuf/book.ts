import { create, createFileRegistry, createRegistry, type DescFile, type FileRegistry, fromBinary, type Registry, toBinary } from '@bufbuild/protobuf'
import { protoCamelCase } from '@bufbuild/protobuf/reflect'
import { base64Decode } from '@bufbuild/protobuf/wire'
import {
  type DescriptorProto,
  type FileDescriptorProto,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt'
import { builtinSet } from './builtin-set.ts'
import { setProblem } from './check-set.ts'

/** The types of one descriptor set, with the well-known types, google.api and google.rpc always among them. */
export interface DescriptorBook {
  readonly registry: Registry
  /** Full names of the services that the set itself defines, sorted. */
  readonly services: readonly string[]
}

const wellKnown: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
]

const builtinFiles: ReadonlyMap<string, FileDescriptorProto> = new Map(
  [...wellKnown.map((file) => file.proto), ...fromBinary(FileDescriptorSetSchema, base64Decode(builtinSet)).file].map((file) => [file.name, file]),
)

/** Where the set of grpc.health.v1 stands among a policy's sets: no path under the policies folder begins like that. */
export const healthSet = '/grpc.health.v1'

/** That set, serialized. */
export function healthDescriptors(): Uint8Array {
  const file = builtinFiles.get('grpc/health/v1/health.proto')
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: file === undefined ? [] : [file] }))
}

/** The types that every book holds. */
export const builtinRegistry: FileRegistry = fileRegistry(completed([...builtinFiles.values()]))

/** What every book holds, and no service. */
export const emptyBook: DescriptorBook = { registry: builtinRegistry, services: [] }

/**
 * Reads a serialized FileDescriptorSet or buf image. Imports of built-in files may be missing from it; any other missing import is a problem.
 * Deterministic; never throws.
 */
export function readDescriptors(bytes: Uint8Array): DescriptorBook | { readonly problem: string } {
  try {
    const set = fromBinary(FileDescriptorSetSchema, bytes)
    if (set.file.length === 0) return { problem: 'it is not a descriptor set: it holds no file' }
    const problem = setProblem(set.file, builtinFiles)
    if (problem !== undefined) return { problem }
    for (const file of set.file) for (const message of file.messageType) nameInJson(message)
    const files = completed(set.file)
    const own = registryOf(files)
    const services = set.file.flatMap((file) => file.service.map((service) => (file.package === '' ? service.name : `${file.package}.${service.name}`)))
    return typeof own === 'string' ? { problem: own } : { registry: createRegistry(builtinRegistry, own), services: services.sort() }
  } catch (error) {
    return { problem: `it is not a descriptor set: ${reasonOf(error)}` }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The files as a registry, or why not, with the name of the first file that cannot be taken. */
function registryOf(files: readonly FileDescriptorProto[]): FileRegistry | string {
  try {
    return fileRegistry(files)
  } catch (error) {
    let [good, bad] = [0, files.length]
    while (bad - good > 1) {
      const middle = (good + bad) >> 1
      if (isTaken(files.slice(0, middle))) good = middle
      else bad = middle
    }
    return `${files[bad - 1]?.name ?? 'a file'} cannot be used: ${reasonOf(error)}`
  }
}

function isTaken(files: readonly FileDescriptorProto[]): boolean {
  try {
    fileRegistry(files)
    return true
  } catch {
    return false
  }
}

/** Sets from C++ servers leave `json_name` out; it is then the lower camel case that protoc would have written. */
function nameInJson(message: DescriptorProto): void {
  for (const field of [...message.field, ...message.extension]) if (field.jsonName === '') field.jsonName = protoCamelCase(field.name)
  for (const nested of message.nestedType) nameInJson(nested)
}

function fileRegistry(files: readonly FileDescriptorProto[]): FileRegistry {
  const set: FileDescriptorSet = { $typeName: 'google.protobuf.FileDescriptorSet', file: [...files] }
  return createFileRegistry(set)
}

/** The files and the built-in ones they import, dependencies first. */
function completed(files: readonly FileDescriptorProto[]): readonly FileDescriptorProto[] {
  const byName = new Map(files.map((file) => [file.name, file]))
  const ordered = new Set<FileDescriptorProto>()
  const open = new Set<string>()
  const add = (file: FileDescriptorProto): void => {
    if (ordered.has(file) || open.has(file.name)) return
    open.add(file.name)
    for (const name of file.dependency) {
      const dependency = byName.get(name) ?? builtinFiles.get(name)
      if (dependency !== undefined) add(dependency)
    }
    ordered.add(file)
  }
  for (const file of files) add(file)
  return [...ordered]
}
