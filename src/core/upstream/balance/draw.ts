import type { Random } from '../../ports.ts'

/** An index at random, each as likely as its weight. */
export type Draw = () => number

/** Constant time per draw: plain for equal weights (undefined), else Walker's alias method (Vose's construction). */
export function buildDraw(count: number, weights: Float64Array | undefined, random: Random): Draw {
  if (weights === undefined) return () => Math.floor(random.unit() * count)
  const sum = weights.reduce((all, weight) => all + weight, 0)
  const keep = Float64Array.from(weights, (weight) => (weight * count) / sum)
  const alias = Uint32Array.from(weights, (_, i) => i)
  const small: number[] = []
  const large: number[] = []
  keep.forEach((share, i) => (share < 1 ? small : large).push(i))
  while (small.length > 0 && large.length > 0) {
    const less = small.pop() as number
    const more = large[large.length - 1] as number
    alias[less] = more
    const left = (keep[more] as number) - 1 + (keep[less] as number)
    keep[more] = left
    if (left < 1) small.push(large.pop() as number)
  }
  // What is left over is so by rounding alone.
  for (const i of [...small, ...large]) keep[i] = 1
  return () => {
    const at = random.unit() * count
    const i = Math.floor(at)
    return at - i < (keep[i] as number) ? i : (alias[i] as number)
  }
}
