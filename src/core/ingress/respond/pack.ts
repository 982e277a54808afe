import { type Liking, likingOfGzip } from '../../model/coding.ts'
import { FieldList } from '../../model/fields.ts'
import { joinPieces } from '../../model/pieces.ts'
import type { Fields, Outbound } from '../../model/wire.ts'
import type { Compression } from '../../ports.ts'
import { framed } from './frame.ts'

/** Less than this is not worth packing: it fits into one packet anyway. Bytes. */
const smallest = 1024

/** Makes a frame of a message. */
export type Frame = (message: Uint8Array, flags?: number) => Uint8Array | Promise<Uint8Array>

/** Frames of messages that are compressed where that pays; bit 0 of the flags says which are (gRPC, "Compressed-Flag"; Connect, "Envelope-Flags"). */
export function packedFrames(compression: Compression): Frame {
  return async (message, flags = 0) => {
    if (message.length < smallest) return framed(message, flags)
    const packed = await compression.gzip(message)
    return packed.length < message.length ? framed(packed, flags | 1) : framed(message, flags)
  }
}

/**
 * Whether messages may be answered in gzip: `accepting` says so, or, where it is not there, the request is in gzip itself (Connect, "Unary-Request";
 * servers of gRPC do the same).
 */
export function acceptsGzip(headers: Fields, accepting: string, own: string): boolean {
  return likingOf(headers, accepting, headers.get(own)) !== 'no'
}

function likingOf(headers: Fields, accepting: string, own: string | undefined): Liking {
  return headers.has(accepting) || own !== 'gzip' ? likingOfGzip(headers, accepting) : 'yes'
}

/**
 * A whole answer in gzip, where the request likes it and it pays (RFC 9110 sections 8.4 and 12.5.3). `own` is the coding of a request that expects its
 * own back without saying so. An answer that is coded already, must not be transformed or has a strong validator stays as it is: that one stands for
 * these very bytes, and `If-Match` must find it again (section 8.8.1).
 */
export async function packedAnswer(request: { readonly headers: Fields }, answer: Outbound, compression: Compression, own?: string): Promise<Outbound> {
  const { headers, body } = answer
  if (isFixed(headers)) return answer
  const liking = likingOf(request.headers, 'accept-encoding', own)
  // Of an answer to HEAD only the length is here.
  const length = body instanceof Uint8Array ? body.length : Number(headers.get('content-length') ?? 0)
  if (length === 0 || (length < smallest && liking !== 'only')) return answer
  const varied = new FieldList(headers.entries()).append('vary', 'accept-encoding')
  if (liking === 'no') return { ...answer, headers: varied }
  if (!(body instanceof Uint8Array)) return { ...answer, headers: varied.remove('content-length') }
  const packed = await compression.gzip(body)
  if (packed.length >= length && liking !== 'only') return { ...answer, headers: varied }
  return { ...answer, headers: varied.set('content-encoding', 'gzip').set('content-length', `${packed.length}`), body: packed }
}

function isFixed(headers: Fields): boolean {
  const etag = headers.get('etag')
  const kept = headers.all('cache-control').some((value) => /\bno-transform\b/i.test(value))
  return headers.has('content-encoding') || kept || (etag !== undefined && !etag.startsWith('W/'))
}

/** All pieces in one. */
export async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return joinPieces(
    all,
    all.reduce((sum, piece) => sum + piece.length, 0),
  )
}
