import type { Diagnostic } from './diagnostic.ts'
import type { Spot } from './read/node.ts'

export interface Problem {
  /** Stable, snake_case. */
  readonly code: string
  readonly at: Spot
  /** A plain sentence. */
  readonly message: string
  readonly hint?: string | undefined
  /** `section.name` of the object that the problem breaks. */
  readonly object?: string | undefined
}

/** Collects every problem of one run, and which objects are broken by an error of their own. */
export interface Report {
  error(problem: Problem): void
  warn(problem: Problem): void
  /** Why an object is broken: the sentence of its first error, with its place. */
  brokenBy(object: string): string | undefined
  /** Breaks an object by what was reported without it. */
  markBroken(object: string | undefined, at: Spot, why?: string): void
  diagnostics(): readonly Diagnostic[]
  /** Takes over what another report collected. */
  absorb(other: Report): void
  broken(): ReadonlyMap<string, string>
}

export function openReport(): Report {
  const found: Diagnostic[] = []
  const broken = new Map<string, string>()
  const add = (severity: Diagnostic['severity'], { code, at, message, hint, object }: Problem): Diagnostic => {
    const diagnostic: Diagnostic = { severity, code, file: at.source.file, ...at.source.position(at.offset), message, hint, object }
    found.push(diagnostic)
    return diagnostic
  }
  return {
    error(problem) {
      const { file, line, column, message, object } = add('error', problem)
      if (object !== undefined && !broken.has(object)) broken.set(object, `${file}:${line}:${column} ${message}`)
    },
    warn(problem) {
      add('warning', problem)
    },
    brokenBy: (object) => broken.get(object),
    markBroken(object, at, why = 'it cannot be read') {
      const { line, column } = at.source.position(at.offset)
      if (object !== undefined && !broken.has(object)) broken.set(object, `${at.source.file}:${line}:${column} ${why}`)
    },
    diagnostics: () => found,
    absorb(other) {
      found.push(...other.diagnostics())
      for (const [object, why] of other.broken()) if (!broken.has(object)) broken.set(object, why)
    },
    broken: () => broken,
  }
}

/** Errors first, then by file, line and column. Problems found twice at one place (one per environment) are kept once. */
export function sortDiagnostics(found: readonly Diagnostic[]): readonly Diagnostic[] {
  const once = new Map<string, Diagnostic>()
  for (const each of found) {
    const key = JSON.stringify([each.severity, each.code, each.file, each.line, each.column, each.message])
    if (!once.has(key)) once.set(key, each)
  }
  return Array.from(once.values()).sort(
    (a, b) => rank(a) - rank(b) || compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.message, b.message),
  )
}

function rank(each: Diagnostic): number {
  return each.severity === 'error' ? 0 : 1
}

/** Code unit order: the same on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
