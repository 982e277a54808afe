import * as z from 'zod'
import { documentSchema } from './document.ts'

/** The name of the schema; where it lies is each file's first line. */
export const schemaId = 'urn:sallyport:policy:v1'

/** JSON Schema 2020-12 of a policy file, from the definition that the loader itself uses. Deterministic. */
export function policyJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = z.toJSONSchema(documentSchema, { target: 'draft-2020-12', io: 'input', reused: 'inline' })
  return { $schema, $id: schemaId, title: 'Sallyport policy file, format v1', ...rest }
}
