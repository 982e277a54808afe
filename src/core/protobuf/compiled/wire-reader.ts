import { giveUp } from './unfit.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Up to here, collecting characters one by one is quicker than the native decoder. */
const shortText = 100
// What JSON escapes: quotes, backslashes and control characters (RFC 8259 section 7).
const escaped = /["\\\p{Cc}]/u
const two32 = 0x100000000

/** Reads protobuf's wire format. Whatever does not fit gives up; nothing is read beyond `end`, the end of the part being read. */
export class WireReader {
  readonly bytes: Uint8Array
  /** Made on first use: most messages need none, and it is not cheap. */
  private lazyView: DataView | undefined
  at = 0
  end: number
  /** Messages that are open. */
  depth = 0
  /** The halves of the varint read last. */
  low = 0
  high = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.end = bytes.length
  }

  /** An unsigned varint of at most 32 bits in at most five bytes: tags and lengths. */
  uint32(): number {
    const first = this.byte()
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    const last = this.byte()
    return last > 0x0f ? giveUp() : (value | (last << 28)) >>> 0
  }

  /** The low 32 bits of a varint, signed. */
  int32(): number {
    const first = this.bytes[this.at]
    if (first !== undefined && first < 0x80 && this.at < this.end) {
      this.at++
      return first
    }
    this.varint64()
    return this.low | 0
  }

  /** Leaves the halves in `low` and `high`. */
  varint64(): void {
    let [low, high] = [0, 0]
    for (let i = 0; i < 10; i++) {
      const byte = this.byte()
      const bits = byte & 0x7f
      if (i < 4) low |= bits << (7 * i)
      else if (i === 4) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (7 * i - 32)
      if (byte < 0x80) {
        this.low = low >>> 0
        this.high = high >>> 0
        return
      }
    }
    giveUp()
  }

  fixed64(): void {
    const start = this.skip(8)
    this.low = this.view().getUint32(start, true)
    this.high = this.view().getUint32(start + 4, true)
  }

  fixed32(): number {
    return this.view().getUint32(this.skip(4), true)
  }

  sfixed32(): number {
    return this.view().getInt32(this.skip(4), true)
  }

  float(): number {
    return this.view().getFloat32(this.skip(4), true)
  }

  double(): number {
    return this.view().getFloat64(this.skip(8), true)
  }

  bool(): boolean {
    const byte = this.byte()
    return byte < 0x80 ? byte !== 0 : giveUp()
  }

  blob(): Uint8Array {
    const length = this.uint32()
    const start = this.skip(length)
    return this.bytes.subarray(start, start + length)
  }

  text(): string {
    const length = this.uint32()
    const start = this.skip(length)
    return decoder.decode(this.bytes.subarray(start, start + length))
  }

  /** A text as a JSON string. */
  quoted(): string {
    const length = this.uint32()
    const start = this.skip(length)
    const short = length > shortText ? undefined : quotedShort(this.bytes, start, this.at)
    if (short !== undefined) return short
    const text = decoder.decode(this.bytes.subarray(start, this.at))
    return escaped.test(text) ? JSON.stringify(text) : `"${text}"`
  }

  /** Enters a length-delimited part; what is answered goes to `leave`. */
  enter(): number {
    const length = this.uint32()
    const outer = this.end
    if (this.at + length > outer) giveUp()
    this.end = this.at + length
    return outer
  }

  /** Leaves a part that has been read to its end. */
  leave(outer: number): void {
    if (this.at !== this.end) giveUp()
    this.end = outer
  }

  /** The bytes of an unknown field. Groups give up. */
  skipField(wireType: number): void {
    if (wireType === 0) this.varint64()
    else if (wireType === 1) this.skip(8)
    else if (wireType === 2) this.skip(this.uint32())
    else if (wireType === 5) this.skip(4)
    else giveUp()
  }

  /** Whether the next tag is one of these two; then it is read. */
  continues(tag: number, other: number): boolean {
    if (this.at >= this.end) return false
    const start = this.at
    const next = this.uint32()
    if (next === tag || next === other) {
      this.again = next
      return true
    }
    this.at = start
    return false
  }

  /** The tag that `continues` has read. */
  again = 0

  /** The signed value of `low` and `high`, in decimal. */
  signed(): string {
    const high = this.high | 0
    const value = high * two32 + this.low
    return Number.isSafeInteger(value) ? String(value) : String((BigInt(high) << 32n) | BigInt(this.low))
  }

  /** The unsigned value of `low` and `high`, in decimal. */
  unsigned(): string {
    const value = this.high * two32 + this.low
    return Number.isSafeInteger(value) ? String(value) : String((BigInt(this.high) << 32n) | BigInt(this.low))
  }

  /** As `varint64`, with zigzag undone. */
  zigzag64(): void {
    this.varint64()
    const sign = -(this.low & 1)
    const low = (((this.low >>> 1) | (this.high << 31)) ^ sign) >>> 0
    this.high = ((this.high >>> 1) ^ sign) >>> 0
    this.low = low
  }

  private view(): DataView {
    this.lazyView ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return this.lazyView
  }

  private byte(): number {
    if (this.at >= this.end) giveUp()
    return this.bytes[this.at++] ?? giveUp()
  }

  private skip(count: number): number {
    const start = this.at
    if (start + count > this.end) giveUp()
    this.at = start + count
    return start
  }
}

/** UTF-8 in sequences of one and two bytes as a JSON string; undefined where there are longer ones, broken ones or something to escape. */
function quotedShort(bytes: Uint8Array, start: number, end: number): string | undefined {
  const codes: number[] = [0x22]
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    if (byte < 0x80) {
      if (byte < 0x20 || byte === 0x22 || byte === 0x5c) return undefined
      codes.push(byte)
    } else {
      const next = ++i < end ? (bytes[i] as number) : 0
      // 0xc0 and 0xc1 would be overlong.
      if (byte < 0xc2 || byte > 0xdf || (next & 0xc0) !== 0x80) return undefined
      codes.push(((byte & 0x1f) << 6) | (next & 0x3f))
    }
  }
  codes.push(0x22)
  return String.fromCharCode.apply(undefined, codes)
}
