import type { Live } from '../../core/live.ts'
import type { Clock } from '../../core/ports.ts'
import type { GracefulClose } from '../listeners.ts'
import type { ListenerSet } from './listener-set.ts'

/** A walk that never ends must not keep the process once its connection is gone. Milliseconds. */
const lastWalksMs = 1000

/**
 * Ends the public and egress listeners without losing a request: first they still serve and say `Connection: close`, then they stop
 * accepting, then what is under way ends, and only what is still there after `drainMs` is cut. `hurry` skips whatever wait is going on. The admin
 * listener stays: whoever balances load asks it whether we are ready.
 */
export async function drain(listeners: ListenerSet, live: Live, graceful: GracefulClose, clock: Clock, hurry: AbortSignal): Promise<void> {
  const closing = listeners.close(graceful, (name) => name === 'admin')
  await Promise.race([closing, hurried(hurry).then(() => listeners.cut())])
  let timer: { cancel(): void } | undefined
  const late = new Promise<void>((resolve) => {
    timer = clock.after(lastWalksMs, resolve)
  })
  await Promise.race([live.close(), late])
  timer?.cancel()
}

function hurried(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
