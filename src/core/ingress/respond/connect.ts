import type { DescMessage, JsonValue, Registry } from '@bufbuild/protobuf'
import type { GrpcReply, GrpcStatus } from '../../model/call.ts'
import { challenge } from '../../model/challenge.ts'
import type { ConnectDialect } from '../../model/dialect.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { FieldList, noFields } from '../../model/fields.ts'
import { faultHeaders } from '../../model/problem.ts'
import type { Outbound } from '../../model/wire.ts'
import type { JsonCodec } from '../../protobuf.ts'
import { type ConnectError, endOfStream, errorOf, errorOfFault } from './connect-error.ts'
import { readDetails } from './details.ts'
import { framed } from './frame.ts'
import { addPrefixed, metadataPassedOn, withExchange, withoutHttpOwn } from './headers.ts'
import { httpStatusOf } from './status.ts'
import { onlyMessage } from './unary.ts'

/** What the answers of one RPC are written with. */
export interface ConnectTypes {
  readonly output: DescMessage
  readonly registry: Registry
  readonly codec: JsonCodec
}

/** The last message of a stream (Connect, "Streaming-Request": the second least significant bit). */
const endFlag = 0x02
const utf8 = new TextEncoder()

/**
 * The answer of a Connect call. Unary: the bare message with trailers as `trailer-` headers, or an error with its HTTP status. Streams: envelopes
 * and an end-of-stream message, HTTP 200 whatever happens. @throws Fault `upstream_protocol` when a unary reply makes no sense
 */
export function connectAnswer(x: Translated, reply: GrpcReply, dialect: ConnectDialect, types: ConnectTypes): Outbound | Promise<Outbound> {
  const written = (message: Uint8Array) => (dialect.codec === 'json' ? bytesOf(types.codec.toJson(types.output, message)) : message)
  return dialect.form === 'stream' ? streamAnswer(x, reply, dialect, types, written) : unaryAnswer(x, reply, dialect, types, written)
}

/**
 * A fault for a Connect caller, with the HTTP status that the catalogue gives it. A stream gets it in its end-of-stream message, except for a content type
 * that is not taken: that one is 415 in every form.
 */
export function connectFault(fault: Fault, id: string | undefined, dialect: ConnectDialect, head: boolean): Outbound & { readonly headers: FieldList } {
  const isStream = dialect.form === 'stream' && dialect.codec !== undefined && fault.code !== 'media_type_unsupported'
  const error = errorOfFault(fault)
  const body = isStream ? endFrame(error, undefined) : bytesOf(error)
  const headers = faultHeaders(fault, id).set('content-type', isStream ? streamType(dialect) : 'application/json')
  headers.set('content-length', `${body.length}`)
  return { status: isStream ? 200 : fault.status, headers, body: head ? undefined : body, close: fault.detail.close }
}

type Written = (message: Uint8Array) => Uint8Array

async function unaryAnswer(x: Translated, reply: GrpcReply, dialect: ConnectDialect, { registry }: ConnectTypes, written: Written): Promise<Outbound> {
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
  const body = bytesOf(errorOf(status, registry))
  headers.set('content-type', 'application/json').set('content-length', `${body.length}`).set('cache-control', 'no-store')
  const { retryAfter } = readDetails(status.details, registry)
  if (retryAfter !== undefined) headers.set('retry-after', `${retryAfter}`)
  if (status.code === 16) headers.set('www-authenticate', challenge('Bearer'))
  return { status: httpStatusOf(status.code), headers: withExchange(headers, x), body }
}

function streamAnswer(x: Translated, reply: GrpcReply, dialect: ConnectDialect, { registry }: ConnectTypes, written: Written): Outbound {
  const headers = withExchange(withoutHttpOwn(metadataPassedOn(reply.metadata)), x).set('content-type', streamType(dialect))
  async function* body(): AsyncIterable<Uint8Array> {
    let end: Uint8Array
    try {
      for await (const message of reply.messages) yield framed(written(message))
      const status = reply.status()
      end = endFrame(status.code === 0 ? undefined : errorOf(status, registry), status)
    } catch (error) {
      end = endFrame(errorOfFault(Fault.from(error)), undefined)
    }
    yield end
  }
  return { status: 200, headers, body: body() }
}

function endFrame(error: ConnectError | undefined, status: GrpcStatus | undefined): Uint8Array {
  const trailers = status === undefined ? noFields : withoutHttpOwn(metadataPassedOn(status.trailers))
  return framed(bytesOf(endOfStream(error, trailers)), endFlag)
}

function streamType({ codec }: ConnectDialect): string {
  return `application/connect+${codec}`
}

function bytesOf(json: JsonValue): Uint8Array {
  return utf8.encode(JSON.stringify(json))
}
