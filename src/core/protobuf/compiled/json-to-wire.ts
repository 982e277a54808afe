import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { isMembers, type Json, type JsonMembers } from '../strict-json.ts'
import { isSpecial } from './coverage.ts'
import { mapKeyJson } from './map-key.ts'
import { type Put, putEnum, putScalar } from './put-scalar.ts'
import { type PutMessage, putSpecial } from './put-special.ts'
import { tagOf, valueWireType, wireTypeOf } from './tags.ts'
import { deepest, giveUp } from './unfit.ts'
import type { WireWriter } from './wire-writer.ts'

/** Writes a field from the JSON of its member, which is not a clearing null. */
type PutField = (w: WireWriter, json: Json) => void

interface Member {
  readonly put: PutField
  /** The other name of the field, where this is one of two. */
  readonly twin: string | undefined
  /** The bit of its oneof; 0 for none. */
  readonly oneof: number
  /** Null is a value of it: Value, NullValue. */
  readonly takesNull: boolean
}

export interface JsonToWire {
  message(desc: DescMessage): PutMessage
  field(field: DescField): PutField
}

/** Compiles, type by type and on first use, what writes wire bytes from JSON. Only for types that are covered. The JSON is not changed. */
export function buildJsonToWire(ignoreUnknown: boolean): JsonToWire {
  const compiled = new Map<DescMessage, PutMessage>()

  function message(desc: DescMessage): PutMessage {
    const known = compiled.get(desc)
    if (known !== undefined) return known
    if (isSpecial(desc)) {
      const put = putSpecial(desc)
      compiled.set(desc, put)
      return put
    }
    const members = new Map<string, Member>()
    const put: PutMessage = (w, json) => (isMembers(json) ? putMembers(w, json, members, ignoreUnknown) : giveUp())
    // Known before its fields are, so that a type may hold itself.
    compiled.set(desc, put)
    const owner = new Map(desc.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]))
    const bits = new Map(desc.oneofs.map((oneof, i) => [oneof, 1 << i] as const))
    for (const [name, of] of owner) {
      const other = name === of.name ? of.jsonName : of.name
      const twin = other !== name && owner.get(other) === of ? other : undefined
      const oneof = of.oneof === undefined ? 0 : (bits.get(of.oneof) ?? 0)
      members.set(name, { put: field(of), twin, oneof, takesNull: takesNull(of) })
    }
    return put
  }

  function field(desc: DescField): PutField {
    const put = valueOf(desc)
    const tag = tagOf(desc.number, valueWireType(desc))
    if (desc.fieldKind === 'map') return mapOf(desc, put)
    if (desc.fieldKind === 'list') return desc.packed ? packed(tagOf(desc.number, 2), put) : list(tag, put)
    const skipZero = desc.presence === FeatureSet_FieldPresence.IMPLICIT
    return (w, json) => put(w, tag, json, skipZero)
  }

  function valueOf(desc: DescField): Put {
    if (desc.message !== undefined) return nested(message(desc.message))
    return desc.enum === undefined ? putScalar(desc.scalar ?? giveUp()) : putEnum(desc.enum)
  }

  function mapOf(desc: DescField & { readonly fieldKind: 'map' }, value: Put): PutField {
    const tag = tagOf(desc.number, 2)
    const key = putScalar(desc.mapKey)
    const keyTag = tagOf(1, wireTypeOf(desc.mapKey))
    const valueTag = tagOf(2, valueWireType(desc))
    const keyJson = mapKeyJson(desc.mapKey)
    return (w, json) => {
      if (!isMembers(json)) giveUp()
      for (const name of Object.keys(json)) {
        w.uint32(tag)
        const entry = w.open()
        key(w, keyTag, keyJson(name), false)
        value(w, valueTag, json[name] as Json, false)
        w.close(entry)
      }
    }
  }

  return { message, field }
}

function putMembers(w: WireWriter, json: JsonMembers, members: ReadonlyMap<string, Member>, ignoreUnknown: boolean): void {
  let oneofs = 0
  for (const name of Object.keys(json)) {
    const member = members.get(name)
    if (member === undefined) {
      if (!ignoreUnknown || name.startsWith('[')) giveUp()
      continue
    }
    if (member.twin !== undefined && Object.hasOwn(json, member.twin)) giveUp()
    const value = json[name] as Json
    if (value === null && !member.takesNull) continue
    if (member.oneof !== 0) {
      if ((oneofs & member.oneof) !== 0) giveUp()
      oneofs |= member.oneof
    }
    member.put(w, value)
  }
}

function nested(message: PutMessage): Put {
  return (w, tag, json) => {
    if (++w.depth > deepest) giveUp()
    w.uint32(tag)
    const part = w.open()
    message(w, json)
    w.close(part)
    w.depth--
  }
}

function list(tag: number, put: Put): PutField {
  return (w, json) => {
    if (!Array.isArray(json)) giveUp()
    for (const item of json) put(w, tag, item, false)
  }
}

function packed(tag: number, put: Put): PutField {
  return (w, json) => {
    if (!Array.isArray(json)) giveUp()
    if (json.length === 0) return
    w.uint32(tag)
    const part = w.open()
    for (const item of json) put(w, 0, item, false)
    w.close(part)
  }
}

function takesNull(field: DescField): boolean {
  if (field.fieldKind === 'list' || field.fieldKind === 'map') return false
  return field.message?.typeName === 'google.protobuf.Value' || field.enum?.typeName === 'google.protobuf.NullValue'
}
