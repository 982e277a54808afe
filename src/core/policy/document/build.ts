import * as z from 'zod'
import { type DefaultName, defaults } from './defaults.ts'

/** What the format says of a field beside its type. All of it stands in the JSON Schema. */
export interface FieldFacts {
  readonly title?: string
  readonly description?: string
  readonly examples?: readonly string[]
  /** A leaf that an environment's overlay may change. */
  readonly 'x-overridable'?: true
  /** A reference to a secret: what stands here is never quoted in a message. */
  readonly 'x-secret'?: true
}

/** Gives a field its description. */
export function describe<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ description })
}

/** Marks a leaf that an environment's overlay may change. */
export function overridable<S extends z.ZodType>(schema: S): S {
  return schema.meta({ 'x-overridable': true })
}

/** Gives a field its default from the one table; the reason joins the description. */
export function defaulted<S extends z.ZodType>(schema: S, name: DefaultName, description: string): z.ZodDefault<S> {
  const { value, reason } = defaults[name]
  // The cast is safe: a test parses every default with its own field.
  const withDefault = schema.default(structuredClone(value) as z.core.util.NoUndefined<z.output<S>>)
  return withDefault.meta({ description: `${description} Default: ${JSON.stringify(value)} (${reason}).` })
}

/** A mapping that has to say something: an empty one would test nothing, and so fit everything. */
export function filled<S extends z.ZodType<object>>(schema: S): S {
  const checked = schema.check((context) => {
    if (Object.keys(context.value).length > 0) return
    const hint = 'Leave it out not to restrict, or say what it tests.'
    context.issues.push({
      code: 'custom',
      message: 'This mapping is empty: it would test nothing, and fit everything.',
      input: context.value,
      params: { hint },
    })
  })
  return checked.meta({ minProperties: 1 })
}

/** A mapping whose members all have defaults, and so may be left out as a whole. */
export function section<Shape extends z.core.$ZodShape>(shape: Shape, description: string): z.ZodPrefault<z.ZodObject<Shape, z.core.$strict>> {
  const object = z.strictObject(shape).meta({ description })
  // The cast is safe: every member has a default, so the empty mapping is an input.
  return object.prefault({} as z.input<typeof object>)
}

export function factsOf(schema: z.core.$ZodType): FieldFacts {
  // The cast is safe: only `describe`, `overridable` and the fields of this folder put facts there.
  return (z.globalRegistry.get(schema) ?? {}) as FieldFacts
}

/** A string whose lexical check is a function: a problem sentence, or undefined. */
export function checked(
  check: (text: string) => string | undefined,
  facts: FieldFacts & { readonly pattern?: string },
  hint?: (text: string) => string | undefined,
) {
  return z
    .string()
    .check((context) => {
      const message = check(context.value)
      if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value, params: { hint: hint?.(context.value) } })
    })
    .meta({ ...facts })
}
