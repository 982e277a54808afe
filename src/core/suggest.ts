/** The candidate that is most likely meant by a misspelled `name`, or undefined when none is close. Case does not count. */
export function suggest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  let best: string | undefined
  // A third of the letters may be wrong, three at most: beyond that a suggestion misleads more than it helps.
  let room = Math.min(3, Math.max(1, Math.floor(wanted.length / 3))) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= room) continue
    const distance = editDistance(wanted, candidate.toLowerCase(), room)
    if (distance >= room) continue
    best = candidate
    room = distance
  }
  return best
}

/** `Did you mean "x"?`, or undefined. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const close = suggest(name, candidates)
  return close === undefined ? undefined : `Did you mean "${close}"?`
}

/** Optimal string alignment distance (insert, delete, replace, swap of neighbours); `limit` when it is at least that. */
function editDistance(a: string, b: string, limit: number): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      row.push(cost)
      if (cost < least) least = cost
    }
    if (least >= limit) return limit
    before = previous
    previous = row
  }
  return Math.min(limit, previous[b.length] ?? limit)
}
