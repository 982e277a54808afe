import { type DescField, type DescMessage, fromJson, type JsonObject, type JsonValue, type Registry, ScalarType, toBinary } from '@bufbuild/protobuf'

/*
 * What is right, written a second time and from the specifications alone: `@bufbuild/protobuf` for ProtoJSON, a plain recursive parser for
 * strict JSON, a walk over segments for paths. Nothing here comes from the gateway.
 */

/** The message in bytes; `invalid`; or `unsure` where the library is known to be laxer or stricter than ProtoJSON. */
export type Verdict = { readonly is: 'valid'; readonly bytes: Uint8Array; readonly json: JsonValue } | { readonly is: 'invalid' } | { readonly is: 'unsure' }

export const invalid: Verdict = { is: 'invalid' }

/**
 * Texts that `@bufbuild/protobuf` reads in another way than ProtoJSON says: numbers beyond double, exponents, hex, blanks around numbers, leading
 * zeros, days that are not in the calendar, blanks in base64.
 */
const knownDifferences = /[0-9]{16}|[0-9][eE]|"-?0[xXbBoO0-9]|"\s|\s"|"data":"[^"]*\s|"[+.]|[0-9]\."|[0-9]{4}-[0-9]{2}-[0-9]{2}|"-0|"Infinity|"NaN|"-Infinity/

/** Whether these bytes are a message in strict ProtoJSON. */
export function judgeJson(registry: Registry, desc: DescMessage, bytes: Uint8Array): Verdict {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return invalid
  }
  const json = strictJson(text)
  if (json === undefined) return invalid
  const verdict = judgeValue(registry, desc, json)
  return knownDifferences.test(text) ? { is: 'unsure' } : verdict
}

/** The same of a value that was parsed. */
export function judgeValue(registry: Registry, desc: DescMessage, json: JsonValue): Verdict {
  try {
    if (twiceUnderTwoNames(desc, json)) return invalid
    return { is: 'valid', json, bytes: toBinary(desc, fromJson(desc, json, { registry })) }
  } catch {
    return invalid
  }
}

/** ProtoJSON: a member is known by two names, and may be there once; of a oneof one member may be there. */
function twiceUnderTwoNames(desc: DescMessage, json: JsonValue): boolean {
  if (typeof json !== 'object' || json === null || Array.isArray(json) || desc.typeName.startsWith('google.protobuf.')) return false
  const seen = new Set<unknown>()
  for (const [name, value] of Object.entries(json)) {
    const field = desc.fields.find((one) => one.name === name || one.jsonName === name)
    if (field === undefined) continue
    const what = [field, ...(field.oneof !== undefined && value !== null ? [field.oneof] : [])]
    if (what.some((one) => seen.has(one))) return true
    for (const one of what) seen.add(one)
    const { message } = field
    if (message !== undefined && partsOf(field, value).some((part) => twiceUnderTwoNames(message, part))) return true
  }
  return false
}

function partsOf(field: DescField, value: JsonValue): readonly JsonValue[] {
  if (field.fieldKind === 'list' && Array.isArray(value)) return value
  return field.fieldKind === 'map' && typeof value === 'object' && value !== null ? Object.values(value) : [value]
}

/** RFC 8259 by hand, at most 100 levels, members once, no lone surrogates; undefined when it is not that. */
export function strictJson(text: string): JsonValue | undefined {
  let at = 0
  const fail = (): never => {
    throw new SyntaxError(`at ${at}`)
  }
  const blanks = () => {
    while (' \t\n\r'.includes(text[at] ?? 'x')) at++
  }
  const string = (): string => {
    const found = /^"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/u.exec(text.slice(at))?.[0] ?? fail()
    at += found.length
    const value = JSON.parse(found) as string
    return value.isWellFormed() ? value : fail()
  }
  const value = (depth: number): JsonValue => {
    blanks()
    const first = text[at]
    if (first === '"') return string()
    if (first === '{' || first === '[') {
      if (depth === 100) fail()
      at++
      return first === '{' ? members(depth) : items(depth)
    }
    const word = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/.exec(text.slice(at))?.[0] ?? fail()
    at += word.length
    return JSON.parse(word) as JsonValue
  }
  const items = (depth: number): JsonValue[] => {
    const all: JsonValue[] = []
    blanks()
    if (text[at] === ']' && ++at > 0) return all
    for (;;) {
      all.push(value(depth + 1))
      blanks()
      const next = text[at++]
      if (next === ']') return all
      if (next !== ',') fail()
    }
  }
  const members = (depth: number): JsonObject => {
    const all: JsonObject = Object.create(null)
    blanks()
    if (text[at] === '}' && ++at > 0) return { ...all }
    for (;;) {
      blanks()
      const name = text[at] === '"' ? string() : fail()
      if (Object.hasOwn(all, name)) fail()
      blanks()
      if (text[at++] !== ':') fail()
      Object.defineProperty(all, name, { value: value(depth + 1), enumerable: true })
      blanks()
      const next = text[at++]
      if (next === '}') return all
      if (next !== ',') fail()
    }
  }
  try {
    const whole = value(0)
    blanks()
    return at === text.length ? whole : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The octets of a segment, its escapes resolved once; undefined where one is broken or stands for what no path may hold. */
function octetsOf(segment: string): string | undefined {
  const pieces = segment.match(/%[0-9A-Fa-f]{2}|[A-Za-z0-9\-._~!$&'()*+,;=:@]|[\s\S]/g) ?? []
  const octets: number[] = []
  for (const piece of pieces) {
    if (piece.length === 1 && !/[A-Za-z0-9\-._~!$&'()*+,;=:@]/.test(piece)) return undefined
    const octet = piece.length === 3 ? Number.parseInt(piece.slice(1), 16) : piece.charCodeAt(0)
    if (octet < 0x20 || octet === 0x7f || octet === 0x5c) return undefined
    octets.push(octet)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(octets))
  } catch {
    return undefined
  }
}

/** The segments of a raw path with their decoded texts; undefined where two readers could differ. */
export function segmentsOf(path: string): readonly { readonly raw: string; readonly text: string }[] | undefined {
  if (!path.startsWith('/')) return undefined
  const raws = path.slice(1).split('/')
  if (raws.slice(0, -1).includes('')) return undefined
  const segments: { raw: string; text: string }[] = []
  for (const raw of raws) {
    const text = octetsOf(raw)
    // A reader behind may resolve the slash, cut parameters, and then resolve dots.
    if (text === undefined || text.split('/').some((part) => /^\.{1,2}(?:;|$)/.test(part))) return undefined
    segments.push({ raw, text })
  }
  return segments
}

/** What a variable of several segments holds: everything decoded but slashes (google.api.http). */
export function multiText(segments: readonly { readonly raw: string }[]): string {
  return segments
    .map(({ raw }) =>
      raw
        .split(/%2f/i)
        .map((part) => octetsOf(part) ?? '')
        .join('%2F'),
    )
    .join('/')
}

/** One value of a query as ProtoJSON; undefined when it cannot be one. */
export function queryJson(field: DescField, text: string): JsonValue | undefined {
  if (field.enum !== undefined) {
    if (field.enum.values.some(({ name }) => name === text)) return text
    return /^(?:0|-?[1-9][0-9]{0,9})$/.test(text) ? Number(text) : undefined
  }
  const { scalar } = field
  if (scalar === undefined || scalar === ScalarType.STRING) return text
  if (scalar === ScalarType.BYTES) return /^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?$/.test(text) ? text : undefined
  if (scalar === ScalarType.BOOL) return text === 'true' ? true : text === 'false' ? false : undefined
  const isFloat = scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT
  const spelling = isFloat ? /^(?:NaN|-?Infinity|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)$/ : /^(?:0|-?[1-9][0-9]*)$/
  return spelling.test(text) ? text : undefined
}
