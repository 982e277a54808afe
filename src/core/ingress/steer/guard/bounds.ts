/**
 * Bounds of a share that was seen `hits` times in `of` draws. By Chernoff's inequality (in the form of Kullback and Leibler) the true share is
 * below the lower bound, or above the upper one, with a probability of at most `e^-doubt` each, for every number of draws: nothing here is
 * approximate, however rare the hits are.
 */
export function lowerShare(hits: number, of: number, doubt: number): number {
  return hits === 0 ? 0 : furthest(hits / of, 0, doubt / of)
}

/** See `lowerShare`. */
export function upperShare(hits: number, of: number, doubt: number): number {
  return of === 0 || hits === of ? 1 : furthest(hits / of, 1, doubt / of)
}

/** Whether `lowerShare` is at least `share`, which is above 0 and below 1: one look instead of a search. */
export function isSurelyFrom(share: number, hits: number, of: number, doubt: number): boolean {
  return hits > share * of && divergence(hits / of, share) >= doubt / of
}

/** Whether `upperShare` is at least `share`, which is above 0 and below 1. */
export function mayBeFrom(share: number, hits: number, of: number, doubt: number): boolean {
  return hits >= share * of || divergence(hits / of, share) <= doubt / of
}

/** The share furthest from `seen`, towards `end`, that is no further from it than `most`. Rounded away from `seen`. */
function furthest(seen: number, end: number, most: number): number {
  let near = seen
  let far = end
  for (let i = 0; i < 40; i++) {
    const middle = (near + far) / 2
    if (divergence(seen, middle) > most) far = middle
    else near = middle
  }
  return far
}

/** Relative entropy of two coins, in nats. `q` is strictly between 0 and 1. */
function divergence(p: number, q: number): number {
  const hits = p === 0 ? 0 : p * Math.log(p / q)
  const misses = p === 1 ? 0 : (1 - p) * Math.log((1 - p) / (1 - q))
  return hits + misses
}
