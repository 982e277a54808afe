/** Canned answers of a vendor. The first that fits answers. */
export type MockBook = readonly MockAnswer[]

export interface MockAnswer {
  readonly methods: readonly string[]
  /** Template over the path. */
  readonly path: string
  /** Members of a JSON body that must be equal, by dotted path. */
  readonly body: Readonly<Record<string, string | number | boolean>>
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  /** JSON text, or plain text; `{{path.x}}`, `{{query.x}}`, `{{header.x}}` and `{{body.a.b}}` are filled in. */
  readonly answer: string
  readonly delayMs: number
}
