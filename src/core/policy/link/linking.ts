import { didYouMean } from '../../suggest.ts'
import type { NamedSection } from '../document.ts'
import type { EnvironmentClass } from '../policy.ts'
import { type Node, nodeAt, type Path, type Spot, spotAt } from '../read/node.ts'
import type { Report } from '../report.ts'

/** One object with its shape checked, where it stands, and what had to be left out of it. */
export interface Entry<T> {
  readonly section: string
  readonly name: string
  /** `section.name` */
  readonly id: string
  readonly key: Spot
  readonly node: Node
  readonly value: Partial<T> | undefined
  readonly removed: readonly string[]
  /** Those of them that the node does not hold either. */
  readonly dropped: readonly string[]
}

/** What linking one environment works on. Problems go to the report, uses to `used`, dependencies to `needs`. */
export interface Linking {
  readonly report: Report
  readonly environment: string
  readonly environmentClass: EnvironmentClass
  /** Every name of a section, broken objects included. */
  readonly names: (section: NamedSection) => ReadonlySet<string>
  /** Whether the issuer says how it is asked about tokens, or what it says could not be read. */
  readonly introspects: (issuer: string) => boolean
  /** `section.name` of what something refers to. */
  readonly used: Set<string>
  /** Object → objects that it cannot work without. */
  readonly needs: Map<string, Set<string>>
  /** Some file does not parse: a name that is not there may be in it. */
  readonly incomplete: boolean
  /** Sections whose unused names prove nothing, because a name that should be there was not found, or not read. */
  readonly unsure: Set<string>
}

interface Said {
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
  readonly which?: 'key' | 'value'
}

/** Reports an error at a place in an object, which breaks it. */
export function refuse<T>(linking: Linking, entry: Entry<T>, path: Path, { which = 'value', ...said }: Said): void {
  linking.report.error({ ...said, at: placeIn(entry, path, which), object: entry.id })
}

export function warn<T>(linking: Linking, entry: Entry<T>, path: Path, { which = 'value', ...said }: Said): void {
  linking.report.warn({ ...said, at: placeIn(entry, path, which), object: entry.id })
}

export function placeIn<T>(entry: Entry<T>, path: Path, which: 'key' | 'value' = 'value'): Spot {
  return path.length === 0 ? entry.key : spotAt(entry.node, entry.key, path, which)
}

/** `file:line:col` of a place, for a message that names a second one. */
export function nameOfPlace({ source, offset }: Spot): string {
  const { line, column } = source.position(offset)
  return `${source.file}:${line}:${column}`
}

/** Whether everything the file says under `path` could be read. */
export function isWhole<T>(entry: Entry<T>, path: string): boolean {
  return !entry.removed.some((gone) => gone === path || gone.startsWith(`${path}.`) || path.startsWith(`${gone}.`))
}

/** Whether the file says something at `path`. */
export function isSaid<T>(entry: Entry<T>, path: Path): boolean {
  return nodeAt(entry.node, path) !== undefined
}

/** Long lists of candidates are searched for the first unknown names only: suggestions must not make loading quadratic. */
const searches = new WeakMap<Report, { left: number }>()

export function suggestion(linking: Linking, name: string, candidates: ReadonlySet<string>): string | undefined {
  const budget = searches.get(linking.report) ?? { left: 500_000 }
  searches.set(linking.report, budget)
  if (budget.left <= 0) return undefined
  budget.left -= candidates.size
  return didYouMean(name, candidates)
}

/** Follows a name into a section. An unknown one is an error; a known one is used, and needed. */
export function refer<T>(linking: Linking, entry: Entry<T>, path: Path, section: NamedSection, name: string): boolean {
  const names = linking.names(section)
  if (names.has(name)) {
    linking.used.add(`${section}.${name}`)
    need(linking, entry.id, `${section}.${name}`)
    return true
  }
  linking.unsure.add(section)
  const close = suggestion(linking, name, names)
  if (linking.incomplete && close === undefined) {
    linking.report.markBroken(entry.id, placeIn(entry, path), `"${name}" is not in "${section}", and some file does not parse`)
    return false
  }
  const few = names.size > 0 && names.size <= 12 ? `Known: ${Array.from(names).join(', ')}.` : `Write it under "${section}:".`
  refuse(linking, entry, path, { code: 'name_unknown', message: `"${name}" is not in "${section}".`, hint: close ?? few })
  return false
}

export function need(linking: Linking, object: string, other: string): void {
  const needs = linking.needs.get(object) ?? new Set<string>()
  linking.needs.set(object, needs.add(other))
}
