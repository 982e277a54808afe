import type { Received } from './exchange.ts'
import { Fault } from './fault.ts'
import type { Route } from './route.ts'

/** What tells the time; ports.clock is one. */
interface Timer {
  ticks(): number
  after(ms: number, run: () => void): { cancel(): void }
}

/** A request whose time is known: what its caller gives it, and what its route does. */
type Timed = Pick<Received, 'lifeline' | 'deadline' | 'receivedAt'> & { readonly route: Pick<Route, 'timeoutMs'> }

/**
 * Waits no longer than the request itself lives. What is under way goes on for those who share it, within its own time. Rejects as `waiting`
 * does, with why the request ended, or with Fault `deadline_exceeded`.
 */
export function inTime<T>({ lifeline, deadline, receivedAt, route }: Timed, waiting: Promise<T>, clock: Timer): Promise<T> {
  const leftMs = Math.min(deadline, receivedAt + route.timeoutMs) - clock.ticks()
  return new Promise((resolve, reject) => {
    const late = () => reject(new Fault('deadline_exceeded', 'the deadline has passed'))
    const timer = Number.isFinite(leftMs) ? clock.after(Math.max(0, leftMs), late) : undefined
    const forget = lifeline.onEnd(reject)
    waiting.then(resolve, reject).finally(() => {
      timer?.cancel()
      forget()
    })
  })
}
