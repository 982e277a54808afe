import { fromBinary, isMessage, type JsonValue, type Message, type Registry, toJson } from '@bufbuild/protobuf'
import { base64Encode } from '@bufbuild/protobuf/wire'
import { type Any, AnySchema, anyUnpack, DurationSchema } from '@bufbuild/protobuf/wkt'
import { builtinRegistry } from '../../protobuf.ts'

/** What `grpc-status-details-bin` says, as far as it can be read and may be shown. */
export interface StatusDetails {
  /** JSON forms; a type that nobody knows stays as its bytes in base64. */
  readonly details: readonly JsonValue[]
  /** google.rpc.RetryInfo, in whole seconds, rounded up. */
  readonly retryAfter: number | undefined
}

const none: StatusDetails = { details: [], retryAfter: undefined }

/** Reads the details of a status (a serialized google.rpc.Status). Bytes that are none count as no details: the error itself stands. */
export function readDetails(bytes: Uint8Array | undefined, registry: Registry): StatusDetails {
  const details = bytes === undefined ? [] : anysOf(bytes)
  return details.length === 0 ? none : { details: details.filter(isShown).map((any) => detailJson(any, registry)), retryAfter: retryAfter(details) }
}

/** The details of a status that may be shown, as they are. */
export function shownAnys(bytes: Uint8Array | undefined): readonly Any[] {
  return bytes === undefined ? [] : anysOf(bytes).filter(isShown)
}

/** Stack traces are for the service's own people. */
function isShown(any: Any): boolean {
  return !any.typeUrl.endsWith('/google.rpc.DebugInfo')
}

function anysOf(bytes: Uint8Array): readonly Any[] {
  const schema = builtinRegistry.getMessage('google.rpc.Status')
  if (schema === undefined) return []
  try {
    const details = (fromBinary(schema, bytes) as Message & { readonly details?: unknown }).details
    return Array.isArray(details) ? details.filter((item): item is Any => isMessage(item, AnySchema)) : []
  } catch {
    return []
  }
}

function detailJson(any: Any, registry: Registry): JsonValue {
  try {
    return toJson(AnySchema, any, { registry })
  } catch {
    return { '@type': any.typeUrl, value: base64Encode(any.value) }
  }
}

function retryAfter(details: readonly Any[]): number | undefined {
  for (const any of details) {
    const info = any.typeUrl.endsWith('/google.rpc.RetryInfo') ? unpacked(any) : undefined
    const delay = (info as { readonly retryDelay?: unknown } | undefined)?.retryDelay
    if (isMessage(delay, DurationSchema)) return Math.max(0, Number(delay.seconds) + (delay.nanos > 0 ? 1 : 0))
  }
  return undefined
}

function unpacked(any: Any): Message | undefined {
  try {
    return anyUnpack(any, builtinRegistry)
  } catch {
    return undefined
  }
}
