import type { DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { builtinRegistry } from '../book.ts'

/** Oneofs of one message that the seen-set, the bits of one integer, holds. */
const oneofsAtMost = 31

const special = /^google\.protobuf\.(?:Timestamp|Duration|FieldMask|Struct|Value|ListValue|(?:Double|Float|U?Int64|U?Int32|Bool|String|Bytes)Value)$/

/** Whether a type has a JSON form of its own. */
export function isSpecial(desc: DescMessage): boolean {
  return special.test(desc.typeName)
}

/**
 * Tells whether the compiled codec covers a type and everything it reaches. It leaves alone: Any, groups and delimited messages, types with
 * extensions in the registry, required fields, and types that only look like well-known ones.
 */
export function buildCoverage(registry: Registry): (desc: DescMessage) => boolean {
  const extended = new Set<string>()
  for (const type of registry) if (type.kind === 'extension') extended.add(type.extendee.typeName)
  const known = new Map<DescMessage, boolean>()

  return function covers(desc) {
    let answer = known.get(desc)
    if (answer === undefined) {
      answer = [...reached(desc)].every((type) => isPlain(type, extended))
      known.set(desc, answer)
    }
    return answer
  }
}

function reached(root: DescMessage): ReadonlySet<DescMessage> {
  const all = new Set([root])
  // A set is iterated over what is added meanwhile, too.
  for (const desc of all) for (const field of desc.fields) if (field.message !== undefined) all.add(field.message)
  return all
}

function isPlain(desc: DescMessage, extended: ReadonlySet<string>): boolean {
  if (desc.typeName === 'google.protobuf.Any' || extended.has(desc.typeName)) return false
  if (isSpecial(desc) && shapeOf(desc) !== shapeOf(builtinRegistry.getMessage(desc.typeName))) return false
  if (desc.oneofs.length > oneofsAtMost) return false
  const names = new Set(desc.fields.map((field) => field.jsonName))
  return names.size === desc.fields.length && desc.fields.every(isPlainField)
}

function isPlainField(field: DescField): boolean {
  const delimited = 'delimitedEncoding' in field && field.delimitedEncoding
  return !delimited && field.presence !== FeatureSet_FieldPresence.LEGACY_REQUIRED
}

function shapeOf(desc: DescMessage | undefined): string | undefined {
  return desc?.fields.map(({ number, name, fieldKind, scalar, presence }) => `${number} ${name} ${fieldKind} ${scalar} ${presence}`).join()
}
