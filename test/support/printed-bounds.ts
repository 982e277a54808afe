/** What one key got, and what was done to the store while it asked. */
export interface Asked {
  readonly instances: number
  readonly lost: boolean
  readonly forgets: boolean
}

/**
 * How many requests of cost 1 a sentence of `sallyport check` lets one key have within one window or period.
 * @throws Error for a sentence of another form
 */
export function mostBy(sentence: string, { instances, lost, forgets }: Asked): number {
  const parts =
    /^at most (\d+) in .*, over all instances; while the store is lost up to max\((\d+), N × cost\) more; what the store forgets may be had again$/.exec(
      sentence,
    )
  if (parts === null) throw new Error(`not a bound that is known: ${sentence}`)
  const [, most, without] = parts.map(Number) as [number, number, number]
  return most * (forgets ? 2 : 1) + (lost ? Math.max(without, instances) : 0)
}
