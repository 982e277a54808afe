import { spellingsOf } from './redact.ts'

const star = 0x2a

/** Secrets as bytes, by their first byte. */
export type Needles = ReadonlyMap<number, readonly Uint8Array[]>

/** Every spelling of every secret (`observe/redact`), ready to be searched for. */
export function needlesOf(secrets: readonly string[]): Needles {
  const spellings = new Set(secrets.flatMap(spellingsOf).filter((spelling) => spelling !== ''))
  const bytes = Array.from(spellings, (spelling) => new TextEncoder().encode(spelling))
  return Map.groupBy(bytes, (needle) => needle[0] as number) // none is empty
}

/** A body in which every byte of every needle is a star: same length, so that its framing still holds. */
export function maskBytes(body: Uint8Array, needles: Needles): Uint8Array {
  return new Mask(needles).end(body)
}

/**
 * The same over a stream, whatever the chunks: only bytes that may be the beginning of a needle wait for the next chunk, so an
 * event stream is not held up.
 */
export async function* maskStream(body: AsyncIterable<Uint8Array>, needles: Needles): AsyncGenerator<Uint8Array> {
  const mask = new Mask(needles)
  for await (const chunk of body) {
    const ready = mask.push(chunk)
    if (ready.length > 0) yield ready
  }
  const rest = mask.end(new Uint8Array(0))
  if (rest.length > 0) yield rest
}

/** One pass over one body. */
class Mask {
  readonly #needles: Needles
  /** Original bytes that wait. */
  #waiting: Uint8Array = new Uint8Array(0)
  /** How many of the bytes that wait belong to a needle already found. */
  #covered = 0

  constructor(needles: Needles) {
    this.#needles = needles
  }

  push(chunk: Uint8Array): Uint8Array {
    return this.#scan(joined(this.#waiting, chunk), false)
  }

  end(chunk: Uint8Array): Uint8Array {
    return this.#scan(joined(this.#waiting, chunk), true)
  }

  /** Searches the original bytes and stars a copy, so that needles that overlap are all found. */
  #scan(bytes: Uint8Array, last: boolean): Uint8Array {
    // Not `slice`: of a Buffer that is the same memory.
    const out = new Uint8Array(bytes)
    let covered = this.#covered
    let at = 0
    for (; at < bytes.length; at++) {
      const found = longestAt(this.#needles, bytes, at, last)
      if (found < 0) break
      if (found > 0) covered = Math.max(covered, at + found)
      if (at < covered) out[at] = star
    }
    this.#waiting = bytes.slice(at)
    this.#covered = Math.max(0, covered - at)
    return out.subarray(0, at)
  }
}

/** Length of the longest needle that stands here, 0 for none, -1 when more bytes may come and would tell. */
function longestAt(needles: Needles, bytes: Uint8Array, at: number, last: boolean): number {
  let longest = 0
  for (const needle of needles.get(bytes[at] as number) ?? []) {
    const shared = sharedLength(bytes, at, needle)
    if (shared === needle.length) longest = Math.max(longest, shared)
    else if (!last && at + shared === bytes.length) return -1
  }
  return longest
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b
  const whole = new Uint8Array(a.length + b.length)
  whole.set(a)
  whole.set(b, a.length)
  return whole
}

function sharedLength(bytes: Uint8Array, at: number, needle: Uint8Array): number {
  const end = Math.min(needle.length, bytes.length - at)
  for (let i = 0; i < end; i++) if (bytes[at + i] !== needle[i]) return i
  return end
}
