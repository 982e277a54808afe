/** Reads the headers of messages (PostgreSQL protocol 3) that come in pieces, and steps over what they hold. */
export interface Messages {
  /** @returns false when it is no such message: nothing further can be read */
  read(chunk: Buffer): boolean
  /** Whether the last message was whole. */
  readonly atBoundary: boolean
}

/** One byte of type, four of length: of itself and what follows. */
const headerLength = 5

/** `heard`: type and the first byte behind the header of each message that begins, 0 where there is none. */
export function createMessages(heard: (type: number, first: number) => void): Messages {
  let pending: Buffer = Buffer.alloc(0)
  let skip = 0
  return {
    read(chunk) {
      let at = Math.min(skip, chunk.length)
      skip -= at
      let rest = at === 0 ? chunk : chunk.subarray(at)
      if (pending.length > 0) rest = Buffer.concat([pending, rest])
      at = 0
      while (skip === 0) {
        const left = rest.length - at
        if (left < headerLength) break
        const length = rest.readInt32BE(at + 1)
        if (length < 4) return false
        // The first byte of what it holds is told with it.
        if (length > 4 && left === headerLength) break
        heard(rest[at] ?? 0, length > 4 ? (rest[at + headerLength] ?? 0) : 0)
        const taken = Math.min(left, length + 1)
        skip = length + 1 - taken
        at += taken
      }
      pending = skip > 0 ? Buffer.alloc(0) : Buffer.from(rest.subarray(at))
      return true
    },
    get atBoundary() {
      return skip === 0 && pending.length === 0
    },
  }
}
