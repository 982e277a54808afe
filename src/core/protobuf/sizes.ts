import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence as Presence } from '@bufbuild/protobuf/wkt'

/** Whether a message without it cannot be serialized: `required` of proto2, LEGACY_REQUIRED of editions. */
export function isDemanded(field: DescField): boolean {
  return field.presence === Presence.LEGACY_REQUIRED
}

/**
 * How many fields a message has at the least, counted through all that it needs; Infinity where it needs itself, so that there is none.
 * `needs` says which fields a message cannot be without.
 */
export function buildSizes(needs: (field: DescField) => boolean): (desc: DescMessage) => number {
  const known = new WeakMap<DescMessage, number>()
  const open = new Set<DescMessage>()
  return function sizeOf(desc) {
    const size = known.get(desc)
    if (size !== undefined) return size
    if (open.has(desc)) return Number.POSITIVE_INFINITY
    open.add(desc)
    let total = 1
    for (const field of desc.fields) if (needs(field)) total += field.fieldKind === 'message' ? sizeOf(field.message) : 1
    open.delete(desc)
    known.set(desc, total)
    return total
  }
}
