import type { Clock } from '../../core/ports.ts'

/** Counts what one HTTP/2 connection starts and does not let finish. */
export interface FloodGuard {
  /** A stream begins. False when the connection has gone too far: nothing is handled any more. */
  start(): boolean
  /** A stream is over; `finished` when our answer went out whole. `open` are still open. */
  end(finished: boolean, open: number): void
}

/** With a hundred streams open at once, so many starts without an end mean a hundred streams thrown away. */
const mostStarted = 200
const windowMs = 10_000

/**
 * Rapid reset (CVE-2023-44487): a peer starts streams and resets them at once, so that no limit on open streams ever holds. What counts is
 * started and not finished, per 10 s: a downstream that now and then gives up a request never gets there.
 */
export function floodGuard(clock: Clock, flooded: () => void): FloodGuard {
  let unfinished = 0
  let windowEnds = clock.ticks() + windowMs
  let open = 0
  let over = false
  return {
    start() {
      if (over) return false
      if (clock.ticks() >= windowEnds) {
        windowEnds = clock.ticks() + windowMs
        unfinished = open
      }
      unfinished += 1
      open += 1
      if (unfinished <= mostStarted) return true
      over = true
      flooded()
      return false
    },
    end(finished, stillOpen) {
      open = stillOpen
      if (finished && unfinished > 0) unfinished -= 1
    },
  }
}
