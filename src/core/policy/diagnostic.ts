/** One thing wrong with the policies, placed where its author can find it. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning'
  /** Stable, snake_case. */
  readonly code: string
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** A plain sentence: what is wrong. */
  readonly message: string
  /** What to do; "did you mean …" where a name is close. */
  readonly hint: string | undefined
  /** `section.name` of the object it breaks, when it is one object's. */
  readonly object: string | undefined
}
