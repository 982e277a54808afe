import type { Followed } from '../ports.ts'

/** The whole text of an answer. @throws Error for one of more than `limit` bytes, and what the answer throws. */
export async function textOf({ chunks }: Followed, limit: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  let length = 0
  let text = ''
  for await (const chunk of chunks) {
    length += chunk.byteLength
    if (length > limit) throw new Error(`its answer is longer than ${limit} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** The lines of an answer that goes on, without empty ones. What is cut off at the end is no line. @throws Error for a line of more than `limit` characters, and what the answer throws. */
export async function* linesOf({ chunks }: Followed, limit: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  /** Pieces of the line under way: joined once, however many chunks it takes. */
  let pieces: string[] = []
  let length = 0
  for await (const chunk of chunks) {
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n')
    pieces.push(first)
    length += first.length
    for (const next of others) {
      if (length > limit) break
      const line = pieces.join('').trim()
      pieces = [next]
      length = next.length
      if (line !== '') yield line
    }
    if (length > limit) throw new Error(`a line of its answer is longer than ${limit} characters`)
  }
}

/** JSON. @throws Error without the text, which nobody wants in a record. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('its answer is no JSON')
  }
}
