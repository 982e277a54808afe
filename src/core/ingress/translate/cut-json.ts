import { Fault } from '../../model/fault.ts'
import { addPiece, joinPieces } from '../../model/pieces.ts'

const lineFeed = 0x0a
const quote = 0x22
const comma = 0x2c
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * Cuts newline-delimited JSON into its lines, as bytes; blank lines do not count. Pulled: no chunk is read before the lines of the one
 * before were taken. Whatever a chunk border falls into, also the middle of a character. What a line holds is not looked at.
 * @throws Fault `body_too_large` for a line of more than `limit` bytes, before the rest of it is read
 */
export async function* cutLines(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<Uint8Array> {
  const held = new Held(limit)
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, from)) {
      held.add(chunk.subarray(from, at))
      from = at + 1
      const line = held.take()
      if (!line.every(isBlank)) yield line
    }
    held.add(chunk.subarray(from))
  }
  const last = held.take()
  if (!last.every(isBlank)) yield last
}

/**
 * Cuts a JSON array into its items, as bytes, each as soon as it is complete. Pulled, and indifferent to chunk borders, like `cutLines`.
 * Only the array's own brackets and commas are judged; items are JSON or not by themselves. A body of no bytes is an empty array.
 * @throws Fault `body_invalid` for what is no array, `body_too_large` for an item of more than `limit` bytes
 */
export async function* cutArray(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<Uint8Array> {
  const scan = new ArrayScan(limit)
  for await (const chunk of chunks) yield* scan.items(chunk)
  scan.end()
}

/** Where in the array the next byte is. */
type Place = 'before' | 'first' | 'next' | 'inside' | 'between' | 'after'

class ArrayScan {
  readonly #held: Held
  #place: Place = 'before'
  #depth = 0
  #inString = false
  #escaped = false
  /** The item is a number or a literal: only what follows it tells that it is over. */
  #bare = false

  constructor(limit: number) {
    this.#held = new Held(limit)
  }

  /** The items that this chunk completes. */
  *items(chunk: Uint8Array): Iterable<Uint8Array> {
    let from = 0
    // An iterator would make a pair of every byte.
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number
      if (this.#place === 'inside' && this.#bare && (byte === comma || byte === closeBracket || isSpace(byte))) yield this.#item(chunk.subarray(from, i))
      if (this.#place !== 'inside') {
        if (!this.#begins(byte)) continue
        from = i
      }
      if (this.#completes(byte)) yield this.#item(chunk.subarray(from, i + 1))
    }
    if (this.#place === 'inside') this.#held.add(chunk.subarray(from))
  }

  end(): void {
    if (this.#place !== 'after' && this.#place !== 'before') throw invalid('the body ends before its array does')
  }

  #item(rest: Uint8Array): Uint8Array {
    this.#held.add(rest)
    this.#place = 'between'
    return this.#held.take()
  }

  /** Takes a byte outside of the items; true when an item begins with it. */
  #begins(byte: number): boolean {
    if (isSpace(byte)) return false
    if (this.#place === 'before') {
      if (byte !== openBracket) throw invalid('expected an array of messages')
      this.#place = 'first'
      return false
    }
    if (this.#place === 'after') throw invalid('something follows the array')
    if (this.#place === 'between') {
      if (byte !== comma && byte !== closeBracket) throw invalid('expected a comma or the end of the array')
      this.#place = byte === comma ? 'next' : 'after'
      return false
    }
    if (byte === closeBracket && this.#place === 'first') {
      this.#place = 'after'
      return false
    }
    if (byte === comma || byte === closeBracket) throw invalid('a comma stands without a message')
    this.#place = 'inside'
    this.#bare = byte !== openBrace && byte !== openBracket && byte !== quote
    return true
  }

  /** Takes a byte of an item; true when the item ends with it. */
  #completes(byte: number): boolean {
    if (this.#bare) return false
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (byte === backslash) this.#escaped = true
      else if (byte === quote) this.#inString = false
      return !this.#inString && this.#depth === 0
    }
    if (byte === quote) this.#inString = true
    else if (byte === openBrace || byte === openBracket) this.#depth++
    else if (byte === closeBrace || byte === closeBracket) return --this.#depth === 0
    return false
  }
}

/** The bytes of one message, as far as they have come. */
class Held {
  readonly #limit: number
  #parts: Uint8Array[] = []
  #size = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(part: Uint8Array): void {
    this.#size += part.length
    if (this.#size > this.#limit) throw new Fault('body_too_large', `a message of the stream is longer than ${this.#limit} bytes`)
    if (part.length > 0) addPiece(this.#parts, part)
  }

  /** Everything that was added, in one piece. */
  take(): Uint8Array {
    const whole = joinPieces(this.#parts, this.#size)
    this.#parts = []
    this.#size = 0
    return whole
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d
}

function isSpace(byte: number): boolean {
  return isBlank(byte) || byte === lineFeed
}

function invalid(message: string): Fault {
  return new Fault('body_invalid', `the body is not acceptable JSON: ${message}`)
}
