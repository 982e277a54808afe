import type { Clock } from '../../src/core/ports.ts'

interface Timer {
  readonly at: number
  readonly run: () => void
}

/** A clock that moves only when told. Wall time and ticks advance together. */
export interface FakeClock extends Clock {
  /** Moves time on and runs every timer that falls due on the way, in order, each at its own moment. */
  advance(ms: number): void
  /** Moves wall time alone, as a clock step does. */
  step(ms: number): void
  /** Timers that wait. */
  readonly pending: number
}

/** Starts at 2026-01-01T00:00:00Z and tick 1000. */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let ticks = 1000
  let offset = startMs - ticks
  let timers: readonly Timer[] = []
  const drop = (timer: Timer) => {
    timers = timers.filter((other) => other !== timer)
  }
  return {
    now: () => ticks + offset,
    ticks: () => ticks,
    after(ms, run) {
      const timer: Timer = { at: ticks + Math.max(0, ms), run }
      timers = [...timers, timer]
      return { cancel: () => drop(timer) }
    },
    advance(ms) {
      const end = ticks + ms
      for (;;) {
        const due = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        drop(due)
        ticks = Math.max(ticks, due.at)
        due.run()
      }
      ticks = end
    },
    step(ms) {
      offset += ms
    },
    get pending() {
      return timers.length
    },
  }
}
