import type { Matched } from '../../model/exchange.ts'
import type { ProofKind } from '../../model/principal.ts'
import type { RequirementLeaf } from '../../policy/linked/access.ts'
import type { Proved } from './requirement.ts'

/** One way of proving who one is (bearer tokens, API keys, client certificates), for every leaf of the policies that asks for it. */
export interface Credential {
  /** The leaves it answers. */
  readonly kinds: readonly ProofKind[]
  /** For the leaves of one route, all of its kinds and at least one. Called once per route. */
  prepare(leaves: readonly RequirementLeaf[]): Check
  /** Gives back what it holds beyond the snapshot. */
  close(): void
}

/** What one route asks of one kind of credential. */
export interface Check {
  /** Why it cannot be asked for, because what would judge it is missing or quarantined; undefined when it can. */
  readonly broken: string | undefined
  /** Challenges for a request that brings nothing of the kind (RFC 9110 section 11.6.1); empty where the kind has no scheme. */
  readonly challenges: readonly string[]
  /**
   * Verifies what the request offers; undefined when it offers nothing of the kind. Whatever is offered and not good is a Fault
   * (`credential_invalid`, `token_invalid`, `idp_unavailable`): it is never taken for nothing.
   */
  readonly prove: (x: Matched) => Proved | undefined | Promise<Proved | undefined>
}
