import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { isDemanded, isMakeable } from '../protobuf.ts'
import type { Json, JsonObject } from './json.ts'
import { enumExample, knownType, scalarExample, wrapped } from './scalar.ts'
import { isRequired, memberName, type Style } from './style.ts'

/** Messages within messages that an example shows; required ones go on. */
const deepest = 4
/** Fields that an optional message may require, and still be shown. */
const largest = 30

/** What of a message its example leaves out, and what stands in its masks. Messages that these paths go through are there. */
export interface Leaving {
  readonly paths: readonly (readonly DescField[])[]
  readonly mask?: string
}

/**
 * A message as a caller may send it, or as an answer may hold it: every field once, the first member of each oneof, nothing that the other side alone sets. A type
 * does not show up within itself, unless it has to.
 */
export function messageExample(desc: DescMessage, style: Style, leaving: Leaving): Json {
  return ofMessage(desc, { style, leaving, stack: [], at: [] })
}

/** One field's value by itself: the body of a rule whose `body` names it. */
export function fieldExample(field: DescField, style: Style, leaving: Leaving): Json {
  return ofField(field, { style, leaving, stack: [], at: [field] }) ?? emptyOf(field)
}

function emptyOf({ fieldKind }: DescField): Json {
  return fieldKind === 'list' ? [] : fieldKind === 'map' ? {} : null
}

/** The text of one value in a path or query. */
export function textExample(field: DescField, { enumsAsInts }: Style, mask: string | undefined): string {
  const { scalar, enum: named, message } = field
  if (isHealthService(field)) return ''
  const inner = message === undefined ? scalar : wrapped(message)
  if (inner !== undefined) return scalarExample(inner).text
  if (named !== undefined) return String(enumExample(named, enumsAsInts))
  if (message?.typeName === 'google.protobuf.FieldMask' && mask !== undefined) return mask
  const example = message === undefined ? undefined : knownType(message)?.example
  // Only types whose JSON is one text are given in a path or query (isTextual).
  return typeof example === 'string' ? example : ''
}

interface Spot {
  readonly style: Style
  readonly leaving: Leaving
  readonly stack: readonly DescMessage[]
  readonly at: readonly DescField[]
}

function ofMessage(desc: DescMessage, spot: Spot): Json {
  if (desc.typeName === 'google.protobuf.FieldMask' && spot.leaving.mask !== undefined) return spot.leaving.mask
  const known = knownType(desc)
  if (known !== undefined) return known.example
  const members: [string, Json][] = []
  const taken = new Set<object>(leftOneofs(desc, spot))
  for (const field of desc.fields) {
    const at = [...spot.at, field]
    if (isLeft(at, spot.leaving) || isUnseen(field, spot.style)) continue
    if (field.oneof !== undefined && taken.has(field.oneof) && !isThrough(at, spot.leaving)) continue
    const value = ofField(field, { ...spot, stack: [...spot.stack, desc], at })
    if (value === undefined) continue
    if (field.oneof !== undefined) taken.add(field.oneof)
    members.push([memberName(field, spot.style), value])
  }
  return Object.fromEntries(members) satisfies JsonObject
}

/** A oneof whose member the path sets has no room for another. */
function leftOneofs(desc: DescMessage, { at, leaving }: Spot): readonly object[] {
  return leaving.paths.flatMap((path) => {
    const field = path[at.length]
    const isHere = field?.parent === desc && at.every((step, i) => path[i] === step)
    return isHere && field.oneof !== undefined && path.length > at.length ? [field.oneof] : []
  })
}

/** What the service sets is not sent, and what is only sent is not answered, unless no message is without it. */
function isUnseen(field: DescField, { behavior, answers }: Style): boolean {
  const { inputOnly, outputOnly } = behavior(field)
  return (answers ? inputOnly : outputOnly) && !isDemanded(field)
}

/** Whether the path sets something within this field. */
function isThrough(at: readonly DescField[], { paths }: Leaving): boolean {
  return paths.some((path) => path.length > at.length && at.every((step, i) => path[i] === step))
}

function isLeft(at: readonly DescField[], { paths }: Leaving): boolean {
  return paths.some((path) => path.length === at.length && path.every((step, i) => at[i] === step))
}

function ofField(field: DescField, spot: Spot): Json | undefined {
  const { scalar, enum: named, message } = field
  if (named?.typeName === 'google.protobuf.NullValue') return undefined
  if (message !== undefined && isTooDeep(field, message, spot)) return isRequired(field, spot.style) ? (emptyOf(field) ?? undefined) : undefined
  const value: Json =
    scalar !== undefined
      ? isHealthService(field)
        ? ''
        : scalarExample(scalar).json
      : named !== undefined
        ? enumExample(named, spot.style.enumsAsInts)
        : message === undefined
          ? null
          : ofMessage(message, spot)
  if (field.fieldKind === 'list') return [value]
  return field.fieldKind === 'map' ? { [keyExample(field.mapKey)]: value } : value
}

/** No made-up service is known to a health service, but the whole server is (grpc.health.v1, "service"). */
function isHealthService({ name, parent }: DescField): boolean {
  return name === 'service' && parent.typeName === 'grpc.health.v1.HealthCheckRequest'
}

function isTooDeep(field: DescField, message: DescMessage, { style, leaving, stack, at }: Spot): boolean {
  if (knownType(message) !== undefined || isThrough(at, leaving)) return false
  if (!isMakeable(message)) return true
  // What is required goes on to its end, if it has one.
  if (isDemanded(field) || (isRequired(field, style) && style.sizeOf(message) < Number.POSITIVE_INFINITY)) return false
  return stack.includes(message) || stack.length >= deepest || style.sizeOf(message) > largest
}

/** A key that a map may have. */
export function keyExample(key: ScalarType): string {
  if (key === ScalarType.STRING) return 'key'
  return key === ScalarType.BOOL ? 'true' : '1'
}
