import type { Candidate } from './candidate.ts'

/** Gives the next of the list its turn: an index. */
export type Turns = () => number

/** Where equal ones stood when the list changed last. */
export interface Turn {
  next: number
}

/**
 * Everybody in turn. By weight: whose next turn is due first (earliest deadline first, as Envoy has it), so that turns are spread out and every
 * share is exact; the time of a turn is the logarithm of the number. A list that takes the place of another goes on where that stood: `score` of
 * a candidate is how much of a turn it has yet to wait.
 */
export function buildTurns(candidates: readonly Candidate[], weights: Float64Array | undefined, turn: Turn): Turns & { readonly leave: () => void } {
  const count = candidates.length
  if (weights === undefined) {
    const next = () => {
      const at = turn.next % count
      turn.next = at + 1
      return at
    }
    return Object.assign(next, { leave: () => {} })
  }
  const due = Float64Array.from(candidates, ({ score }, i) => (score > 0 ? score : 1) / (weights[i] as number))
  const heap = Uint32Array.from(candidates, (_, i) => i)
  for (let i = (count >> 1) - 1; i >= 0; i -= 1) sink(heap, due, i)
  let now = 0
  const next = () => {
    const first = heap[0] as number
    now = due[first] as number
    due[first] = now + 1 / (weights[first] as number)
    sink(heap, due, 0)
    return first
  }
  const leave = () => {
    candidates.forEach((candidate, i) => {
      candidate.score = Math.max(1e-9, ((due[i] as number) - now) * (weights[i] as number))
    })
  }
  return Object.assign(next, { leave })
}

/** Restores the order of the heap below `from`. Of two that are due together the one that had no turn just now comes first. */
function sink(heap: Uint32Array, due: Float64Array, from: number): void {
  const count = heap.length
  const moved = heap[from] as number
  const at = due[moved] as number
  let i = from
  for (;;) {
    let child = 2 * i + 1
    if (child >= count) break
    if (child + 1 < count && (due[heap[child + 1] as number] as number) < (due[heap[child] as number] as number)) child += 1
    if ((due[heap[child] as number] as number) > at) break
    heap[i] = heap[child] as number
    i = child
  }
  heap[i] = moved
}
