import type { DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import type { TranslateOptions } from '../model/route.ts'
import { buildSizes, fieldOf, isDemanded } from '../protobuf.ts'
import { type Behavior, buildBehaviors } from './behavior.ts'

/** How one route writes and reads JSON. Two routes of one `key` write every type alike. */
export interface Style {
  readonly key: string
  readonly registry: Registry
  readonly protoNames: boolean
  readonly enumsAsInts: boolean
  readonly behavior: (field: DescField) => Behavior
  /** The fewest fields of a message that has all that is required; Infinity where it would hold itself. */
  readonly sizeOf: (desc: DescMessage) => number
}

/** The style of a route's JSON. */
export function buildStyle(descriptors: string, registry: Registry, { protoNames, enumsAsInts }: Pick<TranslateOptions, 'protoNames' | 'enumsAsInts'>): Style {
  const behavior = buildBehaviors(registry)
  const sizeOf = buildSizes((field) => isDemanded(field) || behavior(field).required)
  return { key: `${descriptors} ${protoNames} ${enumsAsInts}`, registry, protoNames, enumsAsInts, behavior, sizeOf }
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
  return isDemanded(field) || behavior(field).required
}
