import type { Diagnostic } from '../core/policy/diagnostic.ts'
import type { Policy } from '../core/policy/policy.ts'
import type { LoadedFolder, LoadRequest } from './policy-source/load-folder.ts'
import { loadInProcess } from './policy-source/load-process.ts'
import { type FolderWatch, type WatchOptions, watchDefaults, watchFolder } from './policy-source/watch.ts'

/** What one look at the policies folder found. */
export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly policy: Policy; readonly diagnostics: readonly Diagnostic[] }
  /** The content is that of the last load, good or bad. */
  | { readonly kind: 'unchanged' }
  /** Nothing that could be served; `diagnostics` says why. */
  | { readonly kind: 'failed'; readonly diagnostics: readonly Diagnostic[] }

/** The policies folder as a source of linked policies. */
export interface PolicySource {
  /** Loads now, parsing only when the content differs from the last load. One load runs at a time. */
  load(): Promise<LoadOutcome>
  /** Calls `changed` when the folder may have changed, until `close`. */
  watch(changed: () => void): void
  close(): void
}

export interface PolicySourceOptions {
  readonly folder: string
  readonly environment: string
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Left out: in a process of its own. */
  readonly load?: (request: LoadRequest) => Promise<LoadedFolder>
  readonly watch?: WatchOptions
}

export function openPolicySource(options: PolicySourceOptions): PolicySource {
  const { folder, environment, variables, load = loadInProcess } = options
  let known: string | undefined
  let running: Promise<unknown> = Promise.resolve()
  let watching: FolderWatch | undefined
  const loadOnce = async (): Promise<LoadOutcome> => {
    try {
      const loaded = await load({ folder, environment, variables, known })
      known = loaded.hash
      return outcomeOf(loaded)
    } catch (error) {
      known = undefined
      return { kind: 'failed', diagnostics: [loadFailure(error)] }
    }
  }
  return {
    load() {
      const next = running.then(loadOnce)
      running = next
      return next
    },
    watch(changed) {
      watching ??= watchFolder(folder, options.watch ?? watchDefaults, changed)
    },
    close: () => watching?.close(),
  }
}

function outcomeOf(loaded: LoadedFolder): LoadOutcome {
  if (loaded.unchanged) return { kind: 'unchanged' }
  const { policy, diagnostics } = loaded
  return policy === undefined ? { kind: 'failed', diagnostics } : { kind: 'loaded', policy, diagnostics }
}

function loadFailure(error: unknown): Diagnostic {
  const message = `The policies could not be loaded: ${error instanceof Error ? error.message : String(error)}.`
  return { severity: 'error', code: 'load_failed', file: '', line: 1, column: 1, message, hint: 'Look for a file of unusual size.', object: undefined }
}
