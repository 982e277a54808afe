import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js'
import { readDescriptors, rpcsOf } from '../../src/core/protobuf.ts'
import type { Keep } from './keep.ts'

/** A gRPC server that answers every RPC of a descriptor set with empty messages, and writes down what it was called. */
export interface Recorder {
  readonly port: number
  /** Path and first message of every call, in order. */
  readonly calls: readonly { readonly path: string; readonly message: Uint8Array | undefined }[]
}

export async function openRecorder(keep: Keep, descriptors: Uint8Array): Promise<Recorder> {
  const book = readDescriptors(descriptors)
  if ('problem' in book) throw new Error(book.problem)
  const calls: { path: string; message: Uint8Array | undefined }[] = []
  const server = new Server()
  for (const service of book.services) {
    const definition: Record<string, ServiceDefinition[string]> = {}
    const handlers: Record<string, (call: never, answer: never) => void> = {}
    for (const { method, path, clientStream, serverStream } of rpcsOf(book, service)?.rpcs ?? []) {
      const whole = (bytes: Buffer) => bytes
      definition[method] = {
        path,
        requestStream: clientStream,
        responseStream: serverStream,
        requestSerialize: whole,
        requestDeserialize: whole,
        responseSerialize: whole,
        responseDeserialize: whole,
      }
      handlers[method] = handlerOf((message) => calls.push({ path, message }), clientStream, serverStream)
    }
    server.addService(definition, handlers as never) // the library types handlers by their definition, which is made here
  }
  keep(() => server.forceShutdown())
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  return { port, calls }
}

function handlerOf(note: (message: Uint8Array | undefined) => void, clientStream: boolean, serverStream: boolean): (call: never, answer: never) => void {
  const empty = Buffer.alloc(0)
  if (!clientStream) {
    return (call: ServerUnaryCall<Buffer, Buffer> & ServerWritableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      note(call.request)
      if (!serverStream) return answer(null, empty)
      call.write(empty)
      return call.end()
    }
  }
  return (call: ServerReadableStream<Buffer, Buffer> & ServerDuplexStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    let first: Buffer | undefined
    call.on('data', (message: Buffer) => {
      first ??= message
    })
    call.on('end', () => {
      note(first)
      if (!serverStream) return answer(null, empty)
      call.write(empty)
      return call.end()
    })
  }
}
