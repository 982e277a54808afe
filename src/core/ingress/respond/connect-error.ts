import { type JsonValue, type Registry, toJson } from '@bufbuild/protobuf'
import { base64Encode } from '@bufbuild/protobuf/wire'
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt'
import type { GrpcStatus } from '../../model/call.ts'
import type { Fault } from '../../model/fault.ts'
import type { Fields } from '../../model/wire.ts'
import { shownAnys } from './details.ts'
import { codeName, isInward } from './status.ts'

/** An error as Connect writes it (Connect, "Error and EndStreamResponse"). A type alias: an interface would not be a JsonValue. */
export type ConnectError = { readonly code: string; readonly message?: string; readonly details?: JsonValue[] }

/** The error of a service. What tells about the inside of it is left out, as for JSON callers, unless the route shows it. */
export function errorOf(status: Pick<GrpcStatus, 'code' | 'message' | 'details'>, registry: Registry, showInternal = false): ConnectError {
  if (isInward(status.code) && !showInternal) return { code: connectCode(status.code), message: status.code === 13 ? 'internal error' : 'unknown error' }
  const details = shownAnys(status.details).map((any) => detailOf(any, registry))
  return {
    code: connectCode(status.code),
    ...(status.message === '' ? {} : { message: status.message }),
    ...(details.length === 0 ? {} : { details }),
  }
}

/** The error that stands for a fault of the gateway. */
export function errorOfFault(fault: Fault): ConnectError {
  return { code: connectCode(fault.grpcStatus), message: fault.message }
}

/** The last message of a stream: the error if there is one, and the trailers. */
export function endOfStream(error: ConnectError | undefined, trailers: Fields): JsonValue {
  const values = new Map<string, string[]>()
  for (const [name, value] of trailers.entries()) values.set(name, [...(values.get(name) ?? []), value])
  return { ...(error === undefined ? {} : { error }), ...(values.size === 0 ? {} : { metadata: Object.fromEntries(values) }) }
}

/** gRPC's name in lower case, but for the spelling of one. */
function connectCode(code: number): string {
  return code === 1 ? 'canceled' : codeName(code).toLowerCase()
}

function detailOf(any: Any, registry: Registry): JsonValue {
  const detail = { type: any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1), value: base64Encode(any.value, 'std_raw') }
  try {
    const debug = toJson(AnySchema, any, { registry })
    return { ...detail, debug: debug !== null && typeof debug === 'object' && !Array.isArray(debug) ? withoutType(debug) : debug }
  } catch {
    return detail // a type that nobody knows
  }
}

function withoutType(json: Readonly<Record<string, JsonValue>>): JsonValue {
  const { '@type': _, ...rest } = json
  return rest
}
