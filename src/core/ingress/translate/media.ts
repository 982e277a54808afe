import { Fault } from '../../model/fault.ts'
import type { Fields } from '../../model/wire.ts'

/** `type/subtype` lower-case, and the parameters as name and value. */
interface MediaType {
  readonly essence: string
  readonly parameters: ReadonlyMap<string, string>
}

const essence = /^[!#$%&'*+\-.^_`|~0-9a-z]+\/[!#$%&'*+\-.^_`|~0-9a-z]+$/

/** RFC 9110 section 8.3.1; undefined when it is none. */
export function mediaTypeOf(value: string | undefined): MediaType | undefined {
  const [type = '', ...rest] = (value ?? '').split(';')
  const name = type.trim().toLowerCase()
  if (!essence.test(name)) return undefined
  const parameters = rest.map((part) => {
    const [key = '', ...text] = part.split('=')
    return [key.trim().toLowerCase(), text.join('=').trim().replaceAll('"', '')] as const
  })
  return { essence: name, parameters: new Map(parameters) }
}

/** @throws Fault `media_type_unsupported` unless the body is JSON in UTF-8 */
export function demandJson(headers: Fields): void {
  const type = mediaTypeOf(headers.get('content-type'))
  if (type !== undefined && isJson(type.essence) && isUtf8(type)) return
  throw new Fault('media_type_unsupported', 'send the body as application/json in UTF-8, or call the RPC with application/grpc over HTTP/2', {
    headers: [['accept', 'application/json']],
  })
}

/**
 * How a body of many messages is written: one per line (`application/x-ndjson`, `application/jsonl`), or as one JSON array.
 * @throws Fault `media_type_unsupported` for anything else
 */
export function demandJsonStream(headers: Fields): 'lines' | 'array' {
  const type = mediaTypeOf(headers.get('content-type'))
  if (type !== undefined && isUtf8(type)) {
    if (type.essence === 'application/x-ndjson' || type.essence === 'application/jsonl') return 'lines'
    if (isJson(type.essence)) return 'array'
  }
  const message = 'this RPC takes a stream: send application/x-ndjson (one message per line) or application/json (an array), in UTF-8, or call it natively'
  throw new Fault('media_type_unsupported', message, { headers: [['accept', 'application/x-ndjson, application/jsonl, application/json']] })
}

function isJson(type: string): boolean {
  return (type === 'application/json' || /^application\/[^/]+\+json$/.test(type)) && !isOtherDialect(type)
}

function isUtf8({ parameters }: MediaType): boolean {
  const charset = parameters.get('charset')?.toLowerCase()
  return charset === undefined || charset === 'utf-8' || charset === 'utf8'
}

/** Connect and gRPC-Web name JSON inside their own framing. */
function isOtherDialect(type: string): boolean {
  return type.startsWith('application/connect+') || type.startsWith('application/grpc')
}

/** @throws Fault `media_type_unsupported` unless this is gRPC with messages in protobuf or JSON */
export function demandGrpc(headers: Fields): void {
  const type = mediaTypeOf(headers.get('content-type'))?.essence
  if (type !== undefined && /^application\/grpc(?:\+proto|\+json)?$/.test(type)) return
  throw new Fault('media_type_unsupported', 'call the RPC with application/grpc and messages in +proto or +json, or with application/json')
}
