import { randomBytes } from 'node:crypto'

/** Opcode of a close frame (RFC 6455 section 5.5.1). */
const closing = 0x8

/**
 * Follows one direction of a WebSocket by the heads of its frames (RFC 6455 section 5.2), without a look at what they carry: where one ends, and whether
 * the last has gone by.
 */
export class FrameWatch {
  /** What is here of a head. */
  #head: number[] = []
  /** Bytes of the frame under way that are still to come. */
  #left = 0
  #closed = false

  /** A close frame has gone by: nothing may follow. */
  get closed(): boolean {
    return this.#closed
  }

  /** A frame of ours could stand here. */
  get isBetween(): boolean {
    return this.#left === 0 && this.#head.length === 0
  }

  see(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, bytes.length - at)
        this.#left -= step
        at += step
        continue
      }
      this.#head.push(bytes[at] as number) // at is inside
      at += 1
      if (this.#head.length === headLength(this.#head)) this.#begin()
    }
  }

  #begin(): void {
    const [first = 0] = this.#head
    this.#left = payloadLength(this.#head)
    if ((first & 0x0f) === closing) this.#closed = true
    this.#head = []
  }
}

/** Bytes of the head, as far as what is here can tell. */
function headLength([, second]: readonly number[]): number {
  if (second === undefined) return 2
  const short = second & 0x7f
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

function payloadLength(head: readonly number[]): number {
  const short = (head[1] ?? 0) & 0x7f
  if (short < 126) return short
  return head.slice(2, short === 126 ? 4 : 10).reduce((sum, byte) => sum * 256 + byte, 0)
}

/** A close frame; what goes to a server is masked (RFC 6455 section 5.3). */
export function closeFrame(code: number, masked: boolean): Uint8Array {
  const payload = [code >> 8, code & 0xff]
  if (!masked) return Uint8Array.of(0x80 | closing, payload.length, ...payload)
  const mask = randomBytes(4)
  return Uint8Array.of(0x80 | closing, 0x80 | payload.length, ...mask, ...payload.map((byte, i) => byte ^ (mask[i] ?? 0)))
}
