import * as z from 'zod'
import type { Path } from '../read/node.ts'

/**
 * Every schema that may stand at `path`: wrappers (optional, default) before what they wrap, a union before its branches.
 */
export function candidatesAt(schema: z.core.$ZodType, path: Path): readonly z.core.$ZodType[] {
  let at = unwrapped(schema)
  for (const step of path) at = at.flatMap((candidate) => inside(candidate, step)).flatMap(unwrapped)
  return at
}

/** Keys that a mapping at `path` may have. */
export function knownKeys(schema: z.core.$ZodType, path: Path): readonly string[] {
  const keys = candidatesAt(schema, path).flatMap((candidate) => (candidate instanceof z.ZodObject ? Object.keys(candidate.shape) : []))
  return Array.from(new Set(keys))
}

function inside(schema: z.core.$ZodType, step: string | number): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) return Object.hasOwn(schema.shape, step) ? [schema.shape[step]] : []
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  if (schema instanceof z.ZodArray) return typeof step === 'number' ? [schema.element] : []
  return []
}

function unwrapped(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return [schema, ...unwrapped(schema.unwrap())]
  if (schema instanceof z.ZodUnion) return [schema, ...schema.options.flatMap((option) => unwrapped(option))]
  return [schema]
}
