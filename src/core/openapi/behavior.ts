import { type DescField, getExtension, hasExtension, type Registry } from '@bufbuild/protobuf'

/** What `google.api.field_behavior` says of a field (https://google.aip.dev/203). */
export interface Behavior {
  readonly required: boolean
  /** The service sets it; what a caller writes there is ignored. */
  readonly outputOnly: boolean
  /** It is never in an answer. */
  readonly inputOnly: boolean
}

const none: Behavior = { required: false, outputOnly: false, inputOnly: false }
/** google/api/field_behavior.proto. */
const values = { required: 2, outputOnly: 3, inputOnly: 4 } as const

/** Reads the annotation with the types of one descriptor set; without its file in the set nothing is annotated. */
export function buildBehaviors(registry: Registry): (field: DescField) => Behavior {
  const extension = registry.getExtension('google.api.field_behavior')
  if (extension === undefined) return () => none
  return ({ proto: { options } }) => {
    if (options === undefined || !hasExtension(options, extension)) return none
    const said: unknown = getExtension(options, extension)
    const has = (value: number) => Array.isArray(said) && said.includes(value)
    return { required: has(values.required), outputOnly: has(values.outputOnly), inputOnly: has(values.inputOnly) }
  }
}
