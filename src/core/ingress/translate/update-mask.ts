import { create, type DescMessage } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { fieldOf, isMembers, type Json } from '../../protobuf.ts'
import type { BindingPlan } from './plan.ts'

/**
 * The update mask that a PATCH means when it states none (AIP-134): the members its body has, by proto names, down to scalars, lists, maps
 * and types with a JSON form of their own. A member that is null is in it: it is cleared. What the path sets is not: it says which resource, not what
 * to change.
 */
export function derivedMask(plan: BindingPlan, mask: NonNullable<BindingPlan['mask']>, json: Readonly<Record<string, Json>>): ReflectMessage {
  const bound = new Set(plan.variables.flatMap(({ inBody }) => (inBody === undefined ? [] : [inBody.map((field) => field.name).join('.')])))
  const paths = [...pathsOf(mask.of, json, '')].filter((path) => !bound.has(path))
  // planMask took a message field.
  const desc = mask.field.message as DescMessage
  return reflect(desc, create(desc, { paths }))
}

function* pathsOf(desc: DescMessage, json: Readonly<Record<string, Json>>, prefix: string): Iterable<string> {
  for (const name of Object.keys(json)) {
    const field = fieldOf(desc, name, true)
    if (field === undefined) continue
    const path = `${prefix}${field.name}`
    const value = json[name]
    const inner = field.fieldKind === 'message' && !field.message.typeName.startsWith('google.protobuf.') ? field.message : undefined
    if (inner !== undefined && isMembers(value) && Object.keys(value).length > 0) yield* pathsOf(inner, value, `${path}.`)
    else yield path
  }
}
