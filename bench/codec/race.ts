/** Milliseconds per call of two programs, round by round. */
export interface Lap {
  readonly ours: number
  readonly theirs: number
}

/** Runs two programs in turn, `A B`, then `B A`, and so on, so that drift of the machine meets both. */
export function race(ours: () => unknown, theirs: () => unknown, rounds: number, milliseconds: number): readonly Lap[] {
  // Warm: as long as a round, which is not counted.
  lap(ours, milliseconds)
  lap(theirs, milliseconds)
  return Array.from({ length: rounds }, (_, round) => {
    if (round % 2 === 0) return { ours: lap(ours, milliseconds), theirs: lap(theirs, milliseconds) }
    const first = lap(theirs, milliseconds)
    return { ours: lap(ours, milliseconds), theirs: first }
  })
}

function lap(run: () => unknown, milliseconds: number): number {
  const begun = performance.now()
  let calls = 0
  let elapsed = 0
  while (elapsed < milliseconds) {
    for (let i = 0; i < 50; i++) if (run() === undefined) throw new Error('no answer')
    calls += 50
    elapsed = performance.now() - begun
  }
  return elapsed / calls
}
