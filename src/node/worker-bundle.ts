import { checkWorkerGround, edgePolicyOf } from '../core/edge.ts'
import type { Diagnostic } from '../core/policy/diagnostic.ts'
import type { Loaded } from '../core/policy/loading.ts'

/** What a Worker is built with, or why it may not be built. */
export interface WorkerBundle {
  /** JSON text of the edge's part of the policy; undefined when there is an error among the diagnostics. */
  readonly json: string | undefined
  /** The loader's, then what a Worker cannot do. */
  readonly diagnostics: readonly Diagnostic[]
}

/** Makes the policy module of a Worker. Nothing is quarantined here: a Worker is built of sound policies or not at all. */
export function bundleForWorker(loaded: Loaded): WorkerBundle {
  const { policy } = loaded
  const diagnostics = policy === undefined ? loaded.diagnostics : [...loaded.diagnostics, ...checkWorkerGround(policy, loaded.origins)]
  const sound = !diagnostics.some((one) => one.severity === 'error')
  return { json: policy !== undefined && sound ? JSON.stringify(edgePolicyOf(policy), null, 1) : undefined, diagnostics }
}
