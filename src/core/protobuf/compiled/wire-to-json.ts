import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { isSpecial } from './coverage.ts'
import { tagOf, valueWireType, wireTypeOf } from './tags.ts'
import { enumText, type Take, takeScalar, zeroText } from './take-scalar.ts'
import { part, takeSpecial } from './take-special.ts'
import { giveUp } from './unfit.ts'
import type { WireReader } from './wire-reader.ts'

export interface JsonTextOptions {
  readonly emitDefaults: boolean
  readonly enumsAsInts: boolean
  readonly protoNames: boolean
}

/** A field as it is found in wire bytes. */
interface Found {
  /** Its place among the fields of the message, by number. */
  readonly index: number
  /** `"name":` */
  readonly key: string
  /** Reads all of it, the tag having been read; empty where there is nothing to show. */
  readonly take: Take
  /** The bit of its oneof; 0 for none. */
  readonly oneof: number
}

interface MessagePlan {
  readonly byTag: Map<number, Found>
  readonly numbers: ReadonlySet<number>
  /** With its key, what a field that is not set shows; empty for nothing. */
  readonly absent: readonly string[]
  /** Whether anything is absent that shows. */
  readonly fills: boolean
}

/** What writes JSON text from wire bytes: of a message, or of one field of the message that is read (empty where there is nothing to show). */
export interface WireToJson {
  message(desc: DescMessage): Take
  field(field: DescField): Take
}

/**
 * Compiles, type by type and on first use, what writes JSON text from wire bytes. Only for types that are covered. It follows messages
 * whose fields come once and in the order of their numbers, as serializers write them, and gives up on all others.
 */
export function buildWireToJson(options: JsonTextOptions): WireToJson {
  const compiled = new Map<DescMessage, Take>()
  const fields = new Map<DescField, Take>()

  function message(desc: DescMessage): Take {
    const known = compiled.get(desc)
    if (known !== undefined) return known
    if (isSpecial(desc)) {
      const take = takeSpecial(desc)
      compiled.set(desc, take)
      return take
    }
    const fields = desc.fields.toSorted((one, other) => one.number - other.number)
    const absent = fields.map((field) => absentText(field, options))
    const plan: MessagePlan = {
      byTag: new Map(),
      numbers: new Set(fields.map((field) => field.number)),
      absent,
      fills: absent.some((text) => text !== ''),
    }
    const take: Take = (r) => takeMembers(r, plan)
    // Known before its fields are, so that a type may hold itself.
    compiled.set(desc, take)
    const bits = new Map(desc.oneofs.map((oneof, i) => [oneof, 1 << i] as const))
    for (const [index, field] of fields.entries()) {
      const oneof = field.oneof === undefined ? 0 : (bits.get(field.oneof) ?? 0)
      const found = (take: Take): Found => ({ index, key: keyOf(field, options), take, oneof })
      for (const [tag, take] of takesOf(field)) plan.byTag.set(tag, found(take))
    }
    return take
  }

  /** What reads a field, by the tags that it can have: a list of numbers has two. */
  function takesOf(field: DescField): readonly (readonly [tag: number, take: Take])[] {
    const tag = tagOf(field.number, valueWireType(field))
    if (field.fieldKind === 'map') return [[tagOf(field.number, 2), mapOf(field)]]
    if (field.fieldKind !== 'list')
      return [[tag, field.presence === FeatureSet_FieldPresence.IMPLICIT && !options.emitDefaults ? unlessZero(field) : valueOf(field)]]
    const packedTag = tagOf(field.number, 2)
    const item = itemOf(field)
    if (tag === packedTag) return [[tag, listOf(tag, item)]]
    return [
      [tag, numbersOf(tag, packedTag, item, false, '')],
      [packedTag, numbersOf(tag, packedTag, item, true, options.emitDefaults ? '[]' : '')],
    ]
  }

  function valueOf(field: DescField): Take {
    if (field.enum === undefined || field.enum.open) return itemOf(field)
    // An unknown number of a closed enum is an unknown field, and what stood there before stays.
    const { enum: desc } = field
    const text = enumText(desc, options.enumsAsInts)
    return (r) => {
      const value = r.int32()
      return desc.value[value] === undefined ? giveUp() : text(value)
    }
  }

  /** A value as it is in lists and maps, where a closed enum may have any number. */
  function itemOf(field: DescField): Take {
    if (field.message !== undefined) {
      const take = message(field.message)
      return (r) => part(r, take)
    }
    if (field.enum === undefined) return takeScalar(field.scalar ?? giveUp())
    const text = enumText(field.enum, options.enumsAsInts)
    return (r) => text(r.int32())
  }

  function unlessZero(field: DescField): Take {
    if (field.enum !== undefined) return enumUnlessZero(field.enum, enumText(field.enum, options.enumsAsInts))
    const take = valueOf(field)
    if (field.scalar === ScalarType.FLOAT || field.scalar === ScalarType.DOUBLE) return unlessPlusZero(take, field.scalar)
    const zero = valueZeroText(field, options)
    return (r) => {
      const text = take(r)
      return text === zero ? '' : text
    }
  }

  function mapOf(field: DescField & { readonly fieldKind: 'map' }): Take {
    const tag = tagOf(field.number, 2)
    const takeKey = keyReader(field.mapKey)
    const value = itemOf(field)
    const zeroKey = field.mapKey === ScalarType.STRING ? '""' : field.mapKey === ScalarType.BOOL ? '"false"' : '"0"'
    const zeroValue = field.message === undefined ? valueZeroText(field, options) : undefined
    const keyTag = tagOf(1, wireTypeOf(field.mapKey))
    const valueTag = tagOf(2, valueWireType(field))

    function entry(r: WireReader): readonly [key: string, value: string] {
      const outer = r.enter()
      const key = r.continues(keyTag, keyTag) ? takeKey(r) : zeroKey
      const text = r.continues(valueTag, valueTag) ? value(r) : (zeroValue ?? giveUp())
      r.leave(outer)
      return [key, text]
    }

    return (r) => {
      const [firstKey, firstValue] = entry(r)
      let out = `{${firstKey}:${firstValue}`
      let seen: Set<string> | undefined
      while (r.continues(tag, tag)) {
        const [key, text] = entry(r)
        seen ??= new Set([firstKey])
        if (seen.has(key)) giveUp()
        seen.add(key)
        out += `,${key}:${text}`
      }
      return `${out}}`
    }
  }

  /** One field out of its message: the others are skipped. Those of its oneof would clear it. */
  function one(field: DescField): Take {
    const known = fields.get(field)
    if (known !== undefined) return known
    if (isSpecial(field.parent)) giveUp()
    const byTag = new Map(takesOf(field))
    const rivals = new Set((field.oneof?.fields ?? []).map(({ number }) => number))
    const take: Take = (r) => takeField(r, field.number, byTag, rivals)
    fields.set(field, take)
    return take
  }

  return { message, field: one }
}

function takeField(r: WireReader, own: number, byTag: ReadonlyMap<number, Take>, rivals: ReadonlySet<number>): string {
  let found: string | undefined
  let hasRival = false
  while (r.at < r.end) {
    const tag = r.uint32()
    const number = tag >>> 3
    const take = byTag.get(tag)
    if (take === undefined) {
      // A known field in a wire type that is not its own.
      if (number === 0 || number === own) giveUp()
      hasRival ||= rivals.has(number)
      r.skipField(tag & 7)
    } else if (found === undefined) found = take(r)
    // Given twice, the parts would have to be merged.
    else giveUp()
  }
  // Of two members of a oneof the later one is set.
  return found !== undefined && hasRival ? giveUp() : (found ?? '')
}

function takeMembers(r: WireReader, plan: MessagePlan): string {
  let out = '{'
  let next = 0
  let oneofs = 0
  while (r.at < r.end) {
    const tag = r.uint32()
    const found = plan.byTag.get(tag)
    if (found === undefined) {
      skipUnknown(r, tag, plan)
      continue
    }
    if (found.index < next || (oneofs & found.oneof) !== 0) giveUp()
    oneofs |= found.oneof
    if (plan.fills) out += absentBetween(plan, next, found.index, out.length > 1)
    next = found.index + 1
    const text = found.take(r)
    if (text !== '') out += out.length > 1 ? `,${found.key}${text}` : found.key + text
  }
  if (plan.fills) out += absentBetween(plan, next, plan.absent.length, out.length > 1)
  return `${out}}`
}

function skipUnknown(r: WireReader, tag: number, plan: MessagePlan): void {
  const number = tag >>> 3
  // A known field in a wire type that is not its own.
  if (number === 0 || plan.numbers.has(number)) giveUp()
  r.skipField(tag & 7)
}

function absentBetween(plan: MessagePlan, from: number, to: number, follows: boolean): string {
  let out = ''
  for (let i = from; i < to; i++) {
    const text = plan.absent[i] ?? ''
    if (text !== '') out += follows || out !== '' ? `,${text}` : text
  }
  return out
}

function listOf(tag: number, item: Take): Take {
  return (r) => {
    let out = `[${item(r)}`
    while (r.continues(tag, tag)) out += `,${item(r)}`
    return `${out}]`
  }
}

/** Numbers, packed or one by one or both. `startsPacked` says which of its tags was read first, `empty` what a list of nothing shows. */
function numbersOf(tag: number, packedTag: number, item: Take, startsPacked: boolean, empty: string): Take {
  return (r) => {
    const items: string[] = []
    let isPacked = startsPacked
    for (;;) {
      if (isPacked) takePacked(r, item, items)
      else items.push(item(r))
      if (!r.continues(tag, packedTag)) break
      isPacked = r.again === packedTag
    }
    return items.length === 0 ? empty : `[${items.join(',')}]`
  }
}

function takePacked(r: WireReader, item: Take, items: string[]): void {
  const outer = r.enter()
  while (r.at < r.end) items.push(item(r))
  r.leave(outer)
}

/** An unknown number of a closed enum is an unknown field; a field with implicit presence should not have one, so it gives up. */
function enumUnlessZero(desc: DescEnum, text: (value: number) => string): Take {
  const zero = desc.values[0]?.number ?? 0
  return (r) => {
    const value = r.int32()
    if (!desc.open && desc.value[value] === undefined) giveUp()
    return value === zero ? '' : text(value)
  }
}

/** Minus zero is shown, as `0`; only plus zero is the default. */
function unlessPlusZero(take: Take, type: ScalarType): Take {
  const size = type === ScalarType.FLOAT ? 4 : 8
  return (r) => {
    const start = r.at
    const text = take(r)
    return text === '0' && r.bytes[start + size - 1] === 0 ? '' : text
  }
}

function keyReader(type: ScalarType): Take {
  const take = takeScalar(type)
  const isQuoted = zeroText(type).startsWith('"')
  return isQuoted ? take : (r) => `"${take(r)}"`
}

function keyOf(field: DescField, options: JsonTextOptions): string {
  return `${JSON.stringify(options.protoNames ? field.name : field.jsonName)}:`
}

function absentText(field: DescField, options: JsonTextOptions): string {
  if (!options.emitDefaults) return ''
  const text = unsetText(field, options)
  return text === undefined ? '' : keyOf(field, options) + text
}

/** What a field that is not set stands for: nothing in a list or map, the zero of a field without presence. Undefined where it stands for nothing. */
export function unsetText(field: DescField, options: Pick<JsonTextOptions, 'enumsAsInts'>): string | undefined {
  if (field.fieldKind === 'list') return '[]'
  if (field.fieldKind === 'map') return '{}'
  return field.presence === FeatureSet_FieldPresence.IMPLICIT ? valueZeroText(field, options) : undefined
}

function valueZeroText(field: DescField, options: Pick<JsonTextOptions, 'enumsAsInts'>): string {
  if (field.enum !== undefined) return enumText(field.enum, options.enumsAsInts)(field.enum.values[0]?.number ?? 0)
  return zeroText(field.scalar ?? giveUp())
}
