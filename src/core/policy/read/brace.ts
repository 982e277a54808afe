/*
 * The mistake everybody makes once: an unquoted path variable inside a YAML flow mapping, as in
 *
 *   match: { path: /svc/{id}, methods: [GET] }
 *
 * YAML reads "{id}" as a mapping of its own and fails several times in places that do not say why.
 */

export interface BraceMistake {
  /** Offset of the path. */
  readonly at: number
  readonly path: string
}

// A plain scalar that starts a path, after what may stand before a value in flow style, with a brace pair inside.
const unquoted = /(?<=[:,[{][ \t\n\r]+|[[{,])\/[^\s,'"[\]{}]*(?:\{[^{}\s'"]*\}[^\s,'"[\]{}]*)+/g

/** Every such mistake that one of the parser's errors lies in. */
export function findBraceMistakes(text: string, errorsAt: readonly number[]): readonly BraceMistake[] {
  const found: BraceMistake[] = []
  const sorted = errorsAt.toSorted((a, b) => a - b)
  let next = 0
  for (const match of text.matchAll(unquoted)) {
    const end = match.index + match[0].length
    while (next < sorted.length && (sorted[next] ?? 0) < match.index) next++
    if (next < sorted.length && (sorted[next] ?? end) < end) found.push({ at: match.index, path: match[0] })
  }
  return found
}

/** The text with `{name}` of those mistakes written as `:name_`, which is as long: every other place stays where it is. */
export function repairBraces(text: string, mistakes: readonly BraceMistake[]): string {
  const parts: string[] = []
  let from = 0
  for (const { at, path } of mistakes) {
    const repaired = path.replace(/\{([^{}]*)\}/g, (_, inside: string) => `:${inside.replace(/[^A-Za-z0-9_]/g, '_').replace(/^\d/, '_')}_`)
    parts.push(text.slice(from, at), repaired)
    from = at + path.length
  }
  parts.push(text.slice(from))
  return parts.join('')
}
