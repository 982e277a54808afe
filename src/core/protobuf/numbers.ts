import { ScalarType } from '@bufbuild/protobuf'

export type IntegerKind = 'int32' | 'uint32' | 'int64' | 'uint64'

const ranges: Readonly<Record<IntegerKind, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
}

/** RFC 8259 section 6, in its parts. */
const jsonNumber = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,6}))?$/
const plainInteger = /^(?:0|-?[1-9][0-9]*)$/

const kinds: ReadonlyMap<ScalarType, IntegerKind> = new Map([
  [ScalarType.INT32, 'int32'],
  [ScalarType.SINT32, 'int32'],
  [ScalarType.SFIXED32, 'int32'],
  [ScalarType.UINT32, 'uint32'],
  [ScalarType.FIXED32, 'uint32'],
  [ScalarType.INT64, 'int64'],
  [ScalarType.SINT64, 'int64'],
  [ScalarType.SFIXED64, 'int64'],
  [ScalarType.UINT64, 'uint64'],
  [ScalarType.FIXED64, 'uint64'],
])

/** The integer kind of a scalar type; undefined for the others. */
export function integerKind(scalar: ScalarType): IntegerKind | undefined {
  return kinds.get(scalar)
}

/** What a value of this kind must look like, for messages. */
export function expectedInteger(kind: IntegerKind): string {
  return `expected an integer from ${ranges[kind][0]} to ${ranges[kind][1]}`
}

export function inRange(kind: IntegerKind, value: bigint): boolean {
  return value >= ranges[kind][0] && value <= ranges[kind][1]
}

/**
 * An integer as ProtoJSON allows it in a body: a JSON number with an integral value, so `1e3` and `1.0` too.
 * Undefined when it is no integer or out of range.
 */
export function jsonInteger(kind: IntegerKind, text: string): bigint | undefined {
  const parts = jsonNumber.exec(text)
  if (parts === null) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  if (digits === '') return 0n
  const zeros = Number(exponent) - fraction.length
  const kept = zeros < 0 ? digits.slice(0, zeros) : digits
  const isIntegral = zeros >= 0 || (digits.length > -zeros && /^0+$/.test(digits.slice(zeros)))
  // 20 digits hold every 64-bit value; more would only be expensive.
  if (!isIntegral || kept.length + Math.max(0, zeros) > 20) return undefined
  const value = BigInt(`${sign}${kept}${'0'.repeat(Math.max(0, zeros))}`)
  return inRange(kind, value) ? value : undefined
}

/** An integer in a path or query: decimal, one spelling per value, so that rules which compare texts cannot be sidestepped. */
export function plainIntegerOf(kind: IntegerKind, text: string): bigint | undefined {
  if (!plainInteger.test(text) || text.length > 20) return undefined
  const value = BigInt(text)
  return inRange(kind, value) ? value : undefined
}

/** A floating-point number written out: decimal, `NaN`, `Infinity` or `-Infinity`. Undefined when it is none or out of range. */
export function floatOf(scalar: ScalarType, text: string): number | undefined {
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return Number(text)
  if (!jsonNumber.test(text)) return undefined
  const value = Number(text)
  const fits = Number.isFinite(scalar === ScalarType.FLOAT ? Math.fround(value) : value)
  return fits ? value : undefined
}
