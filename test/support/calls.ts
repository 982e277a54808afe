import type { GrpcCall, HttpCall } from '../../src/core/model/call.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Body } from '../../src/core/model/wire.ts'
import type { CallOptions, Endpoint } from '../../src/core/ports.ts'

/** A GET of `/` to `service.test` unless said otherwise. */
export function httpCall(given: Partial<HttpCall> = {}): HttpCall {
  return { kind: 'http', method: 'GET', scheme: 'http', authority: 'service.test', target: '/', headers: new FieldList(), body: undefined, ...given }
}

/** A unary call with an empty message unless said otherwise. */
export function grpcCall(given: Partial<GrpcCall> = {}): GrpcCall {
  return {
    kind: 'grpc',
    path: '/test.Echo/Unary',
    authority: 'service.test',
    metadata: new FieldList(),
    messages: new Uint8Array(),
    serverStream: false,
    ...given,
  }
}

/** No deadline, a generous idle limit. */
export function callOptions(given: Partial<CallOptions> = {}): CallOptions {
  return { lifeline: new Lifeline(), deadline: Number.POSITIVE_INFINITY, idleMs: 10_000, messageLimit: 4 * 1024 * 1024, ...given }
}

/** A plain endpoint on loopback. */
export function endpointAt(port: number, given: Partial<Endpoint> = {}): Endpoint {
  const protocol = given.protocol ?? 'http1'
  return {
    key: `${protocol} 127.0.0.1:${port}`,
    protocol,
    address: { kind: 'tcp', host: '127.0.0.1', port },
    tls: undefined,
    connectTimeoutMs: 1_000,
    idleMs: 4_000,
    ...given,
  }
}

/** A body of unknown length out of these chunks, counting what was pulled. */
export function chunkedBody(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Body & { readonly pulled: () => number } {
  let pulled = 0
  return {
    length: undefined,
    bytes: () => Promise.reject(new Error('not in one piece')),
    async *chunks() {
      for await (const chunk of chunks) {
        pulled += chunk.byteLength
        yield chunk
      }
    },
    pulled: () => pulled,
  }
}
