import type { JsonValue, Registry } from '@bufbuild/protobuf'
import type { GrpcStatus } from '../../model/call.ts'
import { challenge } from '../../model/challenge.ts'
import type { Translated } from '../../model/exchange.ts'
import { FieldList } from '../../model/fields.ts'
import { problemType } from '../../model/problem.ts'
import type { Fields, Outbound } from '../../model/wire.ts'
import { readDetails } from './details.ts'
import { addAnswered, withExchange } from './headers.ts'
import { codeName, errorStatus, isInward } from './status.ts'
import { wantsProblem } from './wants-problem.ts'

/** google.rpc.Status in JSON. A type alias: an interface would not be a JsonValue. */
type StatusJson = { readonly code: number; readonly message: string; readonly details: JsonValue[] }

/** A gRPC status as JSON callers see it. What tells about the inside of a service is left out, unless the route shows it. */
export function statusJson(status: Pick<GrpcStatus, 'code' | 'message' | 'details'>, registry: Registry, showInternal = false): StatusJson {
  if (isInward(status.code) && !showInternal) return { code: status.code, message: status.code === 13 ? 'internal error' : 'unknown error', details: [] }
  return { code: status.code, message: status.message, details: [...readDetails(status.details, registry).details] }
}

/**
 * An upstream's gRPC error as an HTTP answer: the status by google.rpc.Code, google.rpc.Status in JSON as body, or a problem document
 * where `Accept` prefers it. UNAUTHENTICATED brings a challenge (RFC 9110 section 15.5.2), RetryInfo a Retry-After.
 */
export function errorAnswer(x: Translated, metadata: Fields, status: GrpcStatus, registry: Registry): Outbound {
  const asProblem = wantsProblem(x.request.headers)
  const { translate } = x.route
  const json = statusJson(status, registry, translate.showInternal)
  const httpStatus = errorStatus(status.code, x)
  const body = new TextEncoder().encode(JSON.stringify(asProblem ? problemOf(x, json, httpStatus) : json))
  const headers = new FieldList()
  addAnswered(headers, 'grpc-metadata-', metadata, translate)
  addAnswered(headers, 'grpc-trailer-', status.trailers, translate)
  headers.set('content-type', asProblem ? 'application/problem+json' : 'application/json')
  headers.set('content-length', `${body.length}`).set('cache-control', 'no-store')
  const { retryAfter } = readDetails(status.details, registry)
  if (retryAfter !== undefined) headers.set('retry-after', `${retryAfter}`)
  if (status.code === 16) headers.set('www-authenticate', challenge('Bearer'))
  return { status: httpStatus, headers: withExchange(headers, x), body: x.request.method === 'HEAD' ? undefined : body }
}

function problemOf(x: Translated, { code, message, details }: StatusJson, status: number): JsonValue {
  const name = codeName(code)
  const title = name.charAt(0) + name.slice(1).toLowerCase().replaceAll('_', ' ')
  const type = problemType(`rpc_${name.toLowerCase()}`)
  return { type, title, status, detail: message, instance: x.id, code: name, details }
}
