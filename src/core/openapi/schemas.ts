import { type DescEnum, type DescField, type DescMessage, type DescOneof, ScalarType } from '@bufbuild/protobuf'
import { isDemanded } from '../protobuf.ts'
import type { Commented, Comments } from './comments.ts'
import { type Json, type JsonObject, present } from './json.ts'
import { knownType, scalarSchema, wrapped } from './scalar.ts'
import { isOtherInAnswers, isRequired, memberName, type Style } from './style.ts'

type FieldPath = readonly DescField[]

/** The component schemas of one document: each type is written once, where it is first asked for. */
export interface Schemas {
  readonly message: (desc: DescMessage, style: Style) => JsonObject
  /** The message with fields left out: what a path variable says the body need not repeat, at any depth. */
  readonly without: (desc: DescMessage, left: readonly FieldPath[], style: Style) => JsonObject
  readonly field: (field: DescField, style: Style) => JsonObject
  /** One value in a path or query, or one item of a list there. */
  readonly text: (field: DescField, style: Style) => JsonObject
  /** By name, sorted. */
  readonly all: () => JsonObject
}

/**
 * Schemas of messages as ProtoJSON writes them. Types go by their full names; where routes write one differently, later ones get a number, and
 * one that answers need not fill as requests have to stands by `-answer` too.
 */
export function buildSchemas(comments: Comments): Schemas {
  const components = new Map<string, JsonObject>()
  const variants = new Map<string, string[]>()

  function refer(desc: DescMessage | DescEnum, style: Style, write: () => JsonObject): JsonObject {
    const known = variants.get(desc.typeName) ?? []
    variants.set(desc.typeName, known)
    const at = known.indexOf(style.key)
    const number = at < 0 ? known.push(style.key) : at + 1
    const plain = number === 1 ? desc.typeName : `${desc.typeName}-${number}`
    const name = style.answers && desc.kind === 'message' && isOtherInAnswers(desc, style) ? `${plain}-answer` : plain
    // The name stands before the schema does: types may hold themselves.
    if (!components.has(name)) components.set(name, {}).set(name, write())
    return { $ref: `#/components/schemas/${name}` }
  }

  function message(desc: DescMessage, style: Style): JsonObject {
    return knownType(desc)?.schema ?? refer(desc, style, () => object(desc, [], style))
  }

  function object(desc: DescMessage, left: readonly FieldPath[], style: Style): JsonObject {
    const fields = desc.fields.filter((field) => !left.some((path) => path.length === 1 && path[0] === field))
    const belowOf = (field: DescField) => left.flatMap((path) => (path.length > 1 && path[0] === field ? [path.slice(1)] : []))
    const required = fields
      .filter((one) => (belowOf(one).length > 0 ? isNeeded(one, belowOf(one)) : isRequired(one, style)))
      .map((one) => memberName(one, style))
    const exclusive = fields.some(({ oneof }) => oneof !== undefined) ? exclusions(desc.oneofs, fields, style) : {}
    return present({
      type: 'object',
      description: comments(desc),
      deprecated: isDeprecated(desc),
      properties: Object.fromEntries(fields.map((one) => [memberName(one, style), member(one, belowOf(one), style)])),
      required: required.length === 0 ? undefined : required,
      dependentSchemas: Object.keys(exclusive).length === 0 ? undefined : exclusive,
    })
  }

  function member(field: DescField, left: readonly FieldPath[], style: Style): JsonObject {
    const { outputOnly, inputOnly } = style.behavior(field)
    const own = left.length > 0 && field.fieldKind === 'message' ? object(field.message, left, style) : value(field, style)
    return present({
      ...own,
      description: comments(field) ?? own['description'],
      readOnly: outputOnly ? true : undefined,
      writeOnly: inputOnly ? true : undefined,
      deprecated: isDeprecated(field) ?? own['deprecated'],
    })
  }

  function value(field: DescField, style: Style): JsonObject {
    if (field.fieldKind === 'list') return { type: 'array', items: single(field, style) }
    if (field.fieldKind !== 'map') return single(field, style)
    return present({ type: 'object', propertyNames: keySchema(field.mapKey), additionalProperties: single(field, style) })
  }

  function single({ scalar, enum: named, message: inner }: Pick<DescField, 'scalar' | 'enum' | 'message'>, style: Style): JsonObject {
    if (scalar !== undefined) return scalarSchema(scalar)
    if (named !== undefined) return ofEnum(named, style)
    return inner === undefined ? {} : message(inner, style)
  }

  function ofEnum(desc: DescEnum, style: Style): JsonObject {
    if (desc.typeName === 'google.protobuf.NullValue') return { type: 'null' }
    return refer(desc, style, () => {
      const values = style.enumsAsInts ? unique(desc.values.map(({ number }) => number)) : desc.values.map(({ name }) => name)
      const meanings = style.enumsAsInts ? desc.values.map(({ name, number }) => `${number}: ${name}`).join(', ') : undefined
      const description = [comments(desc), meanings].filter((text) => text !== undefined).join('\n\n')
      return present({
        type: style.enumsAsInts ? 'integer' : 'string',
        description: description === '' ? undefined : description,
        enum: values,
        deprecated: isDeprecated(desc),
      })
    })
  }

  return {
    message,
    without: (desc, left, style) => (left.length === 0 ? message(desc, style) : object(desc, left, style)),
    field: value,
    text: (field, style) => {
      const scalar = field.message === undefined ? undefined : wrapped(field.message)
      return scalar === undefined ? single(field, style) : scalarSchema(scalar)
    },
    all: () => Object.fromEntries(Array.from(components).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** Whether a member that a path variable makes has to be in the body all the same, because its message needs more than the path says. */
function isNeeded(field: DescField, left: readonly FieldPath[]): boolean {
  if (field.fieldKind !== 'message') return false
  return field.message.fields.some((inner) => {
    const below = left.filter((path) => path[0] === inner).map((path) => path.slice(1))
    if (below.length === 0) return isDemanded(inner)
    return below.every((path) => path.length > 0) && isNeeded(inner, below)
  })
}

/** A member of a oneof shuts out the others. */
function exclusions(oneofs: readonly DescOneof[], shown: readonly DescField[], style: Style): JsonObject {
  const rules: Record<string, Json> = {}
  for (const { fields } of oneofs) {
    const names = fields.filter((field) => shown.includes(field)).map((field) => memberName(field, style))
    for (const [i, name] of names.entries()) {
      const others = names.slice(i + 1)
      if (others.length > 0) rules[name] = { properties: Object.fromEntries(others.map((other) => [other, false])) }
    }
  }
  return rules
}

function keySchema(key: ScalarType): JsonObject | undefined {
  if (key === ScalarType.STRING) return undefined
  return key === ScalarType.BOOL ? { enum: ['true', 'false'] } : { pattern: '^-?[0-9]+$' }
}

function isDeprecated(desc: Exclude<Commented, { readonly kind: 'service' | 'rpc' }>): true | undefined {
  return desc.proto.options?.deprecated === true ? true : undefined
}

function unique<T>(values: readonly T[]): readonly T[] {
  return Array.from(new Set(values))
}
