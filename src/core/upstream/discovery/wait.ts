import type { Lifeline } from '../../model/lifeline.ts'
import type { Random } from '../../ports.ts'

/** How long somebody waits: for a request until its deadline (monotonic milliseconds), or its end. */
export interface Wait {
  readonly lifeline: Lifeline
  readonly deadline: number
}

/** After the first failure, and the longest, milliseconds. */
const backOff = { first: 1_000, most: 30_000 } as const

/** How long a source is left alone after so many failures in a row: doubling, and between half of it and all of it at random. */
export function backOffMs(failures: number, random: Pick<Random, 'unit'>): number {
  const full = Math.min(backOff.most, backOff.first * 2 ** Math.min(10, failures - 1))
  return full * (0.5 + random.unit() / 2)
}
