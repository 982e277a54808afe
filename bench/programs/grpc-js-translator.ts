import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createFileRegistry, type DescMethod, fromBinary, fromJson, type JsonValue, type Message, toBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import { portArgument, untilInputEnds } from './until-input-ends.ts'

/*
 * JSON in front of gRPC as a team writes it without a gateway: a chain of middleware and a handler per route in the manner of Express, @grpc/grpc-js
 * behind, JSON converted by @bufbuild/protobuf. Nobody is identified, nothing is limited, recorded or measured.
 * Arguments: port, the backend's port, file of descriptors.
 */

type Request = IncomingMessage & { body?: JsonValue; params: Readonly<Record<string, string>> }
type Next = (error?: unknown) => void
type Middleware = (request: Request, response: ServerResponse, next: Next) => void

const deadlineMs = 2000
const [, , , backendPort, descriptors] = process.argv
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors ?? '')))
const client = new Client(`127.0.0.1:${backendPort}`, credentials.createInsecure())
const methods = new Map(registry.getService('shop.v1.Orders')?.methods.map((method) => [method.name, method]))
const httpStatus: Readonly<Record<number, number>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.UNAUTHENTICATED]: 401,
  [status.PERMISSION_DENIED]: 403,
  [status.NOT_FOUND]: 404,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.UNAVAILABLE]: 503,
  [status.DEADLINE_EXCEEDED]: 504,
}

function jsonBody(): Middleware {
  return (request, _response, next) => {
    if (request.method !== 'POST') {
      next()
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', next)
    request.on('end', () => {
      try {
        request.body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as JsonValue
        next()
      } catch (error) {
        next(Object.assign(error as Error, { code: status.INVALID_ARGUMENT }))
      }
    })
  }
}

function on(method: string, pattern: RegExp, handler: Middleware): Middleware {
  return (request, response, next) => {
    const found = request.method === method ? pattern.exec((request.url ?? '').split('?')[0] ?? '') : null
    if (found === null) {
      next()
      return
    }
    request.params = { ...found.groups }
    handler(request, response, next)
  }
}

function call(name: string, input: (request: Request) => JsonValue): Middleware {
  const method = methods.get(name) as DescMethod
  return (request, response, next) => {
    client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: Message) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      fromJson(method.input, input(request)),
      { deadline: Date.now() + deadlineMs },
      (error: ServiceError | null, answer?: Message) => {
        if (error !== null || answer === undefined) next(error)
        else sendJson(response, 200, toJson(method.output, answer))
      },
    )
  }
}

function sendJson(response: ServerResponse, code: number, value: JsonValue): void {
  const text = JSON.stringify(value)
  response.writeHead(code, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) }).end(text)
}

const chain: readonly Middleware[] = [
  jsonBody(),
  on(
    'POST',
    /^\/v1\/orders$/,
    call('CreateOrder', (request) => request.body ?? {}),
  ),
  on(
    'GET',
    /^\/v1\/orders\/(?<id>[^/]+)$/,
    call('GetOrder', (request) => ({ id: request.params['id'] ?? '' })),
  ),
]

function handle(request: Request, response: ServerResponse, at = 0, error?: unknown): void {
  const step = chain[at]
  if (error !== undefined && error !== null) {
    const { code, message } = error as { code?: number; message?: string }
    sendJson(response, httpStatus[code ?? -1] ?? 500, { error: message ?? 'internal error' })
  } else if (step === undefined) sendJson(response, 404, { error: 'not found' })
  else {
    try {
      step(request, response, (failed) => handle(request, response, at + 1, failed))
    } catch (thrown) {
      handle(request, response, at, thrown)
    }
  }
}

createServer((request, response) => handle(Object.assign(request, { params: {} }), response)).listen(portArgument(), '127.0.0.1')
untilInputEnds()
