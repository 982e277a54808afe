import { type DescEnum, ScalarType } from '@bufbuild/protobuf'
import { base64Decode } from '@bufbuild/protobuf/wire'
import { base64Problem } from '../lexical.ts'
import { floatOf, type IntegerKind, jsonInteger } from '../numbers.ts'
import { type Json, longNumberText } from '../strict-json.ts'
import { giveUp } from './unfit.ts'
import type { WireWriter } from './wire-writer.ts'

/**
 * Writes one value: its tag, unless that is 0 (inside a packed list), and the value. `skipZero`: nothing at all for the zero value, as
 * implicit presence wants it. Gives up on JSON that does not fit.
 */
export type Put = (w: WireWriter, tag: number, json: Json, skipZero: boolean) => void

const two32 = 0x100000000
/** So many digits are always a safe integer. */
const safeText = /^-?(?:0|[1-9][0-9]{0,14})$/

/** Names and numbers; null is the zero of NullValue, the only enum that takes it. */
export function putEnum(desc: DescEnum): Put {
  const numbers = new Map<string, number>()
  for (const value of desc.values) numbers.set(value.jsonName, value.number)
  for (const value of desc.values) numbers.set(value.name, value.number)
  const zero = desc.values[0]?.number ?? 0
  const takesNull = desc.typeName === 'google.protobuf.NullValue'
  const { open } = desc

  function numberOf(json: Json): number {
    if (typeof json === 'string') return numbers.get(json) ?? giveUp()
    if (typeof json === 'number') return (json | 0) === json && (open || desc.value[json] !== undefined) ? json : giveUp()
    return json === null && takesNull ? zero : giveUp()
  }

  return (w, tag, json, skipZero) => {
    const value = numberOf(json)
    if (skipZero && value === zero) return
    if (tag !== 0) w.uint32(tag)
    w.int32(value)
  }
}

const putString: Put = (w, tag, json, skipZero) => {
  if (typeof json !== 'string') giveUp()
  if (skipZero && json === '') return
  if (tag !== 0) w.uint32(tag)
  w.text(json)
}

const putBool: Put = (w, tag, json, skipZero) => {
  if (typeof json !== 'boolean') giveUp()
  if (skipZero && !json) return
  if (tag !== 0) w.uint32(tag)
  w.bool(json)
}

const putBytes: Put = (w, tag, json, skipZero) => {
  if (typeof json !== 'string' || base64Problem(json) !== undefined) giveUp()
  if (skipZero && json === '') return
  const bytes = json === '' ? new Uint8Array() : base64Decode(json)
  if (skipZero && bytes.length === 0) return
  if (tag !== 0) w.uint32(tag)
  w.blob(bytes)
}

function putFloat(type: ScalarType.DOUBLE | ScalarType.FLOAT, write: (w: WireWriter, value: number) => void): Put {
  const isFloat = type === ScalarType.FLOAT

  function valueOf(json: Json): number {
    // As text a JSON number has no minus zero; a quoted one has.
    if (typeof json === 'number') return Number.isFinite(isFloat ? Math.fround(json) : json) ? json + 0 : giveUp()
    const text = typeof json === 'string' ? json : longNumberText(json)
    return (text === undefined ? undefined : floatOf(type, text)) ?? giveUp()
  }

  return (w, tag, json, skipZero) => {
    const value = valueOf(json)
    if (skipZero && Object.is(value, 0)) return
    if (tag !== 0) w.uint32(tag)
    write(w, value)
  }
}

function put32(kind: IntegerKind, write: (w: WireWriter, value: number) => void): Put {
  const [least, most] = kind === 'uint32' ? [0, two32 - 1] : [-(2 ** 31), 2 ** 31 - 1]

  function valueOf(json: Json): number {
    if (typeof json === 'number') return Number.isInteger(json) && json >= least && json <= most ? json : giveUp()
    return Number(integerOf(kind, json))
  }

  return (w, tag, json, skipZero) => {
    const value = valueOf(json)
    if (skipZero && value === 0) return
    if (tag !== 0) w.uint32(tag)
    write(w, value)
  }
}

function put64(kind: IntegerKind, write: (w: WireWriter, low: number, high: number) => void): Put {
  const unsigned = kind === 'uint64'

  function small(json: Json): number | undefined {
    if (typeof json === 'number') return Number.isSafeInteger(json) ? json : undefined
    return typeof json === 'string' && safeText.test(json) ? Number(json) : undefined
  }

  return (w, tag, json, skipZero) => {
    const value = small(json)
    if (value === undefined) {
      const big = integerOf(kind, json)
      if (skipZero && big === 0n) return
      if (tag !== 0) w.uint32(tag)
      write(w, Number(BigInt.asIntN(32, big)), Number(BigInt.asIntN(32, big >> 32n)))
      return
    }
    if (value < 0 && unsigned) giveUp()
    if (skipZero && value === 0) return
    if (tag !== 0) w.uint32(tag)
    // The remainder keeps the sign; `| 0` in the writer makes it two's complement.
    write(w, value % two32, Math.floor(value / two32))
  }
}

function putZigzag(w: WireWriter, low: number, high: number): void {
  const sign = high >> 31
  w.varint64((low << 1) ^ sign, ((high << 1) | ((low >>> 31) & 1)) ^ sign)
}

function integerOf(kind: IntegerKind, json: Json): bigint {
  const text = typeof json === 'string' ? json : longNumberText(json)
  return (text === undefined ? undefined : jsonInteger(kind, text)) ?? giveUp()
}

const puts: Readonly<Record<ScalarType, Put>> = {
  [ScalarType.STRING]: putString,
  [ScalarType.BOOL]: putBool,
  [ScalarType.BYTES]: putBytes,
  [ScalarType.DOUBLE]: putFloat(ScalarType.DOUBLE, (w, value) => w.double(value)),
  [ScalarType.FLOAT]: putFloat(ScalarType.FLOAT, (w, value) => w.float(value)),
  [ScalarType.INT32]: put32('int32', (w, value) => w.int32(value)),
  [ScalarType.UINT32]: put32('uint32', (w, value) => w.uint32(value)),
  [ScalarType.SINT32]: put32('int32', (w, value) => w.uint32((value << 1) ^ (value >> 31))),
  [ScalarType.FIXED32]: put32('uint32', (w, value) => w.fixed32(value)),
  [ScalarType.SFIXED32]: put32('int32', (w, value) => w.fixed32(value)),
  [ScalarType.INT64]: put64('int64', (w, low, high) => w.varint64(low, high)),
  [ScalarType.UINT64]: put64('uint64', (w, low, high) => w.varint64(low, high)),
  [ScalarType.SINT64]: put64('int64', putZigzag),
  [ScalarType.FIXED64]: put64('uint64', (w, low, high) => w.fixed64(low, high)),
  [ScalarType.SFIXED64]: put64('int64', (w, low, high) => w.fixed64(low, high)),
}

export function putScalar(type: ScalarType): Put {
  return puts[type]
}
