import type { Fields } from './wire.ts'

/** What a downstream speaks: it decides how its messages are read and how answers and refusals look. */
export type Dialect = HttpDialect | NativeDialect | WebDialect | ConnectDialect

/** How messages are written; a dialect that names another has none. */
export type Codec = 'proto' | 'json'

/** Plain HTTP; on gRPC routes JSON under an HTTP rule. */
interface HttpDialect {
  readonly kind: 'http'
}

/** gRPC over HTTP/2. */
export interface NativeDialect {
  readonly kind: 'grpc'
  readonly codec: Codec | undefined
}

/** gRPC-Web. */
export interface WebDialect {
  readonly kind: 'grpc-web'
  /** The request is base64. */
  readonly text: boolean
  /** The answer is to be base64. */
  readonly textAnswer: boolean
  readonly codec: Codec | undefined
}

/** Connect: `unary` has one bare message as body, `get` has it in the query, `stream` has envelopes. */
export interface ConnectDialect {
  readonly kind: 'connect'
  readonly form: 'unary' | 'get' | 'stream'
  readonly codec: Codec | undefined
  /** The request says in so many words that it is Connect; otherwise it is only where an RPC takes it. */
  readonly declared: boolean
}

type Asking = { readonly method: string; readonly headers: Fields; readonly query: string }

/** The dialect of what is not any other. */
export const plainHttp: Dialect = Object.freeze({ kind: 'http' })
const native: Dialect = Object.freeze({ kind: 'grpc', codec: 'proto' })

/**
 * What a request speaks, by its method, content type, `connect-protocol-version` and query (gRPC over HTTP/2 "Requests", gRPC-Web "Content-Type",
 * Connect "Unary-Request", "Unary-Get-Request", "Streaming-Request"). `application/json` without a Connect version is plain HTTP.
 */
export function dialectOf({ method, headers, query }: Asking): Dialect {
  const type = typeOf(headers.get('content-type'))
  if (type.startsWith('application/grpc')) return grpcDialect(type, headers)
  if (method === 'GET') return connectGet(query)
  if (type.startsWith('application/connect+')) return { kind: 'connect', form: 'stream', codec: codecOf(type.slice(20)), declared: true }
  const declared = headers.has('connect-protocol-version')
  if (type === 'application/proto') return connectUnary('proto', declared)
  return declared && method === 'POST' ? connectUnary(type === 'application/json' ? 'json' : undefined, declared) : plainHttp
}

/** The dialect of a request that no RPC has taken: Connect only where it is beyond doubt. */
export function certain(dialect: Dialect): Dialect {
  return dialect.kind === 'connect' && !dialect.declared ? plainHttp : dialect
}

function typeOf(value: string | undefined): string {
  if (value === undefined) return ''
  const end = value.search(/[; ]/)
  return (end < 0 ? value : value.slice(0, end)).toLowerCase()
}

function grpcDialect(type: string, headers: Fields): Dialect {
  const next = type[16]
  if (next === undefined) return native
  if (next === '+') return { kind: 'grpc', codec: codecOf(type.slice(17)) }
  const web = /^application\/grpc-web(-text(?:-base64)?)?(?:\+(.+))?$/.exec(type)
  if (web === null) return plainHttp
  const text = web[1] !== undefined
  return { kind: 'grpc-web', text, textAnswer: wantsText(headers) ?? text, codec: codecOf(web[2] ?? 'proto') }
}

/** What `Accept` says about base64; undefined where it leaves it open (gRPC-Web, "Text-encoded (response) streams"). */
function wantsText(headers: Fields): boolean | undefined {
  const types = headers.all('accept').flatMap((value) => value.split(',').map((range) => typeOf(range.trim())))
  if (types.some((type) => type.startsWith('application/grpc-web-text'))) return true
  return types.some((type) => type === 'application/grpc-web' || type.startsWith('application/grpc-web+')) ? false : undefined
}

/** Only with its version in the query; a rule may bind GET to the same path. */
function connectGet(query: string): Dialect {
  if (!/(?:^|&)connect=v1(?:&|$)/.test(query)) return plainHttp
  const encoding = /(?:^|&)encoding=([^&]*)/.exec(query)?.[1]
  return { kind: 'connect', form: 'get', codec: codecOf(encoding), declared: encoding !== undefined && /(?:^|&)message=/.test(query) }
}

function connectUnary(codec: Codec | undefined, declared: boolean): Dialect {
  return { kind: 'connect', form: 'unary', codec, declared }
}

function codecOf(name: string | undefined): Codec | undefined {
  return name === 'proto' || name === 'json' ? name : undefined
}
