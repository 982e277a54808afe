import type { Clock } from '../core/ports.ts'

/** The machine's clocks: the wall, and monotonic ticks that no clock step moves. */
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

/** Longer waits would overflow `setTimeout` and fire at once. About 24 days. */
const longest = 2 ** 31 - 1
