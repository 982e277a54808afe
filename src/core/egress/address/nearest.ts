/** The name that differs from `asked` in the fewest edits, when they are few enough to be a slip. */
export function nearest(asked: string, names: readonly string[]): string | undefined {
  let best: { readonly name: string; readonly edits: number } | undefined
  for (const name of names) {
    // The distance is at least the difference in length: a long name costs nothing.
    if (Math.abs(name.length - asked.length) > 3) continue
    const edits = distance(asked, name)
    if (edits <= 3 && edits < asked.length / 2 && (best === undefined || edits < best.edits)) best = { name, edits }
  }
  return best?.name
}

/** Levenshtein's, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
