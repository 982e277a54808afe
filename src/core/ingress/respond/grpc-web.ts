import { base64Encode } from '@bufbuild/protobuf/wire'
import type { GrpcReply } from '../../model/call.ts'
import type { WebDialect } from '../../model/dialect.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { FieldList } from '../../model/fields.ts'
import { faultHeaders } from '../../model/problem.ts'
import type { Fields, Outbound } from '../../model/wire.ts'
import { framed } from './frame.ts'
import { metadataPassedOn, withExchange, withoutHttpOwn } from './headers.ts'
import { faultFields, statusFields } from './native.ts'

/** The frame that ends an answer holds its trailers (gRPC-Web, "Message framing": the highest bit of the first byte). */
const trailersFlag = 0x80

/**
 * A gRPC answer for a gRPC-Web caller: its messages framed again, and its status in a last frame. An upstream that breaks off becomes the
 * status of its fault. In base64, each frame is padded by itself.
 */
export function webAnswer(x: Translated, reply: GrpcReply, dialect: WebDialect): Outbound {
  const headers = withExchange(withoutHttpOwn(metadataPassedOn(reply.metadata)), x).set('content-type', contentType(dialect))
  const written = (frame: Uint8Array) => (dialect.textAnswer ? new TextEncoder().encode(base64Encode(frame)) : frame)
  async function* body(): AsyncIterable<Uint8Array> {
    let trailers: Fields
    try {
      for await (const message of reply.messages) yield written(framed(message))
      trailers = statusFields(reply.status())
    } catch (error) {
      trailers = faultFields(Fault.from(error))
    }
    yield written(framed(trailerBlock(trailers), trailersFlag))
  }
  return { status: 200, headers, body: body() }
}

/** A fault for a gRPC-Web caller: trailers alone, in the headers (gRPC-Web, "Trailers-only responses"). */
export function webFault(fault: Fault, id: string | undefined, dialect: WebDialect): Outbound & { readonly headers: FieldList } {
  const headers = faultHeaders(fault, id).set('content-type', contentType(dialect))
  for (const [name, value] of faultFields(fault).entries()) headers.set(name, value)
  return { status: 200, headers, body: undefined, close: fault.detail.close }
}

function contentType({ textAnswer }: WebDialect): string {
  return textAnswer ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto'
}

/** An HTTP/1 block of fields with lower-case names and without the empty line. */
function trailerBlock(fields: Fields): Uint8Array {
  const lines = [...fields.entries()].filter(([, value]) => !/[\r\n]/.test(value)).map(([name, value]) => `${name}: ${value}\r\n`)
  return new TextEncoder().encode(lines.join(''))
}
