import * as z from 'zod'
import { parseExact } from '../../json-path.ts'

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

/** A body as people read it; undefined: there was none. */
export type RecordedBody = z.output<typeof body>

/** What a request is known by: as the caller sent it, without anything secret. */
export interface RecordedRequest {
  readonly method: string
  readonly path: string
  /** Decoded, in order. */
  readonly query: readonly (readonly [string, string])[]
  /** Those that the target chooses, lower-case, in order of their names. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body?: RecordedBody
}

/** One file of a cassette: a request and its answer. */
export interface Interaction {
  readonly cassette: 'v1'
  readonly service: string
  readonly environment: string
  /** ISO 8601. */
  readonly recordedAt: string
  readonly request: RecordedRequest
  readonly response: { readonly status: number; readonly headers: readonly (readonly [string, string])[]; readonly body?: RecordedBody }
}

/** The text of a file. */
export function writeInteraction(said: Interaction): string {
  return `${JSON.stringify(said, null, 2)}\n`
}

/** Reads a file. @throws Error that says what is wrong with it. */
export function readInteraction(text: string): Interaction {
  const read = interaction.safeParse(parseExact(text))
  if (!read.success) throw new Error(z.prettifyError(read.error))
  return read.data
}
