import type { DescField, DescMessage, Message } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'

/** The path of the first required field that is not set (proto2, and LEGACY_REQUIRED of editions), in JSON names; undefined when none is missing. */
export function missingField(desc: DescMessage, message: Message): string | undefined {
  return missingIn(reflect(desc, message), '')
}

function missingIn(message: ReflectMessage, at: string): string | undefined {
  for (const field of message.fields) {
    const path = `${at}${field.jsonName}`
    if (message.isSet(field)) {
      const found = missingBelow(message, field, path)
      if (found !== undefined) return found
    } else if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) return path
  }
  return undefined
}

function missingBelow(message: ReflectMessage, field: DescField, path: string): string | undefined {
  if (field.fieldKind === 'message') return missingIn(message.get(field), `${path}.`)
  const items =
    field.fieldKind === 'list' && field.listKind === 'message'
      ? Array.from(message.get(field), (item, at) => [`${path}[${at}].`, item] as const)
      : field.fieldKind === 'map' && field.mapKind === 'message'
        ? Array.from(message.get(field), ([key, item]) => [`${path}[${JSON.stringify(String(key))}].`, item] as const)
        : []
  for (const [below, item] of items) {
    const found = missingIn(item as ReflectMessage, below) // items of lists and maps of messages are messages
    if (found !== undefined) return found
  }
  return undefined
}
