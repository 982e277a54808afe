import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import type { Keep } from './keep.ts'
import { bookFrom } from './protos.ts'

/** The part of Envoy's external authorization API that is spoken. */
export const extAuthzProto = fileURLToPath(new URL('../../src/core/ingress/authorize/ask/ext-authz.proto', import.meta.url))

/** What the server says: a CheckResponse in JSON, bare bytes, a failed call, or nothing at all. */
export type CheckAnswer = { readonly json: JsonValue } | { readonly bytes: Uint8Array } | { readonly code: number; readonly message: string } | 'silence'

/** A server of Envoy's external authorization, v3, over gRPC. */
export interface ExtAuthzServer {
  readonly port: number
  /** Every CheckRequest it got, in JSON. */
  readonly requests: JsonValue[]
  /** Calls met with silence that were given up. */
  readonly cancelled: () => number
  /** How every call is answered from now on. */
  answer(with_: CheckAnswer): void
  close(): void
}

/** Messages of the API from and to JSON. */
export async function extAuthzTypes() {
  const { registry } = await bookFrom({ 'ext-authz.proto': await readFile(extAuthzProto, 'utf8') })
  const messageOf = (name: string) => {
    const desc = registry.getMessage(`envoy.service.auth.v3.${name}`)
    if (desc === undefined) throw new Error(name)
    return desc
  }
  const [request, response] = [messageOf('CheckRequest'), messageOf('CheckResponse')]
  return {
    readRequest: (bytes: Uint8Array) => toJson(request, fromBinary(request, bytes)),
    writeResponse: (json: JsonValue) => toBinary(response, fromJson(response, json)),
  }
}

export async function openExtAuthz(keep: Keep, first: CheckAnswer): Promise<ExtAuthzServer> {
  const types = await extAuthzTypes()
  const requests: JsonValue[] = []
  let [answer, cancelled] = [first, 0]
  const check = (call: ServerUnaryCall<Buffer, Uint8Array>, done: sendUnaryData<Uint8Array>) => {
    requests.push(types.readRequest(call.request))
    if (answer === 'silence') {
      call.on('cancelled', () => void (cancelled += 1))
      return
    }
    if ('json' in answer) done(null, types.writeResponse(answer.json))
    else if ('bytes' in answer) done(null, answer.bytes)
    else done({ code: answer.code, details: answer.message })
  }
  const server = new Server()
  const plain = (bytes: Uint8Array) => Buffer.from(bytes)
  const method = {
    path: '/envoy.service.auth.v3.Authorization/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: plain,
    requestDeserialize: plain,
    responseSerialize: plain,
    responseDeserialize: plain,
  } as const
  server.addService({ Check: method }, { Check: check })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  const close = () => server.forceShutdown()
  keep(close)
  return { port, requests, cancelled: () => cancelled, answer: (next) => void (answer = next), close }
}
