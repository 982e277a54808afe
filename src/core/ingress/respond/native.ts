import { base64Encode } from '@bufbuild/protobuf/wire'
import type { GrpcReply, GrpcStatus } from '../../model/call.ts'
import { grpcCodings } from '../../model/coding.ts'
import type { NativeDialect } from '../../model/dialect.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import { faultHeaders } from '../../model/problem.ts'
import type { Fields, Outbound } from '../../model/wire.ts'
import type { Compression } from '../../ports.ts'
import { framed } from './frame.ts'
import { metadataPassedOn, withExchange } from './headers.ts'
import { acceptsGzip, type Frame, packedFrames } from './pack.ts'

/** How the messages of an answer are written: in the codec of the request, then perhaps compressed. */
export interface Writing {
  readonly compression: Compression
  readonly written: (message: Uint8Array) => Uint8Array
}

/**
 * A gRPC answer for a native caller: its messages framed again, compressed where the caller takes that, and its status in the trailers (gRPC over HTTP/2). An upstream that
 * breaks off becomes the status of its fault.
 */
export function nativeAnswer(x: Translated, reply: GrpcReply, dialect: NativeDialect, { compression, written }: Writing): Outbound {
  const headers = withExchange(metadataPassedOn(reply.metadata), x).set('content-type', contentType(dialect))
  const frame = grpcFrames(x, headers, compression)
  let failed: Fault | undefined
  async function* body(): AsyncIterable<Uint8Array> {
    try {
      for await (const message of reply.messages) yield frame(written(message))
    } catch (error) {
      failed = Fault.from(error)
    }
  }
  return { status: 200, headers, body: body(), trailers: () => (failed === undefined ? statusFields(reply.status()) : faultFields(failed)) }
}

/** How messages of this call are framed; `headers` say so to the caller (gRPC over HTTP/2, "Message-Encoding", "Message-Accept-Encoding"). */
export function grpcFrames(x: Pick<Translated, 'request'>, headers: FieldList, compression: Compression): Frame {
  headers.set('grpc-accept-encoding', grpcCodings)
  if (!acceptsGzip(x.request.headers, 'grpc-accept-encoding', 'grpc-encoding')) return framed
  headers.set('grpc-encoding', 'gzip')
  return packedFrames(compression)
}

/** A fault for a native caller: trailers alone, in the headers ("Trailers-Only"). */
export function nativeFault(fault: Fault, id: string | undefined, dialect: NativeDialect): Outbound & { readonly headers: FieldList } {
  const headers = faultHeaders(fault, id).set('content-type', contentType(dialect))
  for (const [name, value] of faultFields(fault).entries()) headers.set(name, value)
  return { status: 200, headers, body: undefined, close: fault.detail.close }
}

function contentType({ codec }: NativeDialect): string {
  return codec === 'json' ? 'application/grpc+json' : 'application/grpc'
}

/** How a call ended, as gRPC's trailers. */
export function statusFields(status: GrpcStatus): Fields {
  const fields = metadataPassedOn(status.trailers).set('grpc-status', `${status.code}`)
  if (status.message !== '') fields.set('grpc-message', encodedMessage(status.message))
  if (status.details !== undefined) fields.set('grpc-status-details-bin', base64Encode(status.details, 'std_raw'))
  return fields
}

/** How a call ended with a fault, as gRPC's trailers. */
export function faultFields(fault: Fault): Fields {
  return new FieldList([
    ['grpc-status', `${fault.grpcStatus}`],
    ['grpc-message', encodedMessage(fault.message)],
  ])
}

/** Percent-encodes what is not printable ASCII, and the percent sign (gRPC over HTTP/2, "Status-Message"). */
function encodedMessage(message: string): string {
  return message.toWellFormed().replaceAll(/[^\x20-\x7e]|%/gu, encodeURIComponent)
}
