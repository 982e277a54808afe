import type { Live } from '../../core/live.ts'
import type { Clock } from '../../core/ports.ts'
import type { ListenerSet } from './listener-set.ts'

export interface ShutdownTimes {
  /** Time for whoever balances load to see that readiness says no. New requests are still served. */
  readonly lameDuckMs: number
  /** Time for what is under way then. */
  readonly drainMs: number
}

/**
 * Ends the public and egress listeners without losing a request: first they say `Connection: close`, then they stop accepting, then what is
 * under way ends, and only what is still there after `drainMs` is cut. `hurry` skips whatever wait is going on.
 */
export async function drain(listeners: ListenerSet, live: Live, times: ShutdownTimes, clock: Clock, hurry: AbortSignal): Promise<void> {
  listeners.announceClose()
  await wait(times.lameDuckMs, clock, hurry)
  hurry.addEventListener('abort', () => listeners.cut())
  await listeners.close(hurry.aborted ? 0 : times.drainMs, isAdmin)
  const idle = live.close()
  // Bounded once more: a walk that never ends must not keep the process.
  await Promise.race([idle, wait(1000, clock, hurry)])
}

function isAdmin(name: string): boolean {
  return name === 'admin'
}

function wait(ms: number, clock: Clock, hurry: AbortSignal): Promise<void> {
  if (ms === 0 || hurry.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve)
    hurry.addEventListener('abort', () => {
      timer.cancel()
      resolve()
    })
  })
}
