import { create, createFileRegistry, type DescMessage, type DescService, fromBinary, type Message, type Registry, toBinary } from '@bufbuild/protobuf'
import { AnySchema, anyPack, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js'
import { vi } from 'vitest'
import { builtinRegistry } from '../../src/core/protobuf.ts'
import type { Keep } from './keep.ts'
import { descriptorsFrom } from './protos.ts'

const proto = `
syntax = "proto3";
package matrix.v1;

// One call of each kind; all answer alike.
service Matrix {
  rpc Unary(Ask) returns (Answer) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Download(Ask) returns (stream Answer);
  rpc Upload(stream Ask) returns (Answer);
  rpc Talk(stream Ask) returns (stream Answer);
}
message Ask {
  string text = 1;
  int64 big = 2;
  bytes data = 3;
  // Fail, with details, in place of an answer; of a stream, after one.
  bool fail = 4;
  // Answer nothing; in a stream, nothing after one.
  bool hang = 5;
  // Answers to a download; how often a unary call is answered the text.
  int32 count = 6;
}
message Answer {
  string text = 1;
  int64 big = 2;
  bytes data = 3;
  int32 index = 4;
}
`

/** The messages of the service as a dynamic registry makes them. */
export interface Ask {
  readonly text?: string
  readonly big?: bigint
  readonly data?: Uint8Array
  readonly fail?: boolean
  readonly hang?: boolean
  readonly count?: number
}
export type Answer = Required<Omit<Ask, 'fail' | 'hang' | 'count'>> & { readonly index: number }

/** One call as the service saw it. */
export interface MatrixCall {
  readonly metadata: Metadata
  /** Milliseconds left when it came; Infinity without a deadline. */
  readonly remainingMs: number
  readonly cancelled: Promise<void>
}

/** A service with one call of each kind, and what clients need to make them. */
export interface MatrixService {
  readonly port: number
  readonly descriptors: Uint8Array
  readonly desc: DescService
  readonly ask: DescMessage
  readonly answer: DescMessage
  readonly calls: readonly MatrixCall[]
  /** The call after the first `count`, when it has come. */
  call(count: number): Promise<MatrixCall>
}

/** What a failing call says, and its one detail. */
export const matrixFailure = { message: 'zu spät: 100 % shipped', reason: 'SHIPPED', domain: 'shop.example' }

export async function openMatrix(keep: Keep): Promise<MatrixService> {
  const descriptors = await descriptorsFrom({ 'matrix.proto': proto })
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors))
  const desc = registry.getService('matrix.v1.Matrix')
  if (desc === undefined) throw new Error('no matrix.v1.Matrix')
  const types = { ask: messageOf(registry, 'matrix.v1.Ask'), answer: messageOf(registry, 'matrix.v1.Answer') }
  const calls: MatrixCall[] = []
  const server = new Server()
  const handlers = Object.fromEntries(desc.methods.map(({ name }) => [name, (call: Duplex) => serve(call, name, calls)]))
  server.addService(definitionOf(desc, types), handlers)
  keep(() => server.forceShutdown())
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  const call = (count: number) =>
    vi.waitFor(
      () => {
        const seen = calls[count]
        if (seen === undefined) throw new Error(`call ${count} has not come`)
        return seen
      },
      { timeout: 10_000, interval: 2 },
    )
  return { port, descriptors, desc, ...types, calls, call }
}

type Duplex = ServerDuplexStream<Required<Ask>, Partial<Answer>>

/** On the wire all four kinds of call look alike; the server sees every one as a stream. */
function definitionOf(desc: DescService, { ask, answer }: { readonly ask: DescMessage; readonly answer: DescMessage }): ServiceDefinition {
  const codec = {
    requestStream: true,
    responseStream: true,
    requestSerialize: () => Buffer.of(),
    requestDeserialize: (bytes: Buffer) => fromBinary(ask, bytes),
    responseSerialize: (message: Message) => Buffer.from(toBinary(answer, create(answer, message))),
    responseDeserialize: () => undefined,
  }
  return Object.fromEntries(desc.methods.map(({ name }) => [name, { path: `/${desc.typeName}/${name}`, ...codec }]))
}

function serve(call: Duplex, kind: string, calls: MatrixCall[]): void {
  const deadline = call.getDeadline()
  const at = deadline instanceof Date ? deadline.getTime() : deadline
  calls.push({ metadata: call.metadata, remainingMs: at - Date.now(), cancelled: new Promise((done) => void call.on('cancelled', () => done())) })
  call.on('error', () => {})
  call.sendMetadata(echoed(call, 'x-head'))
  const asked: Required<Ask>[] = []
  let held = false
  const say = (ask: Required<Ask>, index: number, times = 1) => call.write({ text: ask.text.repeat(times), big: ask.big, data: ask.data, index })
  call.on('data', (ask: Required<Ask>) => {
    asked.push(ask)
    if ((ask.fail || ask.hang) && kind !== 'Unary' && kind !== 'Upload') say(ask, 0)
    if (ask.fail) call.emit('error', failure(call))
    held ||= ask.fail || ask.hang
    if (held) return
    if (kind === 'Download') for (let i = 0; i < ask.count; i++) say(ask, i)
    else if (kind !== 'Upload') say(ask, asked.length - 1, kind === 'Unary' ? Math.max(ask.count, 1) : 1)
  })
  call.on('end', () => {
    if (held) return
    if (kind === 'Upload') call.write({ text: asked.map(({ text }) => text).join(','), index: asked.length })
    call.end(echoed(call, 'x-tail'))
  })
}

function echoed(call: Duplex, name: string): Metadata {
  const metadata = new Metadata()
  for (const value of call.metadata.get('x-ask')) metadata.add(name, value)
  for (const value of call.metadata.get('x-ask-bin')) metadata.add(`${name}-bin`, value)
  return metadata
}

function failure(call: Duplex): object {
  const info = messageOf(builtinRegistry, 'google.rpc.ErrorInfo')
  const rich = messageOf(builtinRegistry, 'google.rpc.Status')
  const detail = anyPack(info, create(info, { reason: matrixFailure.reason, domain: matrixFailure.domain }))
  const bytes = toBinary(rich, create(rich, { code: status.FAILED_PRECONDITION, message: matrixFailure.message, details: [create(AnySchema, detail)] }))
  const metadata = echoed(call, 'x-tail')
  metadata.set('grpc-status-details-bin', Buffer.from(bytes))
  return { code: status.FAILED_PRECONDITION, details: matrixFailure.message, metadata }
}

function messageOf(registry: Registry, name: string): DescMessage {
  const found = registry.getMessage(name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}
