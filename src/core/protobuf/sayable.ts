import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { isAnything, isTextual, isTextualType } from './fields.ts'
import { isDemanded } from './sizes.ts'

/** Whether a query has room for a value of the field, or for an item or entry of it; for maps only where they bind. */
export function isText(field: DescField, maps: boolean): boolean {
  if (field.enum?.typeName === 'google.protobuf.NullValue') return false
  if (field.fieldKind === 'map') return maps && (field.mapKind !== 'message' || isTextualType(field.message))
  return isTextual(field) || (field.fieldKind === 'list' && field.listKind !== 'message')
}

/** The message of a field that query parameters may go through. */
export function passable(field: DescField): DescMessage | undefined {
  return field.fieldKind === 'message' && !isTextual(field) && !isAnything(field) ? field.message : undefined
}

/**
 * In how many steps query parameters can make a message with all that it requires; Infinity where they cannot. A message of fewer steps
 * never needs one of more, so that whoever follows them comes to an end.
 */
export function buildSteps(maps: boolean): (desc: DescMessage) => number {
  const known = new WeakMap<DescMessage, number>()
  return (desc) => {
    const step = known.get(desc)
    if (step !== undefined) return step
    const types = reachable(desc)
    const steps = stepsOf(types, maps)
    for (const type of types) known.set(type, steps.get(type) ?? Number.POSITIVE_INFINITY)
    return known.get(desc) ?? Number.POSITIVE_INFINITY
  }
}

/** From the messages that texts make to those that need others, until no more are found. */
function stepsOf(types: ReadonlySet<DescMessage>, maps: boolean): ReadonlyMap<DescMessage, number> {
  const steps = new Map<DescMessage, number>()
  for (let step = 1; ; step++) {
    const known = new Set(steps.keys())
    const canBeSaid = (field: DescField) => {
      const inner = passable(field)
      return isTextual(field) || (inner !== undefined && known.has(inner))
    }
    for (const type of types) {
      const demanded = type.fields.filter(isDemanded)
      const isSaid = demanded.every(canBeSaid) && (demanded.length > 0 || type.fields.some((field) => isText(field, maps) || canBeSaid(field)))
      if (isSaid && !known.has(type)) steps.set(type, step)
    }
    if (steps.size === known.size) return steps
  }
}

function reachable(desc: DescMessage): ReadonlySet<DescMessage> {
  const types = new Set([desc])
  for (const type of types) {
    for (const field of type.fields) {
      const inner = passable(field)
      if (inner !== undefined) types.add(inner)
    }
  }
  return types
}
