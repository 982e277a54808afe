import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'

/** A change of what is in force, ready in every process of this gateway. Exactly one of `commit` and `abort` ends it. */
export interface StagedChange {
  /** No egress call begins any more, until the end. */
  hold(): Promise<void>
  /** Puts it in force in every process, and lets calls begin again. */
  commit(): Promise<void>
  abort(): Promise<void>
}

/** What a switch needs of the gateway, be it one process or several. */
export interface SwitchStage {
  /** What is in force. */
  readonly inForce: () => Policy
  /** The policies as loaded, which a switch changes. */
  readonly loaded: () => Policy
  readonly inFlight: () => number
  /** Nothing else changes what is in force while `run` runs. */
  readonly alone: <T>(run: () => Promise<T>) => Promise<T>
  readonly prepare: (policy: Policy) => Promise<StagedChange | { readonly obstacle: Diagnostic }>
}
