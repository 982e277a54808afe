import type { JsonValue, Registry } from '@bufbuild/protobuf'
import type { GrpcReply, GrpcStatus } from '../../model/call.ts'
import { challenge } from '../../model/challenge.ts'
import type { ConnectDialect } from '../../model/dialect.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { FieldList, noFields } from '../../model/fields.ts'
import { faultHeaders } from '../../model/problem.ts'
import type { Outbound } from '../../model/wire.ts'
import { jsonText } from '../../protobuf.ts'
import { type ConnectError, endOfStream, errorOf, errorOfFault } from './connect-error.ts'
import { readDetails } from './details.ts'
import { framed } from './frame.ts'
import { addPrefixed, metadataPassedOn, withExchange, withoutHttpOwn } from './headers.ts'
import type { Writing } from './native.ts'
import { acceptsGzip, packedAnswer, packedFrames } from './pack.ts'
import { httpStatusOf } from './status.ts'
import { onlyMessage } from './unary.ts'

/** What the answers of one RPC are written with. */
export interface ConnectWriting extends Writing {
  readonly registry: Registry
}

/** The last message of a stream (Connect, "Streaming-Request": the second least significant bit). */
const endFlag = 0x02
const utf8 = new TextEncoder()

/**
 * The answer of a Connect call. Unary: the bare message with trailers as `trailer-` headers, or an error with its HTTP status. Streams: envelopes
 * and an end-of-stream message, HTTP 200 whatever happens. Compressed where the caller takes that and it pays. @throws Fault `upstream_protocol` when a unary reply makes no sense
 */
export function connectAnswer(x: Translated, reply: GrpcReply, dialect: ConnectDialect, writing: ConnectWriting): Outbound | Promise<Outbound> {
  return dialect.form === 'stream' ? streamAnswer(x, reply, dialect, writing) : unaryAnswer(x, reply, dialect, writing)
}

/**
 * A fault for a Connect caller, with the HTTP status that the catalogue gives it. A stream gets it in its end-of-stream message, except for a content type
 * that is not taken: that one is 415 in every form.
 */
export function connectFault(fault: Fault, id: string | undefined, dialect: ConnectDialect, head: boolean): Outbound & { readonly headers: FieldList } {
  const isStream = dialect.form === 'stream' && dialect.codec !== undefined && fault.code !== 'media_type_unsupported'
  const error = errorOfFault(fault)
  const body = isStream ? framed(endMessage(error, undefined), endFlag) : bytesOf(error)
  const headers = faultHeaders(fault, id).set('content-type', isStream ? streamType(dialect) : 'application/json')
  headers.set('content-length', `${body.length}`)
  return { status: isStream ? 200 : fault.status, headers, body: head ? undefined : body, close: fault.detail.close }
}

async function unaryAnswer(x: Translated, reply: GrpcReply, dialect: ConnectDialect, writing: ConnectWriting): Promise<Outbound> {
  const { headers, target } = x.request
  const own = dialect.form === 'get' ? /(?:^|&)compression=([^&]*)/.exec(target.query)?.[1] : headers.get('content-encoding')
  return packedAnswer(x.request, await plainAnswer(x, reply, dialect, writing), writing.compression, own)
}

async function plainAnswer(x: Translated, reply: GrpcReply, dialect: ConnectDialect, { registry, written }: ConnectWriting): Promise<Outbound> {
  const message = await onlyMessage(reply)
  const status = reply.status()
  const headers = withoutHttpOwn(metadataPassedOn(reply.metadata))
  addPrefixed(headers, 'trailer-', withoutHttpOwn(metadataPassedOn(status.trailers)))
  if (status.code !== 0) return unaryError(x, status, registry, headers)
  if (message === undefined) throw new Fault('upstream_protocol', 'the upstream ended the call without an answer')
  const body = written(message)
  headers.set('content-type', `application/${dialect.codec}`).set('content-length', `${body.length}`)
  return { status: 200, headers: withExchange(headers, x), body }
}

function unaryError(x: Translated, status: GrpcStatus, registry: Registry, headers: FieldList): Outbound {
  const body = bytesOf(errorOf(status, registry, x.route.translate.showInternal))
  headers.set('content-type', 'application/json').set('content-length', `${body.length}`).set('cache-control', 'no-store')
  const { retryAfter } = readDetails(status.details, registry)
  if (retryAfter !== undefined) headers.set('retry-after', `${retryAfter}`)
  if (status.code === 16) headers.set('www-authenticate', challenge('Bearer'))
  return { status: httpStatusOf(status.code), headers: withExchange(headers, x), body }
}

function streamAnswer(x: Translated, reply: GrpcReply, dialect: ConnectDialect, { registry, compression, written }: ConnectWriting): Outbound {
  const headers = withExchange(withoutHttpOwn(metadataPassedOn(reply.metadata)), x).set('content-type', streamType(dialect))
  const isPacked = acceptsGzip(x.request.headers, 'connect-accept-encoding', 'connect-content-encoding')
  const frame = isPacked ? packedFrames(compression) : framed
  if (isPacked) headers.set('connect-content-encoding', 'gzip')
  async function* body(): AsyncIterable<Uint8Array> {
    let end: Uint8Array
    try {
      for await (const message of reply.messages) yield frame(written(message))
      const status = reply.status()
      end = endMessage(status.code === 0 ? undefined : errorOf(status, registry, x.route.translate.showInternal), status)
    } catch (error) {
      end = endMessage(errorOfFault(Fault.from(error)), undefined)
    }
    yield frame(end, endFlag)
  }
  return { status: 200, headers, body: body() }
}

function endMessage(error: ConnectError | undefined, status: GrpcStatus | undefined): Uint8Array {
  const trailers = status === undefined ? noFields : withoutHttpOwn(metadataPassedOn(status.trailers))
  return bytesOf(endOfStream(error, trailers))
}

function streamType({ codec }: ConnectDialect): string {
  return `application/connect+${codec}`
}

function bytesOf(json: JsonValue): Uint8Array {
  return utf8.encode(jsonText(json))
}
