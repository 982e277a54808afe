import type { Clock } from '../../core/ports.ts'

/** Longer waits would overflow `setTimeout` and fire at once. */
const longest = 2 ** 31 - 1

/**
 * The isolate's clocks. In production both stand still between two answers from outside, and a timer ends with the request that set it:
 * nothing here may be needed after that request.
 */
export function createClock(): Clock {
  return {
    now: () => Date.now(),
    ticks: () => performance.now(),
    after(ms, run) {
      const timer = setTimeout(run, Math.min(ms, longest))
      return { cancel: () => clearTimeout(timer) }
    },
  }
}
