/** What the upstream is told about who asks. */
export interface HandOn {
  /** Forward the Authorization header as it came. */
  readonly token: boolean
  /** Headers made from claims; always deleted from the request first. */
  readonly claims: readonly { readonly header: string; readonly claim: string }[]
  /** A token of the gateway's own, or one that an exchange gives for the downstream's. Left out: none. */
  readonly introduce?: Introduce | undefined
}

export interface Introduce {
  readonly by: 'minted' | 'exchange'
  /** Of `tokens` or `exchanges`. */
  readonly name: string
  /** Lower-case; always deleted from the request first. */
  readonly header: string
}
