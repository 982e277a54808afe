import type { Rule } from '../../policy/linked/access.ts'
import type { Part } from './matchers.ts'

/**
 * When a rule has its say. `screen`: a deny rule that looks at the network and the request alone, before anybody is identified.
 * `audit` rules come last and decide nothing.
 */
export type Phase = 'screen' | 'deny' | 'allow' | 'audit'

/** A rule ready to run. */
export interface CompiledRule {
  readonly policy: string
  readonly rule: Rule
  /** `policy/rule` */
  readonly id: string
  readonly parts: readonly Part[]
  /** A deny rule that speaks of claims says nothing about a request that has none. */
  readonly needsClaims: boolean
  readonly phase: Phase
  /** It speaks of who asks. */
  readonly identity: boolean
  /** It is held against each subject that was proved, not only against the principal. */
  readonly ofAnybody: boolean
}
