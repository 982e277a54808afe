import * as z from 'zod'
import { parseExact } from '../../json-path.ts'
import type { Interaction } from './interaction.ts'

const pairs = z.array(z.tuple([z.string(), z.string()])).readonly()

const body = z
  .union([z.strictObject({ json: z.unknown() }), z.strictObject({ form: pairs }), z.strictObject({ text: z.string() }), z.strictObject({ base64: z.base64() })])
  .optional()

const interaction = z.strictObject({
  cassette: z.literal('v1'),
  service: z.string(),
  environment: z.string(),
  recordedAt: z.string(),
  request: z.strictObject({ method: z.string(), path: z.string(), query: pairs, headers: pairs, body }),
  response: z.strictObject({ status: z.int().min(200).max(599), headers: pairs, body }),
})

/** Reads a file. @throws Error that says what is wrong with it. */
export function readInteraction(text: string): Interaction {
  const read = interaction.safeParse(parseExact(text))
  if (!read.success) throw new Error(z.prettifyError(read.error))
  return read.data
}
