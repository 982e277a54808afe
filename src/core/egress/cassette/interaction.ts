/** A body as people read it; undefined: there was none. */
export type RecordedBody =
  | { readonly json: unknown }
  | { readonly form: readonly [string, string][] }
  | { readonly text: string }
  | { readonly base64: string }
  | undefined

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
