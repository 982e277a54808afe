import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type ServerDuplexStream, type ServiceError } from '@grpc/grpc-js'
import { addReflection } from '../../src/node/demo/mesh/reflection.ts'
import { reflectionPaths, reflectionRequest, reflectionResponse } from '../../src/node/proto/reflection-messages.ts'
import type { Keep } from './keep.ts'

export interface ReflectingOptions {
  readonly paths?: readonly string[]
  readonly credentials?: ServerCredentials
  /** Left out: any free one. */
  readonly port?: number
  /** Is told how to close the server before the end. */
  readonly onClose?: (close: () => void) => void
}

/** A gRPC server on loopback that reflects this descriptor set. Returns its port. */
export async function openReflecting(
  keep: Keep,
  descriptors: Uint8Array,
  { paths = reflectionPaths, credentials, port, onClose }: ReflectingOptions = {},
): Promise<number> {
  const server = new Server()
  addReflection(server, descriptors, paths)
  onClose?.(() => server.forceShutdown())
  return await bind(keep, server, credentials, port)
}

/** No answer at all. */
export const silence = Symbol('silence')

/** What a scripted server does with one question: an answer in JSON, bytes as they are, an error that ends the stream, or nothing at all. */
export type Script = (question: Readonly<Record<string, string>>) => JsonValue | Uint8Array | Partial<ServiceError> | typeof silence

/** A gRPC server on loopback whose reflection (v1) answers as `script` says. Returns its port. */
export async function openScripted(keep: Keep, script: Script): Promise<number> {
  const server = new Server()
  const path = reflectionPaths[0]
  server.addService(
    {
      ServerReflectionInfo: {
        path,
        requestStream: true,
        responseStream: true,
        requestSerialize: () => Buffer.alloc(0),
        requestDeserialize: (bytes) => toJson(reflectionRequest, fromBinary(reflectionRequest, bytes)),
        responseSerialize: (answer: Uint8Array) => Buffer.from(answer),
        responseDeserialize: (bytes) => bytes,
      },
    },
    {
      ServerReflectionInfo(call: ServerDuplexStream<Record<string, string>, Uint8Array>) {
        call.on('error', () => {}) // the client may go first
        call.on('end', () => call.end())
        call.on('data', (question: Record<string, string>) => {
          const answer = script(question)
          if (answer === silence) return
          if (answer instanceof Uint8Array) call.write(answer)
          else if (typeof answer === 'object' && answer !== null && 'code' in answer) call.emit('error', answer)
          else call.write(toBinary(reflectionResponse, fromJson(reflectionResponse, answer as JsonValue)))
        })
      },
    },
  )
  return await bind(keep, server, undefined)
}

async function bind(keep: Keep, server: Server, credentials = ServerCredentials.createInsecure(), port = 0): Promise<number> {
  keep(() => server.forceShutdown())
  return await new Promise<number>((bound, fail) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, at) => (error === null ? bound(at) : fail(error)))
  })
}
