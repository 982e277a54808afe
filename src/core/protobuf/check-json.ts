import { type DescEnum, type DescField, type DescMessage, type Registry, ScalarType } from '@bufbuild/protobuf'
import { Fault } from '../model/fault.ts'
import { momentOf, spanOf } from './compiled/times.ts'
import { base64Problem, durationProblem, timestampProblem } from './lexical.ts'
import { expectedInteger, floatOf, type IntegerKind, inRange, integerKind, jsonInteger } from './numbers.ts'
import { isMembers, type Json, type JsonMembers, longNumberText } from './strict-json.ts'

/** Checks a JSON value against a type before it is converted, and puts its numbers into the one form that converts exactly. */
export interface JsonCheck {
  /** @throws Fault `body_invalid` with the path of the first member that does not fit */
  message(desc: DescMessage, json: Json, path: string): Json
  /** The value of a field by itself, as with `body: "field"`. */
  field(field: DescField, json: Json, path: string): Json
}

type Singular = { readonly scalar: ScalarType | undefined; readonly enum: DescEnum | undefined; readonly message: DescMessage | undefined }

const wrappers = /^google\.protobuf\.(?:Double|Float|U?Int64|U?Int32|Bool|String|Bytes)Value$/

/**
 * The strict half of ProtoJSON input: it closes what `@bufbuild/protobuf` lets through (hex, blanks, dates that do not exist, text
 * after a duration, blanks in base64) and what it refuses though ProtoJSON allows it (quoted 64-bit integers with an exponent),
 * and it knows where in the body it is.
 */
export function buildJsonCheck(registry: Registry, ignoreUnknown: boolean): JsonCheck {
  const names = new Map<DescMessage, ReadonlyMap<string, DescField>>()

  function fieldsOf(desc: DescMessage): ReadonlyMap<string, DescField> {
    let known = names.get(desc)
    if (known === undefined) {
      known = new Map(desc.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]))
      names.set(desc, known)
    }
    return known
  }

  function message(desc: DescMessage, json: Json, path: string): Json {
    const special = wellKnown(desc, json, path)
    if (special !== undefined) return special.value
    if (!isMembers(json)) throw wrong(path, `expected an object (${desc.typeName})`)
    members(desc, json, path)
    return json
  }

  function members(desc: DescMessage, json: JsonMembers, path: string, skip?: string): void {
    const fields = fieldsOf(desc)
    const seen = new Set<unknown>()
    for (const name of Object.keys(json)) {
      if (name === skip) continue
      const at = path === '' ? name : `${path}.${name}`
      const value = json[name] as Json
      const found = fields.get(name) ?? extensionOf(desc, name)
      if (found === undefined && !ignoreUnknown) throw wrong(at, `not a field of ${desc.typeName}`)
      if (found === undefined) continue
      if (seen.has(found)) throw wrong(at, 'given twice, under both of its names')
      if (found.oneof !== undefined && value !== null && seen.has(found.oneof)) throw wrong(at, `a second member of the oneof "${found.oneof.name}"`)
      seen.add(found)
      if (value !== null) seen.add(found.oneof ?? found)
      // Null is as if it were not there, but `@bufbuild/protobuf` takes it for a member of a oneof, and for the default of an extension.
      if (value === null && !takesNull(found)) delete json[name]
      else json[name] = field(found, value, at)
    }
  }

  function extensionOf(desc: DescMessage, name: string): DescField | undefined {
    const extension = name.startsWith('[') && name.endsWith(']') ? registry.getExtension(name.slice(1, -1)) : undefined
    // An extension has every property of a field that is read here.
    return extension?.extendee.typeName === desc.typeName ? (extension as unknown as DescField) : undefined
  }

  function field(desc: DescField, json: Json, path: string): Json {
    if (desc.fieldKind === 'list') return json === null ? null : list(desc, json, path)
    if (desc.fieldKind === 'map') return json === null ? null : map(desc, json, path)
    return json === null && !takesNull(desc) ? null : singular(desc, json, path)
  }

  function list(desc: DescField, json: Json, path: string): Json {
    if (!Array.isArray(json)) throw wrong(path, 'expected a list')
    for (const [i, item] of json.entries()) json[i] = element(desc, item, `${path}[${i}]`)
    return json
  }

  function map(desc: DescField & { readonly fieldKind: 'map' }, json: Json, path: string): Json {
    if (!isMembers(json)) throw wrong(path, 'expected an object')
    for (const key of Object.keys(json)) {
      const at = `${path}["${key}"]`
      checkKey(desc.mapKey, key, at)
      // A key "__proto__" is an own property of what JSON.parse made, so assigning to it sets no prototype.
      json[key] = element(desc, json[key] as Json, at)
    }
    return json
  }

  function element(desc: Singular, json: Json, path: string): Json {
    if (json === null && !takesNull(desc)) throw wrong(path, 'null is not allowed here')
    return singular(desc, json, path)
  }

  function singular(desc: Singular, json: Json, path: string): Json {
    if (desc.message !== undefined) return message(desc.message, json, path)
    if (desc.enum !== undefined) return enumeration(desc.enum, json, path, ignoreUnknown)
    return desc.scalar === undefined ? json : scalar(desc.scalar, json, path)
  }

  /** Types with a JSON form of their own; undefined for the others. */
  function wellKnown(desc: DescMessage, json: Json, path: string): { readonly value: Json } | undefined {
    if (!desc.typeName.startsWith('google.protobuf.')) return undefined
    if (wrappers.test(desc.typeName)) return { value: singular(desc.fields[0] as DescField, json, path) }
    switch (desc.typeName) {
      case 'google.protobuf.Timestamp':
        return { value: text(json, path, (time) => timestampProblem(time) ?? (momentOf(time) === undefined ? 'out of range' : undefined)) }
      case 'google.protobuf.Duration':
        return { value: text(json, path, (span) => durationProblem(span) ?? (spanOf(span) === undefined ? 'out of range' : undefined)) }
      case 'google.protobuf.FieldMask':
        return { value: text(json, path, (paths) => (paths.includes('_') ? 'expected paths in lowerCamelCase' : undefined)) }
      case 'google.protobuf.Struct':
        if (!isMembers(json)) throw wrong(path, 'expected an object')
        return { value: anything(json, path) }
      case 'google.protobuf.ListValue':
        if (!Array.isArray(json)) throw wrong(path, 'expected a list')
        return { value: anything(json, path) }
      case 'google.protobuf.Value':
        return { value: anything(json, path) }
      case 'google.protobuf.Any':
        return { value: any(json, path) }
      default:
        return undefined
    }
  }

  function any(json: Json, path: string): Json {
    if (!isMembers(json)) throw wrong(path, 'expected an object with "@type"')
    const url = json['@type']
    if (url === undefined && Object.keys(json).length === 0) return json
    if (typeof url !== 'string') throw wrong(path, 'expected an object with "@type"')
    const desc = registry.getMessage(url.slice(url.lastIndexOf('/') + 1))
    if (desc === undefined) throw wrong(path, `"@type" names an unknown type`)
    const own = wellKnown(desc, json['value'] ?? null, `${path}.value`)
    if (own === undefined) members(desc, json, path, '@type')
    else {
      const more = ignoreUnknown ? undefined : Object.keys(json).find((name) => name !== '@type' && name !== 'value')
      if (more !== undefined) throw wrong(`${path}.${more}`, `${desc.typeName} has its value in "value" and no members`)
      json['value'] = own.value
    }
    return json
  }

  return { message, field }
}

function wrong(path: string, message: string): Fault {
  return new Fault('body_invalid', path === '' ? `body: ${message}` : `${path}: ${message}`)
}

function takesNull(desc: Singular): boolean {
  return desc.message?.typeName === 'google.protobuf.Value' || desc.enum?.typeName === 'google.protobuf.NullValue'
}

function text(json: Json, path: string, problemOf: (text: string) => string | undefined): Json {
  if (typeof json !== 'string') throw wrong(path, 'expected a string')
  const problem = problemOf(json)
  if (problem !== undefined) throw wrong(path, problem)
  return json
}

/** A value of any shape: numbers as doubles. */
function anything(json: Json, path: string): Json {
  const long = longNumberText(json)
  if (long !== undefined) {
    const value = Number(long)
    if (!Number.isFinite(value)) throw wrong(path, 'the number is out of range')
    return value
  }
  if (Array.isArray(json)) for (const [i, item] of json.entries()) json[i] = anything(item, `${path}[${i}]`)
  else if (isMembers(json)) {
    for (const name of Object.keys(json)) {
      json[name] = anything(json[name] as Json, `${path}.${name}`)
    }
  }
  return json
}

function enumeration(desc: DescEnum, json: Json, path: string, ignoreUnknown: boolean): Json {
  if (json === null) return json
  if (typeof json === 'number') {
    const known = desc.open ? Number.isInteger(json) && inRange('int32', BigInt(json)) : desc.value[json] !== undefined
    if (!known) throw wrong(path, `${json} is not a value of ${desc.typeName}`)
    return json
  }
  if (typeof json !== 'string') throw wrong(path, `expected a value of ${desc.typeName}`)
  const known = desc.values.some((value) => value.name === json || value.jsonName === json)
  if (!known && !ignoreUnknown) throw wrong(path, `"${json}" is not a value of ${desc.typeName}`)
  return json
}

function scalar(type: ScalarType, json: Json, path: string): Json {
  const kind = integerKind(type)
  if (kind !== undefined) return integer(kind, json, path)
  if (type === ScalarType.STRING) return text(json, path, () => undefined)
  if (type === ScalarType.BYTES) return text(json, path, base64Problem)
  if (type !== ScalarType.BOOL) return float(type, json, path)
  if (typeof json !== 'boolean') throw wrong(path, 'expected true or false')
  return json
}

function integer(kind: IntegerKind, json: Json, path: string): Json {
  const written = typeof json === 'number' ? String(json) : typeof json === 'string' ? json : longNumberText(json)
  const value = written === undefined ? undefined : jsonInteger(kind, written)
  if (value === undefined) throw wrong(path, expectedInteger(kind))
  return kind === 'int32' || kind === 'uint32' ? Number(value) : String(value)
}

function float(type: ScalarType, json: Json, path: string): Json {
  const isText = typeof json === 'string'
  const written = typeof json === 'number' ? String(json) : isText ? json : longNumberText(json)
  const value = written === undefined ? undefined : floatOf(type, written)
  if (value === undefined) throw wrong(path, `expected a number${type === ScalarType.FLOAT ? ' (float)' : ''}`)
  return isText ? json : value
}

function checkKey(type: ScalarType, key: string, path: string): void {
  const kind = integerKind(type)
  if (kind !== undefined && jsonInteger(kind, key) === undefined) throw wrong(path, `the key: ${expectedInteger(kind)}`)
  if (type === ScalarType.BOOL && key !== 'true' && key !== 'false') throw wrong(path, 'the key: expected true or false')
}
