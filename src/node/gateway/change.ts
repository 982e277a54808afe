import type { Live } from '../../core/live.ts'
import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Log } from '../journal.ts'
import type { Build } from './build.ts'
import { obstacle } from './diagnose.ts'
import type { ListenerPlan, ListenerSet } from './listener-set.ts'
import type { StoreInForce } from './store-in-force.ts'

export interface ChangeParts {
  readonly build: Build
  readonly plans: (policy: Policy) => readonly ListenerPlan[]
  readonly live: Live
  readonly listeners: ListenerSet
  readonly store: StoreInForce
  readonly log: Log
}

/** New policies that are ready for this process: whatever can fail was tried, and nothing has changed yet. */
export interface PreparedChange {
  /** Puts them in force by one assignment, then lets go of what only the old ones had. Returns which addresses were lost on the way. */
  commit(): Promise<readonly Diagnostic[]>
  /** Forgets what was prepared. */
  abort(): Promise<void>
}

/** Prepares to put policies in force in this process, or says what stands against them. */
export async function prepareChange(parts: ChangeParts, policy: Policy): Promise<PreparedChange | { readonly obstacle: Diagnostic }> {
  const { live, listeners } = parts
  const store = await prepared(() => parts.store.prepare(policy), 'store_unavailable', 'Set what store.redis names.')
  if ('obstacle' in store) return store
  const addresses = await prepared(() => listeners.prepare(parts.plans(policy)), 'listener_unavailable', 'Choose an address that is free.')
  if ('obstacle' in addresses) {
    await store.ready.abort()
    return addresses
  }
  const abort = async () => {
    await Promise.all([store.ready.abort(), addresses.ready.abort()])
  }
  const snapshot = await prepared(() => parts.build(policy), 'snapshot_failed', 'This is a bug in Sallyport.')
  if ('obstacle' in snapshot) {
    await abort()
    return snapshot
  }
  return {
    async commit() {
      const previous = live.current.revision
      const letGo = store.ready.commit()
      const drained = live.publish(snapshot.ready)
      // The previous snapshot and its store end when their last request has ended: nobody waits for that.
      drained.then(letGo).catch((error: unknown) => parts.log('error', 'drain_failed', { revision: previous, reason: String(error) }))
      const problems = await addresses.ready.commit()
      return problems.map((problem) => obstacle('listener_lost', new Error(problem), 'Free the address, then reload.'))
    },
    async abort() {
      await Promise.all([abort(), snapshot.ready.close()])
    },
  }
}

type Prepared<T> = { readonly ready: T } | { readonly obstacle: Diagnostic }

async function prepared<T>(prepare: () => Promise<T>, code: string, hint: string): Promise<Prepared<T>> {
  try {
    return { ready: await prepare() }
  } catch (error) {
    return { obstacle: obstacle(code, error, hint) }
  }
}
