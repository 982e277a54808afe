import type { DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import type { TranslateOptions } from '../model/translate-options.ts'
import { buildSizes, fieldOf, isDemanded } from '../protobuf.ts'
import { type Behavior, buildBehaviors } from './behavior.ts'

/** How one route writes or reads JSON. Two styles of one `key` write every type alike, but for what `answers` says. */
export interface Style {
  /** Of what the gateway writes: a field that `field_behavior` requires of callers may still be empty there, and then is left out. */
  readonly answers: boolean
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
  return { answers: false, key: `${descriptors} ${protoNames} ${enumsAsInts}`, registry, protoNames, enumsAsInts, behavior, sizeOf }
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

/** Whether a message cannot be sent without it, or is not meant to; in answers, whether it is always there. */
export function isRequired(field: DescField, { behavior, answers }: Style): boolean {
  return isDemanded(field) || (!answers && behavior(field).required)
}

/** Whether a message type, with all that it holds, looks different in answers. */
export function isOtherInAnswers(desc: DescMessage, { behavior }: Style): boolean {
  const types = new Set([desc])
  for (const { fields } of types) {
    if (fields.some((field) => !isDemanded(field) && behavior(field).required)) return true
    for (const { message } of fields) if (message !== undefined) types.add(message)
  }
  return false
}
