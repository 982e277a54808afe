/** A test of one header or query parameter. All that are given must hold. */
export interface FieldTest {
  readonly name: string
  readonly exact?: string
  readonly prefix?: string
  readonly present?: boolean
  /** RE2 syntax, whole value. */
  readonly pattern?: string
}
