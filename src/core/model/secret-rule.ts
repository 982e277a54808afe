/** A secret reference with the shape its value must, and must not, have (RE2, searched anywhere). */
export interface SecretRule {
  readonly reference: string
  readonly pattern: string | undefined
  readonly forbidPattern: string | undefined
  /** PEM text or a JWK, which have line ends; anything else has none. */
  readonly lines?: true
}
