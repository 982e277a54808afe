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
import { faultFields, grpcFrames, statusFields, type Writing } from './native.ts'
import { joined, packedAnswer } from './pack.ts'

/** The frame that ends an answer holds its trailers (gRPC-Web, "Message framing": the highest bit of the first byte). */
const trailersFlag = 0x80

/**
 * A gRPC answer for a gRPC-Web caller: its messages framed again, and its status in a last frame. An upstream that breaks off becomes the
 * status of its fault. In base64, each frame is padded by itself. Messages are compressed one by one for callers that say so as gRPC does; the answer
 * of a unary call comes in one piece, and is compressed whole for others, as the browser does it ("Compression").
 */
export async function webAnswer(x: Translated, reply: GrpcReply, dialect: WebDialect, { compression, written }: Writing): Promise<Outbound> {
  const headers = withExchange(withoutHttpOwn(metadataPassedOn(reply.metadata)), x).set('content-type', contentType(dialect))
  const frame = grpcFrames(x, headers, compression)
  const sent = (bytes: Uint8Array) => (dialect.textAnswer ? new TextEncoder().encode(base64Encode(bytes)) : bytes)
  const isUnary = x.rpc?.rpc.serverStream === false
  async function* body(): AsyncIterable<Uint8Array> {
    let trailers: Fields
    let count = 0
    try {
      for await (const message of reply.messages) {
        count++
        if (isUnary && count > 1) throw new Fault('upstream_protocol', 'the upstream answered a unary call more than once')
        yield sent(await frame(written(message)))
      }
      trailers = statusFields(reply.status())
    } catch (error) {
      trailers = faultFields(Fault.from(error))
    }
    yield sent(framed(trailerBlock(trailers), trailersFlag))
  }
  if (!isUnary) return { status: 200, headers, body: body() }
  const whole = await joined(body())
  const answer = { status: 200, headers: headers.set('content-length', `${whole.length}`), body: whole }
  return headers.has('grpc-encoding') ? answer : packedAnswer(x.request, answer, compression)
}

/** A fault for a gRPC-Web caller: trailers alone, in the headers (gRPC-Web, "Trailers-only responses"). */
export function webFault(fault: Fault, id: string | undefined, dialect: WebDialect): Outbound & { readonly headers: FieldList } {
  const headers = faultHeaders(fault, id).set('content-type', contentType(dialect))
  for (const [name, value] of faultFields(fault).entries()) headers.set(name, value)
  return { status: 200, headers, body: undefined, close: fault.detail.close }
}

function contentType({ textAnswer, codec = 'proto' }: WebDialect): string {
  return `application/grpc-web${textAnswer ? '-text' : ''}+${codec}`
}

/** An HTTP/1 block of fields with lower-case names and without the empty line. */
function trailerBlock(fields: Fields): Uint8Array {
  const lines = [...fields.entries()].filter(([, value]) => !/[\r\n]/.test(value)).map(([name, value]) => `${name}: ${value}\r\n`)
  return new TextEncoder().encode(lines.join(''))
}
