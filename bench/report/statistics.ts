/** Of a list: the middle, and how far it spreads. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Median (the mean of the middle two when there is no middle), least and greatest. @throws RangeError for an empty list. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.ceil(sorted.length / 2) - 1]
  const min = sorted[0]
  const max = sorted.at(-1)
  if (upper === undefined || lower === undefined || min === undefined || max === undefined) throw new RangeError('no values')
  return { median: (lower + upper) / 2, min, max }
}

/**
 * The 95 % confidence interval of the median, whatever the distribution: values of the sorted list whose ranks a fair coin leaves no more often. With
 * fewer than six values it is all of them. @throws RangeError for an empty list
 */
export function medianInterval(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = values.toSorted((a, b) => a - b)
  const outside = Math.max(0, Math.floor((sorted.length - 1 - 1.96 * Math.sqrt(sorted.length)) / 2))
  const [low, high] = [sorted[outside], sorted.at(-1 - outside)]
  if (low === undefined || high === undefined) throw new RangeError('no values')
  return [low, high]
}

/** The value that a share of the list does not exceed (nearest rank). @throws RangeError for an empty list. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  const found = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
  if (found === undefined) throw new RangeError('no values')
  return found
}

/** Value by value of the same round, so that what a round suffered from falls out. Rounds that one of them lacks are left out. */
export function ratiosWithin(values: readonly number[], reference: readonly number[]): readonly number[] {
  return values.flatMap((value, round) => {
    const other = reference[round]
    return other === undefined || other === 0 ? [] : [value / other]
  })
}

/** Indices in the order of a round: forwards, then backwards, and so on, so that no peer is always measured after the same one. */
export function orderOf(round: number, count: number): readonly number[] {
  const forwards = Array.from({ length: count }, (_, index) => index)
  return round % 2 === 0 ? forwards : forwards.toReversed()
}
