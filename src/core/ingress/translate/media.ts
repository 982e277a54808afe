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
  const isJson = type !== undefined && (type.essence === 'application/json' || /^application\/[^/]+\+json$/.test(type.essence)) && !isOtherDialect(type.essence)
  const charset = type?.parameters.get('charset')?.toLowerCase()
  if (isJson && (charset === undefined || charset === 'utf-8' || charset === 'utf8')) return
  throw new Fault('media_type_unsupported', 'send the body as application/json in UTF-8, or call the RPC with application/grpc over HTTP/2', {
    headers: [['accept', 'application/json']],
  })
}

/** Connect and gRPC-Web name JSON inside their own framing. */
function isOtherDialect(type: string): boolean {
  return type.startsWith('application/connect+') || type.startsWith('application/grpc')
}

/** @throws Fault `media_type_unsupported` unless this is gRPC with protobuf messages */
export function demandGrpc(headers: Fields): void {
  const type = mediaTypeOf(headers.get('content-type'))?.essence
  if (type === 'application/grpc' || type === 'application/grpc+proto') return
  throw new Fault('media_type_unsupported', 'call the RPC with application/grpc and protobuf messages, or with application/json')
}

/** @throws Fault `not_implemented` when `Accept` leaves no room for newline-delimited JSON (RFC 9110 section 12.5.1) */
export function demandNdjsonAccepted(headers: Fields): void {
  const ranges = headers.all('accept').flatMap((value) => value.split(','))
  if (ranges.length === 0 || ranges.some(takesNdjson)) return
  throw new Fault('not_implemented', 'this RPC answers with a stream: accept application/x-ndjson (one JSON message per line)')
}

function takesNdjson(range: string): boolean {
  const type = mediaTypeOf(range)
  const fits = type !== undefined && ['application/x-ndjson', 'application/*', '*/*'].includes(type.essence)
  return fits && !/^0(?:\.0{0,3})?$/.test(type.parameters.get('q') ?? '1')
}
