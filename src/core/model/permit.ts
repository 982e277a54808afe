declare const minted: unique symbol

/**
 * Proof that a rule let this request pass. Minted by `authorize` (ingress) and `permit` (egress) alone;
 * `forward` demands it, so nothing leaves the house without a decision.
 */
export interface Permit {
  readonly [minted]: 'permit'
  /** Name of the access policy, or of the egress service. */
  readonly policy: string
  readonly rule: string
  /** `policy/rule` of every audit rule that matched. */
  readonly audited: readonly string[]
}

/** What `authorize` and `permit` know when they mint. */
export type PermitFacts = Omit<Permit, typeof minted>
