import type { DescField, Registry } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence as Presence } from '@bufbuild/protobuf/wkt'
import { fieldOf } from '../protobuf.ts'
import type { Behavior } from './behavior.ts'

/** How one route writes and reads JSON. Two routes of one `key` write every type alike. */
export interface Style {
  readonly key: string
  readonly registry: Registry
  readonly protoNames: boolean
  readonly enumsAsInts: boolean
  readonly behavior: (field: DescField) => Behavior
}

/** The member that holds a field. */
export function memberName(field: DescField, { protoNames }: Style): string {
  return protoNames ? field.name : field.jsonName
}

/** One step of a query parameter's name: it has to lead back to this field, and dots part steps. */
export function queryName(field: DescField, style: Style): string {
  const name = memberName(field, style)
  return name.includes('.') || fieldOf(field.parent, name, true) !== field ? field.name : name
}

/** Whether a message cannot be sent without it, or is not meant to. */
export function isRequired(field: DescField, { behavior }: Style): boolean {
  return field.presence === Presence.LEGACY_REQUIRED || behavior(field).required
}
