import type { HttpReply, Reply } from '../../../model/call.ts'

/** @throws Error when something else than HTTP answered. */
export function httpReplyOf(reply: Reply): HttpReply {
  if (reply.kind !== 'http') throw new Error('it did not answer over HTTP')
  return reply
}

/** The first `limit` bytes of a body as text, and whether that was all; the rest is not waited for. */
export async function startOf(body: HttpReply['body'], limit: number): Promise<{ readonly text: string; readonly whole: boolean }> {
  if (body === undefined) return { text: '', whole: true }
  if (body instanceof Uint8Array) return { text: textOf([body.subarray(0, limit)]), whole: body.byteLength <= limit }
  const parts: Uint8Array[] = []
  let left = limit
  for await (const chunk of body) {
    if (chunk.byteLength > left) {
      // Leaving the loop lets go of the stream.
      parts.push(chunk.subarray(0, left))
      return { text: textOf(parts), whole: false }
    }
    parts.push(chunk)
    left -= chunk.byteLength
  }
  return { text: textOf(parts), whole: true }
}

function textOf(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder()
  return parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode()
}
