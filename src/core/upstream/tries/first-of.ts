import type { Clock } from '../../ports.ts'

/** The first of the outcomes under way; undefined: `at` (ticks) has come before. */
export async function firstOf<Outcome>(outcomes: readonly Promise<Outcome>[], at: number | undefined, clock: Clock): Promise<Outcome | undefined> {
  if (at === undefined) return outcomes.length === 1 ? outcomes[0] : Promise.race(outcomes)
  let timer: ReturnType<Clock['after']> | undefined
  const nudge = new Promise<undefined>((resolve) => {
    timer = clock.after(Math.max(0, at - clock.ticks()), () => resolve(undefined))
  })
  try {
    return await Promise.race([...outcomes, nudge])
  } finally {
    timer?.cancel()
  }
}
