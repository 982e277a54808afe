import { create, type DescMessage, type DescMethod, fromBinary, fromJson, type JsonValue, type Registry, toBinary, toJson } from '@bufbuild/protobuf'
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, type UntypedHandleCall } from '@grpc/grpc-js'
import { builtinRegistry, type DescriptorBook } from '../../../src/core/protobuf.ts'
import type { Keep } from '../../support/keep.ts'
import type { WireReply } from './wire-service.ts'

/** What the service answers the next call with. Nothing given: one default message, or none on a stream, and OK. */
export interface Reply {
  /** ProtoJSON of the output type, or its bytes as they are to be. */
  readonly messages?: readonly (JsonValue | Uint8Array)[]
  readonly head?: readonly (readonly [name: string, value: string | Buffer])[]
  readonly trailers?: readonly (readonly [name: string, value: string | Buffer])[]
  readonly status?: { readonly code?: number; readonly details?: string }
  /** ProtoJSON of `google.protobuf.Any`, or bytes of one; they go out as `grpc-status-details-bin`. */
  readonly details?: readonly JsonValue[]
  /** The answer frame by frame; only a service that is opened as `wire` can give it. */
  readonly wire?: WireReply
}

/** A call that reached the service. */
export interface Reached {
  /** `package.Service/Method`. */
  readonly rpc: string
  /** ProtoJSON, as `@bufbuild/protobuf` writes it. */
  readonly messages: readonly JsonValue[]
  readonly metadata: Readonly<Record<string, readonly (string | Buffer)[]>>
  /** Milliseconds that were left when it came; Infinity without a deadline. */
  readonly remainingMs: number
  /** The client was gone before the end. */
  readonly cancelled: boolean
}

/** Every service of a descriptor set on one port, as grpc-js serves it, with what it saw. */
export interface Recorder {
  readonly port: number
  /** What reached it since the last `answerWith`. A stream counts when it begins. */
  readonly reached: readonly Reached[]
  /** Forgets what was seen, and settles how the calls from now on are answered. */
  answerWith(reply: Reply): void
}

type Call = ServerDuplexStream<Buffer, Buffer>

/** Starts the recorder on a free port of loopback. Types and JSON of what it sees are `@bufbuild/protobuf`'s, not the gateway's. */
export async function openRecorder(keep: Keep, { registry }: DescriptorBook, services: readonly string[]): Promise<Recorder> {
  let reply: Reply = {}
  const reached: { -readonly [K in keyof Reached]: Reached[K] }[] = []
  const server = new Server()
  for (const name of services) {
    const service = registry.getService(name)
    if (service === undefined) throw new Error(`no service ${name}`)
    for (const method of service.methods) server.register(`/${name}/${method.name}`, handle(method), whole, whole, 'bidi')
  }

  function handle(method: DescMethod): UntypedHandleCall {
    return (call: Call) => {
      const deadline = call.getDeadline()
      const messages: JsonValue[] = []
      const seen: (typeof reached)[number] = {
        rpc: `${method.parent.typeName}/${method.name}`,
        messages,
        metadata: metadataOf(call.metadata),
        remainingMs: (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now(),
        cancelled: false,
      }
      reached.push(seen)
      call.on('cancelled', () => {
        seen.cancelled = true
      })
      call.on('error', () => {})
      call.on('data', (bytes: Buffer) => messages.push(toJson(method.input, fromBinary(method.input, bytes), { registry })))
      call.on('end', () => answer(call, method))
    }
  }

  function answer(call: Call, method: DescMethod): void {
    const { messages, head = [], status = {} } = reply
    call.sendMetadata(filled(head))
    const one = method.methodKind === 'unary' || method.methodKind === 'client_streaming'
    for (const message of messages ?? (one && (status.code ?? 0) === 0 ? [{}] : [])) call.write(bytesOf(method.output, message, registry))
    const trailers = filled([...(reply.trailers ?? []), ...detailsOf(reply, registry)])
    if ((status.code ?? 0) === 0) call.end(trailers)
    // An error of grpc-js overtakes messages that are not yet written.
    else setImmediate(() => call.emit('error', { code: status.code, details: status.details ?? '', metadata: trailers }))
  }

  keep(() => server.forceShutdown())
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  const answerWith = (next: Reply) => {
    reply = next
    reached.length = 0
  }
  return { port, reached, answerWith }
}

const whole = (bytes: Buffer): Buffer => bytes

function bytesOf(type: DescMessage, message: JsonValue | Uint8Array, registry: Registry): Buffer {
  return Buffer.from(message instanceof Uint8Array ? message : toBinary(type, fromJson(type, message, { registry })))
}

function detailsOf({ status, details }: Reply, registry: Registry): readonly (readonly [string, Buffer])[] {
  if (details === undefined) return []
  const type = builtinRegistry.getMessage('google.rpc.Status') ?? registry.getMessage('google.rpc.Status')
  if (type === undefined) throw new Error('google.rpc.Status is not built in')
  const json = { code: status?.code ?? 0, message: status?.details ?? '', details: [...details] }
  return [['grpc-status-details-bin', Buffer.from(toBinary(type, fromJson(type, json, { registry: builtinRegistry })))]]
}

function filled(fields: readonly (readonly [string, string | Buffer])[]): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of fields) metadata.add(name, value)
  return metadata
}

function metadataOf(metadata: Metadata): Reached['metadata'] {
  return Object.fromEntries(Object.keys(metadata.getMap()).map((name) => [name, metadata.get(name)]))
}

/** Bytes of a message, from its ProtoJSON. */
export function wireOf(type: DescMessage, json: JsonValue, registry: Registry): Buffer {
  return Buffer.from(toBinary(type, json === undefined ? create(type) : fromJson(type, json, { registry })))
}
