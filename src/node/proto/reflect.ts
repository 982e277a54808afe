import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import { base64Decode } from '@bufbuild/protobuf/wire'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { status } from '@grpc/grpc-js'
import type { GrpcReply } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import { Lifeline } from '../../core/model/lifeline.ts'
import type { Fields } from '../../core/model/wire.ts'
import type { Channel, Clock } from '../../core/ports.ts'
import { builtinRegistry, readDescriptors } from '../../core/protobuf.ts'
import { reflectionPaths, reflectionRequest, reflectionResponse } from './reflection-messages.ts'

/** Why a server's descriptors cannot be had. */
export class ReflectionError extends Error {
  override readonly name = 'ReflectionError'
  /**
   * `absent`: it speaks gRPC and does not offer reflection. `unreachable`: nobody could be asked. `silent`: it took the question and did
   * not answer in time. `broken`: what it answered is an error, or no use.
   */
  readonly kind: 'absent' | 'unreachable' | 'silent' | 'broken'

  constructor(kind: ReflectionError['kind'], message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

export interface ReflectOptions {
  readonly authority: string
  /** What the sidecar asks for beside it. */
  readonly fields: Fields
  /** For everything together, milliseconds. */
  readonly timeoutMs: number
  /** Whose files are wanted; undefined for every service but reflection itself. One that the server does not have is left out. */
  readonly services: readonly string[] | undefined
  readonly clock: Pick<Clock, 'ticks' | 'after'>
  /** Ends it before its time. */
  readonly signal?: AbortSignal | undefined
}

type Question = { readonly listServices: string } | { readonly fileContainingSymbol: string } | { readonly fileByFilename: string }

/** An answer of the reflection service in its JSON form. */
interface Answer {
  readonly listServicesResponse?: { readonly service?: readonly { readonly name: string }[] }
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto?: readonly string[] }
  readonly errorResponse?: { readonly errorCode?: number; readonly errorMessage?: string }
}

type Ask = (question: Question) => Promise<Answer>
type Files = Map<string, FileDescriptorProto>

/** What a server may hand over: beyond it, it is no description of services. Bytes, and numbers of things. */
const caps = { bytes: 16 * 1024 * 1024, files: 5_000, services: 2_000, message: 4 * 1024 * 1024 } as const

/** Server reflection has no descriptors worth keeping of its own. */
const own = /^grpc\.reflection\.v1(?:alpha)?\./

/**
 * Asks a server for the descriptors of its services (gRPC server reflection, v1 and else v1alpha) and answers a serialized FileDescriptorSet with
 * all imports, in one order whatever order they came in. What it answers can be used: it is read before it is handed on. Everything is
 * bounded: time, bytes, files. @throws ReflectionError
 */
export async function reflect(channel: Channel, options: ReflectOptions): Promise<Uint8Array> {
  const until = options.clock.ticks() + options.timeoutMs
  for (const path of reflectionPaths) {
    try {
      const files = await converse(channel, path, options, until)
      return sound(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: inOrder(files) })), files.size)
    } catch (error) {
      if (!(error instanceof ReflectionError && error.kind === 'absent')) throw explained(error, options)
    }
  }
  throw new ReflectionError('absent', 'the server does not offer reflection (grpc.reflection.v1 or v1alpha)')
}

/** A set without files is what is left when a server has none of the services: that is an answer too. */
function sound(bytes: Uint8Array, files: number): Uint8Array {
  const book = files === 0 ? undefined : readDescriptors(bytes)
  if (book !== undefined && 'problem' in book) throw new ReflectionError('broken', `what the server handed over cannot be used: ${book.problem}`)
  return bytes
}

function explained(error: unknown, { timeoutMs }: ReflectOptions): unknown {
  if (!(error instanceof Fault)) return error
  const why = error.detail.internal ?? error.message
  if (error.code === 'deadline_exceeded') return new ReflectionError('silent', `the server did not answer within ${timeoutMs} ms`, error)
  if (error.code === 'upstream_unavailable') return new ReflectionError('unreachable', `the server cannot be reached (${why})`, error)
  return new ReflectionError('broken', `reflection failed: ${why}`, error)
}

async function converse(channel: Channel, path: string, options: ReflectOptions, until: number): Promise<Files> {
  const { clock } = options
  const lifeline = new Lifeline()
  const left = Math.max(0, until - clock.ticks())
  const timer = clock.after(left, () => lifeline.end(new Fault('deadline_exceeded', 'the server did not answer')))
  const abandon = () => lifeline.end(new Fault('client_closed', 'nobody waits for the answer any more'))
  if (options.signal?.aborted === true) abandon()
  options.signal?.addEventListener('abort', abandon)
  const questions = openQueue()
  // The deadline is the lifeline's: it counts for the whole conversation and not for its beginning alone.
  const call = { kind: 'grpc', path, authority: options.authority, metadata: options.fields, messages: questions.messages, serverStream: true } as const
  const replying = channel.grpc(call, { lifeline, deadline: Number.POSITIVE_INFINITY, idleMs: left, messageLimit: caps.message })
  // Whoever waits for an answer hears of the failure; nobody else need.
  replying.catch(() => {})
  try {
    return await collect(
      asker(replying, (message) => questions.put(message)),
      options.services,
    )
  } finally {
    timer.cancel()
    options.signal?.removeEventListener('abort', abandon)
    questions.end()
    lifeline.end(new Fault('client_closed', 'the conversation is over'))
  }
}

/** Messages one at a time, each when it is there. */
function openQueue(): { readonly messages: AsyncIterable<Uint8Array>; put(message: Uint8Array): void; end(): void } {
  const waiting: Uint8Array[] = []
  const state = { ended: false }
  let wake = () => {}
  async function* messages(): AsyncIterable<Uint8Array> {
    while (!state.ended) {
      const next = waiting.shift()
      if (next !== undefined) yield next
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return {
    messages: messages(),
    put(message) {
      waiting.push(message)
      wake()
    },
    end() {
      state.ended = true
      wake()
    },
  }
}

/** One question at a time over the stream. */
function asker(replying: Promise<GrpcReply>, put: (message: Uint8Array) => void): Ask {
  let answers: AsyncIterator<Uint8Array> | undefined
  let bytes = 0
  return async (question) => {
    put(toBinary(reflectionRequest, fromJson(reflectionRequest, { ...question })))
    const reply = await replying
    answers ??= reply.messages[Symbol.asyncIterator]()
    const next = await answers.next()
    if (next.done === true) throw ended(reply)
    bytes += next.value.byteLength
    if (bytes > caps.bytes) throw new ReflectionError('broken', `the server hands over more than ${caps.bytes} bytes`)
    return decoded(next.value)
  }
}

/** The code as a plain number, which is what a status holds. */
const unimplemented: number = status.UNIMPLEMENTED

function ended(reply: GrpcReply): ReflectionError {
  const { code, message } = reply.status()
  if (code === unimplemented) return new ReflectionError('absent', message)
  const name = status[code] ?? `code ${code}`
  if (code === 0) return new ReflectionError('broken', 'the server ended the reflection stream without an answer')
  return new ReflectionError('broken', `reflection failed: ${name}${message === '' ? '' : `: ${message}`}`)
}

function decoded(bytes: Uint8Array): Answer {
  try {
    return toJson(reflectionResponse, fromBinary(reflectionResponse, bytes)) as Answer // its JSON form is what Answer describes
  } catch (error) {
    throw new ReflectionError('broken', `the server answered what is no reflection message: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

async function collect(ask: Ask, wanted: readonly string[] | undefined): Promise<Files> {
  const files: Files = new Map()
  const absent = new Set<string>()
  for (const name of wanted ?? (await listed(ask))) {
    const answer = await ask({ fileContainingSymbol: name })
    if (wanted === undefined || answer.errorResponse?.errorCode !== status.NOT_FOUND) add(files, answer, name)
  }
  for (let missing = missingImport(files, absent); missing !== undefined; missing = missingImport(files, absent)) {
    const answer = await ask({ fileByFilename: missing.name })
    // Servers leave files out that every runtime has; we have them too.
    if (answer.errorResponse !== undefined && builtinRegistry.getFile(missing.name) !== undefined) absent.add(missing.name)
    else add(files, answer, `${missing.name} (imported by ${missing.by})`)
    if (!files.has(missing.name) && !absent.has(missing.name))
      throw new ReflectionError('broken', `the server did not hand over ${missing.name}, which ${missing.by} imports`)
  }
  return files
}

async function listed(ask: Ask): Promise<readonly string[]> {
  const answer = await ask({ listServices: '*' })
  if (answer.errorResponse !== undefined) throw new ReflectionError('broken', `the server does not list its services: ${wordsOf(answer)}`)
  const services = (answer.listServicesResponse?.service ?? []).map(({ name }) => name).filter((name) => !own.test(name))
  if (services.length === 0) throw new ReflectionError('broken', 'the server lists no services')
  if (services.length > caps.services) throw new ReflectionError('broken', `the server lists ${services.length} services, more than ${caps.services}`)
  return services
}

function wordsOf({ errorResponse }: Answer): string {
  const code = errorResponse?.errorCode ?? 0
  return [status[code] ?? `code ${code}`, errorResponse?.errorMessage].filter((part) => part !== undefined && part !== '').join(': ')
}

function add(files: Files, answer: Answer, about: string): void {
  const protos = answer.fileDescriptorResponse?.fileDescriptorProto ?? []
  if (answer.errorResponse !== undefined) throw new ReflectionError('broken', `${about}: ${wordsOf(answer)}`)
  if (protos.length === 0) throw new ReflectionError('broken', `${about}: the server did not answer with a file`)
  for (const text of protos) {
    const file = fileFrom(text, about)
    const known = files.get(file.name)
    if (known !== undefined && !sameBytes(known, file)) throw new ReflectionError('broken', `the server hands over two different files named ${file.name}`)
    files.set(file.name, file)
    if (files.size > caps.files) throw new ReflectionError('broken', `the server hands over more than ${caps.files} files`)
  }
}

function fileFrom(text: string, about: string): FileDescriptorProto {
  try {
    return fromBinary(FileDescriptorProtoSchema, base64Decode(text))
  } catch (error) {
    throw new ReflectionError('broken', `${about}: what the server answered is no file descriptor`, error)
  }
}

function sameBytes(one: FileDescriptorProto, other: FileDescriptorProto): boolean {
  return Buffer.from(toBinary(FileDescriptorProtoSchema, one)).equals(toBinary(FileDescriptorProtoSchema, other))
}

function missingImport(files: Files, absent: ReadonlySet<string>): { readonly name: string; readonly by: string } | undefined {
  for (const file of files.values()) {
    const name = file.dependency.find((wanted) => !files.has(wanted) && !absent.has(wanted))
    if (name !== undefined) return { name, by: file.name }
  }
  return undefined
}

/** Imports before their importers, otherwise by name. */
function inOrder(files: Files): FileDescriptorProto[] {
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
