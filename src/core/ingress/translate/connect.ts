import type { DescMessage } from '@bufbuild/protobuf'
import { base64Decode } from '@bufbuild/protobuf/wire'
import { codingOf, httpCodings } from '../../model/coding.ts'
import type { ConnectDialect } from '../../model/dialect.ts'
import { Fault } from '../../model/fault.ts'
import type { Rpc } from '../../model/rpc.ts'
import type { Fields, Inbound } from '../../model/wire.ts'
import type { Compression } from '../../ports.ts'
import type { JsonCodec } from '../../protobuf.ts'
import { connectFraming, demandGzip, gzipOrNone, onlyMessage, readFrames } from './frames.ts'
import { mediaTypeOf } from './media.ts'
import { wireOfJson } from './wire-of-json.ts'

/** What the messages of one call are made with. `bodyLimit` bounds a bare message, `messageLimit` one of a stream, in bytes, also inflated. */
export interface ConnectCall {
  readonly rpc: Rpc
  readonly dialect: ConnectDialect
  readonly input: DescMessage
  readonly json: JsonCodec
  readonly bodyLimit: number
  readonly messageLimit: number
  readonly compression: Compression
}

/**
 * The messages of a Connect call (Connect, "Unary-Request", "Unary-Get-Request", "Streaming-Request"), JSON ones made into protobuf.
 * @throws Fault `request_invalid`, `media_type_unsupported` for a codec or form that the RPC does not have, `not_implemented` for
 * a compression that is not taken, `body_invalid`, `body_too_large`
 */
export async function connectMessages(request: Inbound, call: ConnectCall): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const { dialect, rpc, bodyLimit } = call
  demandVersion(request.headers)
  demandForm(call, request.headers)
  if (dialect.form === 'get') return toWire(await messageOfQuery(request.target.query, bodyLimit, call.compression), call)
  if (dialect.form === 'unary') return toWire(await bareMessage(request, call), call)
  const framing = connectFraming(request.headers, call.compression)
  demandBare(request.headers)
  const messages = eachToWire(readFrames(request.body?.chunks() ?? nothing(), call.messageLimit, framing), call)
  return rpc.clientStream ? messages : onlyMessage(messages)
}

async function bareMessage({ headers, body }: Inbound, { bodyLimit, compression }: ConnectCall): Promise<Uint8Array> {
  const coding = demandGzip(headers, 'content-encoding', 'accept-encoding', httpCodings)
  const bytes = (await body?.bytes(bodyLimit)) ?? new Uint8Array()
  return coding === 'gzip' ? compression.gunzip(bytes, bodyLimit) : bytes
}

async function* nothing(): AsyncIterable<Uint8Array> {}

function demandVersion(headers: Fields): void {
  const version = headers.get('connect-protocol-version')
  if (version !== undefined && version !== '1') throw new Fault('request_invalid', 'connect-protocol-version must be 1')
}

/** A unary RPC has bare messages, every other one envelopes; the codec is proto or json, in UTF-8. */
function demandForm({ dialect, rpc }: ConnectCall, headers: Fields): void {
  const streams = rpc.clientStream || rpc.serverStream
  const charset = dialect.form === 'get' ? undefined : mediaTypeOf(headers.get('content-type'))?.parameters.get('charset')?.toLowerCase()
  const isText = charset === undefined || charset === 'utf-8' || charset === 'utf8'
  if (dialect.codec !== undefined && isText && streams === (dialect.form === 'stream')) return
  const taken = streams ? 'application/connect+proto, application/connect+json' : 'application/proto, application/json'
  throw new Fault('media_type_unsupported', `this RPC takes ${taken}`, { headers: [['accept-post', taken]] })
}

/** A stream is compressed message by message, never as a whole. */
function demandBare(headers: Fields): void {
  const coding = codingOf(headers.all('content-encoding'))
  if (coding === 'identity') return
  const message = `a stream is compressed by connect-content-encoding, not by the content encoding "${coding}"; supported: identity`
  throw new Fault('not_implemented', message, { headers: [['accept-encoding', 'identity']] })
}

async function messageOfQuery(query: string, limit: number, compression: Compression): Promise<Uint8Array> {
  const read = parametersOf(query)
  const message = read('message')
  if (message === undefined) throw new Fault('request_invalid', 'the query has no parameter "message"')
  const coding = gzipOrNone(codingOf([read('compression') ?? '']), 'accept-encoding', httpCodings)
  read('encoding') // given twice, it would be read in two ways
  const bytes = read('base64') === '1' ? fromBase64(message) : new TextEncoder().encode(message)
  if (bytes.length > limit) throw new Fault('body_too_large', `the message is longer than ${limit} bytes`)
  return coding === 'gzip' ? compression.gunzip(bytes, limit) : bytes
}

/** Reads one parameter by name; others are allowed beside it. @throws Fault `request_invalid` when it is given twice or escapes are broken */
function parametersOf(query: string): (name: string) => string | undefined {
  const pairs = query.split('&').map((pair) => {
    const equals = pair.indexOf('=')
    return equals < 0 ? ([pair, ''] as const) : ([pair.slice(0, equals), pair.slice(equals + 1)] as const)
  })
  return (name) => {
    const [value, ...more] = pairs.filter(([key]) => key === name).map(([, text]) => text)
    if (more.length > 0) throw new Fault('request_invalid', `query parameter "${name}": it is given twice`)
    return value === undefined ? undefined : unescaped(name, value)
  }
}

function unescaped(name: string, text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new Fault('request_invalid', `query parameter "${name}": a broken percent escape, or bytes that are not UTF-8`)
  }
}

/** RFC 4648 section 5, padded or not; the alphabet of section 4 is taken too. */
function fromBase64(text: string): Uint8Array {
  const bare = text.replace(/={1,2}$/, '')
  const padded = text.length === bare.length || text.length % 4 === 0
  // A space is a plus that was not escaped.
  if (!/^[\w\-+/ ]*$/.test(bare) || bare.length % 4 === 1 || !padded) throw new Fault('request_invalid', 'query parameter "message": it is not base64')
  return base64Decode(bare.replaceAll(' ', '+'))
}

function toWire(bytes: Uint8Array, { dialect, input, json }: ConnectCall): Uint8Array {
  return dialect.codec === 'json' ? wireOfJson(bytes, input, json) : bytes
}

async function* eachToWire(messages: AsyncIterable<Uint8Array>, call: ConnectCall): AsyncIterable<Uint8Array> {
  for await (const message of messages) yield toWire(message, call)
}
