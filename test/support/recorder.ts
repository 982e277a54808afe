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

/** A gRPC server that answers every RPC of a descriptor set, and writes down what it was called. */
export interface Recorder {
  readonly port: number
  /** Path and first message of every call, in order. */
  readonly calls: readonly { readonly path: string; readonly message: Uint8Array | undefined }[]
}

/** `answerOf` says what an RPC whose answers are of this type answers: an empty message, if nothing else. */
export async function openRecorder(keep: Keep, descriptors: Uint8Array, answerOf: (output: string) => Uint8Array = () => new Uint8Array()): Promise<Recorder> {
  const book = readDescriptors(descriptors)
  if ('problem' in book) throw new Error(book.problem)
  const calls: { path: string; message: Uint8Array | undefined }[] = []
  const server = new Server()
  for (const service of book.services) {
    const definition: Record<string, ServiceDefinition[string]> = {}
    const handlers: Record<string, (call: never, answer: never) => void> = {}
    for (const { method, path, output, clientStream, serverStream } of rpcsOf(book, service)?.rpcs ?? []) {
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
      handlers[method] = handlerOf(
        (message) => calls.push({ path, message }),
        () => Buffer.from(answerOf(output)),
        clientStream,
        serverStream,
      )
    }
    server.addService(definition, handlers as never) // the library types handlers by their definition, which is made here
  }
  keep(() => server.forceShutdown())
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  return { port, calls }
}

function handlerOf(
  note: (message: Uint8Array | undefined) => void,
  reply: () => Buffer,
  clientStream: boolean,
  serverStream: boolean,
): (call: never, answer: never) => void {
  if (!clientStream) {
    return (call: ServerUnaryCall<Buffer, Buffer> & ServerWritableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      note(call.request)
      if (!serverStream) return answer(null, reply())
      call.write(reply())
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
      if (!serverStream) return answer(null, reply())
      call.write(reply())
      return call.end()
    })
  }
}
