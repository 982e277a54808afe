import { base64Decode } from '@bufbuild/protobuf/wire'
import { httpCodings } from '../../model/coding.ts'
import type { WebDialect } from '../../model/dialect.ts'
import { Fault } from '../../model/fault.ts'
import type { Rpc } from '../../model/rpc.ts'
import type { Inbound } from '../../model/wire.ts'
import type { Compression } from '../../ports.ts'
import { demandGzip, grpcFraming, onlyMessage, readFrames } from './frames.ts'
import { inflatedBody } from './inflated.ts'

/** What the messages of one call are read with. `limit` bounds each of them, in bytes. */
export interface WebCall {
  readonly request: Inbound
  readonly rpc: Rpc
  readonly dialect: WebDialect
  readonly limit: number
  readonly compression: Compression
}

/**
 * The messages of a gRPC-Web call: gRPC's frames, in base64 where the content type says so (gRPC-Web, "Message framing", "Text-encoded streams"),
 * with the whole body or single messages compressed ("Compression").
 * @throws Fault `media_type_unsupported` for messages that are neither protobuf nor JSON, `not_implemented` for a compression that is not taken,
 * `compression_invalid`, `body_invalid`, `body_too_large` past `limit` bytes of one message
 */
export async function webMessages(call: WebCall): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const { request, rpc, dialect, limit, compression } = call
  if (dialect.codec === undefined) {
    throw new Fault('media_type_unsupported', 'call the RPC with application/grpc-web or application/grpc-web-text, and messages in +proto or +json')
  }
  const framing = grpcFraming(request.headers, compression)
  const coding = demandGzip(request.headers, 'content-encoding', 'accept-encoding', httpCodings)
  const body = coding === 'gzip' && request.body !== undefined ? inflatedBody(request.body, compression) : request.body
  const bytes = body?.chunks() ?? nothing()
  const messages = readFrames(dialect.text ? decoded(bytes) : bytes, limit, framing)
  return rpc.clientStream ? messages : onlyMessage(messages)
}

async function* nothing(): AsyncIterable<Uint8Array> {}

/** Base64 in segments that are padded each by itself, cut anywhere. @throws Fault `body_invalid` */
async function* decoded(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const utf8 = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const text = rest + utf8.decode(chunk)
    const whole = text.length - (text.length % 4)
    rest = text.slice(whole)
    yield* segments(text.slice(0, whole))
  }
  if (rest !== '') throw new Fault('body_invalid', 'the base64 of the body ends inside a group of four')
}

function* segments(text: string): Iterable<Uint8Array> {
  for (const segment of text.match(/[^=]+=*|=+/g) ?? []) {
    if (segment.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(segment)) throw new Fault('body_invalid', 'the body is not base64 in padded segments')
    yield base64Decode(segment)
  }
}
