import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import { base64Decode } from '@bufbuild/protobuf/wire'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Client, type ClientDuplexStream, credentials, type ServiceError, status } from '@grpc/grpc-js'
import { reflectionPaths, reflectionRequest, reflectionResponse } from './reflection-messages.ts'

export interface PullOptions {
  readonly tls: boolean
  /** For the whole pull, milliseconds. */
  readonly timeoutMs?: number
}

type Question = { readonly listServices: string } | { readonly fileContainingSymbol: string } | { readonly fileByFilename: string }

/** An answer of the reflection service in its JSON form. */
interface Answer {
  readonly listServicesResponse?: { readonly service?: readonly { readonly name: string }[] }
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto?: readonly string[] }
  readonly errorResponse?: { readonly errorCode?: number; readonly errorMessage?: string }
}

type Ask = (question: Question) => Promise<Answer>

/**
 * Asks a running server for the descriptors of its services (gRPC server reflection, v1 and else v1alpha) and answers a serialized
 * FileDescriptorSet with all imports, in one order whatever order they came in. @throws Error that says what went wrong
 */
export async function pullDescriptors(hostPort: string, { tls, timeoutMs = 10_000 }: PullOptions): Promise<Uint8Array> {
  const client = new Client(hostPort, tls ? credentials.createSsl() : credentials.createInsecure(), { 'grpc.enable_channelz': 0 })
  try {
    return await pullFrom(client, Date.now() + timeoutMs, reflectionPaths[0])
  } catch (error) {
    if (!isUnimplemented(error)) throw readable(error, tls)
    return await pullFrom(client, Date.now() + timeoutMs, reflectionPaths[1]).catch((second: unknown) => {
      throw isUnimplemented(second) ? new Error('the server does not offer reflection (grpc.reflection.v1 or v1alpha)') : readable(second, tls)
    })
  } finally {
    client.close()
  }
}

function isUnimplemented(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === status.UNIMPLEMENTED
}

function readable(error: unknown, tls: boolean): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  if (!('details' in error && typeof error.details === 'string')) return error
  // Neither says more: nobody is there, or one who does not understand.
  if ('code' in error && (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED)) {
    const other = tls ? 'leave out --tls if it speaks clear text' : 'add --tls if it speaks TLS'
    return new Error(`the server cannot be reached (${error.details}): check that it runs and listens at this address, and ${other}`, { cause: error })
  }
  return new Error(`reflection failed: ${error.details}`, { cause: error })
}

async function pullFrom(client: Client, deadline: number, path: string): Promise<Uint8Array> {
  const stream = client.makeBidiStreamRequest<Question, Answer>(path, encoded, decoded, { deadline })
  try {
    const files = await collect(asker(stream))
    return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: inOrder(files) }))
  } finally {
    stream.cancel()
  }
}

function encoded(question: Question): Buffer {
  return Buffer.from(toBinary(reflectionRequest, fromJson(reflectionRequest, { ...question })))
}

function decoded(bytes: Buffer): Answer {
  // The JSON form of the message is what Answer describes.
  return toJson(reflectionResponse, fromBinary(reflectionResponse, bytes)) as Answer
}

/** One question at a time over the stream. */
function asker(stream: ClientDuplexStream<Question, Answer>): Ask {
  let settle: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void } | undefined
  let failure: Error | undefined
  const fail = (error: Error): void => {
    failure = error
    settle?.reject(error)
  }
  stream.on('data', (answer: Answer) => settle?.resolve(answer))
  stream.on('error', (error: ServiceError) => fail(error))
  stream.on('end', () => fail(new Error('the server ended the reflection stream')))
  return (question) =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject }
      if (failure === undefined) stream.write(question)
      else reject(failure)
    })
}

async function collect(ask: Ask): Promise<ReadonlyMap<string, FileDescriptorProto>> {
  const files = new Map<string, FileDescriptorProto>()
  const listed = await ask({ listServices: '*' })
  const services = (listed.listServicesResponse?.service ?? []).map(({ name }) => name).filter((name) => !name.startsWith('grpc.reflection.'))
  if (services.length === 0) throw new Error(listed.errorResponse?.errorMessage ?? 'the server lists no services')
  for (const name of services) add(files, await ask({ fileContainingSymbol: name }), name)
  for (let missing = missingImport(files); missing !== undefined; missing = missingImport(files)) {
    add(files, await ask({ fileByFilename: missing }), missing)
    if (!files.has(missing)) throw new Error(`the server did not hand over ${missing}`)
  }
  return files
}

function add(files: Map<string, FileDescriptorProto>, answer: Answer, about: string): void {
  const protos = answer.fileDescriptorResponse?.fileDescriptorProto
  if (protos === undefined) throw new Error(`${about}: ${answer.errorResponse?.errorMessage ?? 'the server did not answer with a file'}`)
  for (const text of protos) {
    const file = fromBinary(FileDescriptorProtoSchema, base64Decode(text))
    files.set(file.name, file)
  }
}

function missingImport(files: ReadonlyMap<string, FileDescriptorProto>): string | undefined {
  for (const file of files.values()) {
    const missing = file.dependency.find((name) => !files.has(name))
    if (missing !== undefined) return missing
  }
  return undefined
}

/** Imports before their importers, otherwise by name. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>()
  const open = new Set<string>()
  const visit = (file: FileDescriptorProto): void => {
    if (open.has(file.name)) return
    open.add(file.name)
    for (const name of file.dependency.toSorted()) {
      const dependency = files.get(name)
      if (dependency !== undefined) visit(dependency)
    }
    ordered.add(file)
  }
  for (const name of [...files.keys()].sort()) visit(files.get(name) as FileDescriptorProto)
  return [...ordered]
}
