/** API keys that are kept and judged together. */
export interface ApiKeySet {
  readonly name: string
  readonly quarantined: string | undefined
  readonly store: { readonly kind: 'redis' } | { readonly kind: 'file'; readonly reference: string }
  /** Where the key stands, in lower case. */
  readonly header: string
  /** A key never has other scopes than these; undefined: whatever it was given. */
  readonly scopes: readonly string[] | undefined
  /** How soon a change of a key is seen. */
  readonly refreshMs: number
  /** `redis`: how long known keys go on while the store does not answer. */
  readonly staleForMs: number
}
