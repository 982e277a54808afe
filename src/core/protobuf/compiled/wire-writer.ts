import { giveUp } from './unfit.ts'

const encoder = new TextEncoder()
/** A larger buffer is not kept from one message to the next. */
const keptBytes = 1024 * 1024
/** Up to here, copying characters one by one is quicker than the native encoder. */
const shortText = 40

/** Writes protobuf's wire format (protobuf.dev/programming-guides/encoding) into one growing buffer. */
export class WireWriter {
  private bytes = new Uint8Array(4096)
  private view = new DataView(this.bytes.buffer)
  private at = 0
  /** Messages that are open. */
  depth = 0

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.at)
  }

  reset(): void {
    if (this.bytes.length > keptBytes) this.replace(new Uint8Array(4096))
    this.at = 0
    this.depth = 0
  }

  /** An unsigned 32-bit varint; a tag too. */
  uint32(value: number): void {
    this.room(5)
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.bytes[this.at++] = rest
  }

  /** A signed 32-bit varint: ten bytes when it is negative. */
  int32(value: number): void {
    if (value >= 0) this.uint32(value)
    else this.varint64(value | 0, -1)
  }

  varint64(low: number, high: number): void {
    this.room(10)
    let [lo, hi] = [low >>> 0, high >>> 0]
    while (hi !== 0 || lo > 0x7f) {
      this.bytes[this.at++] = (lo & 0x7f) | 0x80
      lo = ((lo >>> 7) | (hi << 25)) >>> 0
      hi >>>= 7
    }
    this.bytes[this.at++] = lo
  }

  fixed32(value: number): void {
    this.room(4)
    this.view.setInt32(this.at, value | 0, true)
    this.at += 4
  }

  fixed64(low: number, high: number): void {
    this.fixed32(low)
    this.fixed32(high)
  }

  float(value: number): void {
    this.room(4)
    this.view.setFloat32(this.at, value, true)
    this.at += 4
  }

  double(value: number): void {
    this.room(8)
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  bool(value: boolean): void {
    this.room(1)
    this.bytes[this.at++] = value ? 1 : 0
  }

  /** A length and the bytes. */
  blob(value: Uint8Array): void {
    this.uint32(value.length)
    this.room(value.length)
    this.bytes.set(value, this.at)
    this.at += value.length
  }

  /** A length and the text in UTF-8. Gives up on half a surrogate pair. */
  text(value: string): void {
    if (value.length > shortText || !this.shortAscii(value)) this.longText(value)
  }

  private shortAscii(value: string): boolean {
    const length = value.length
    this.room(length + 1)
    const { bytes } = this
    let at = this.at
    bytes[at++] = length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[at++] = code
    }
    this.at = at
    return true
  }

  private longText(value: string): void {
    if (!value.isWellFormed()) giveUp()
    const start = this.open()
    this.room(value.length * 3)
    this.at += encoder.encodeInto(value, this.bytes.subarray(this.at)).written
    this.close(start)
  }

  /** Begins a length-delimited part; what is answered goes to `close`. */
  open(): number {
    this.room(1)
    return ++this.at
  }

  /** Ends a part: puts its length in front, making room where one byte is too little. */
  close(start: number): void {
    const length = this.at - start
    if (length < 0x80) {
      this.bytes[start - 1] = length
      return
    }
    const extra = length < 0x4000 ? 1 : length < 0x200000 ? 2 : length < 0x10000000 ? 3 : 4
    this.room(extra)
    this.bytes.copyWithin(start + extra, start, this.at)
    const end = this.at + extra
    this.at = start - 1
    this.uint32(length)
    this.at = end
  }

  private room(count: number): void {
    if (this.at + count <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.at + count))
    larger.set(this.bytes)
    this.replace(larger)
  }

  private replace(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}
