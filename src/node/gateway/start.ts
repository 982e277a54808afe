import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { LoadOutcome, PolicySource } from '../policy-source.ts'
import type { Settings } from '../settings.ts'
import { errorsIn, obstacle } from './diagnose.ts'

/** Sallyport cannot start; `diagnostics` say why. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly diagnostics: readonly Diagnostic[]

  constructor(message: string, diagnostics: readonly Diagnostic[], cause?: unknown) {
    super(message, { cause })
    this.diagnostics = diagnostics
  }
}

/** Remembers a change until somebody listens. */
export function watchFrom(source: PolicySource): { readonly tell: (listener: () => void) => void } {
  let missed = false
  let changed = () => {
    missed = true
  }
  source.watch(() => changed())
  return {
    tell(listener) {
      changed = listener
      if (missed) listener()
    },
  }
}

/** What the first load gives to serve. @throws StartError when it gives nothing, or too little for `strict`. */
export function acceptable(outcome: LoadOutcome, settings: Settings): { readonly policy: Policy; readonly diagnostics: readonly Diagnostic[] } {
  if (outcome.kind !== 'loaded')
    throw new StartError(`the policies in ${settings.policies} cannot be served`, outcome.kind === 'failed' ? outcome.diagnostics : [])
  const { policy, diagnostics } = outcome
  if (settings.strict && errorsIn(diagnostics).length > 0) throw new StartError('the policies have errors, and --strict serves none that do', diagnostics)
  return { policy, diagnostics }
}

/** @throws StartError around what `run` threw, with what to do about it. */
export async function step<T>(run: () => Promise<T>, code: string, hint: string): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const why = obstacle(code, error, hint)
    throw new StartError(why.message, [why], error)
  }
}
