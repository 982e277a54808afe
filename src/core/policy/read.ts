import { type Document, isAlias, isMap, isScalar, LineCounter, type ParsedNode, parseDocument, Scalar as YamlScalar } from 'yaml'
import { findBraceMistakes, repairBraces } from './read/brace.ts'
import type { Member, Node, Scalar, Source, Spot } from './read/node.ts'
import { syntaxProblem } from './read/syntax.ts'
import { fillVariables } from './read/variables.ts'
import type { Problem, Report } from './report.ts'

/** Bytes of one file. */
export const sizeLimit = 5 * 1024 * 1024
/** Mappings and lists inside each other. */
export const depthLimit = 48

export interface ReadOptions {
  readonly file: string
  readonly kind: Source['kind']
  readonly text: string
  readonly variable: (name: string) => string | undefined
  /** An unset variable is no problem; what it stands in is left out. For files of another environment. */
  readonly lenient?: boolean
  /** Mappings two levels down are `section.name` objects that an error inside breaks. Off for files that are not policies. */
  readonly objects?: boolean
}

export interface ReadFile {
  readonly source: Source
  /** Undefined when nothing can be read. */
  readonly root: Node | undefined
  /** Objects may be missing or cut: the text does not parse. */
  readonly cut: { readonly why: string; readonly at: Spot } | undefined
  /** What the file says and `root` does not hold. */
  readonly dropped: readonly Dropped[]
}

/** Something that had to be left out while reading. */
export interface Dropped {
  /** Keys and indexes from the root on. */
  readonly path: readonly string[]
  readonly key: Spot
  /** Undefined when nothing of it can be known. */
  readonly value: Node | undefined
}

/**
 * Reads one YAML 1.2 (core schema) or JSON file: unique keys, no aliases, anchors or tags, one document, bounded in size and
 * depth. Every problem goes to `report`; never throws.
 */
export function readText(options: ReadOptions, report: Report): ReadFile {
  const lines = new LineCounter()
  const source = sourceOf(options, lines)
  const start: Spot = { source, offset: 0 }
  if (isTooLong(options.text)) {
    report.error({ code: 'file_too_large', at: start, message: `The file is larger than ${sizeLimit / 1024 ** 2} MiB.`, hint: 'Split it.' })
    return { source, root: undefined, cut: { why: 'it is too large', at: start }, dropped: [] }
  }
  const { text, mistakes, document } = parseRepaired(options.text, lines)
  const first = document.errors.toSorted((a, b) => a.pos[0] - b.pos[0])[0]
  // One slip of YAML makes many errors; the first says where it is.
  if (first !== undefined) report.error({ ...syntaxProblem(first.code, first.message, text, first.pos[0]), at: { source, offset: first.pos[0] } })
  else if (options.file.endsWith('.json')) checkJson(options.text, start, report)
  const repaired = new Map(mistakes.map(({ at, path }) => [at, path]))
  const reading = new Reading(options, source, report, repaired)
  const root = document.contents === null ? undefined : reading.node(document.contents, [])
  // What the reading did not come across stands in a part that was dropped.
  for (const [offset, path] of repaired) report.error({ ...braceProblem(path), at: { source, offset } })
  const cut = first === undefined ? undefined : { why: 'its file does not parse', at: { source, offset: first.pos[0] } }
  return { source, root, cut, dropped: reading.dropped }
}

function sourceOf({ file, kind }: ReadOptions, lines: LineCounter): Source {
  return {
    file,
    kind,
    position: (offset) => {
      const { line, col } = lines.linePos(offset)
      return { line: Math.max(line, 1), column: Math.max(col, 1) }
    },
  }
}

function isTooLong(text: string): boolean {
  return text.length > sizeLimit || (text.length * 3 > sizeLimit && new TextEncoder().encode(text).length > sizeLimit)
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed {
  // Unique keys are checked here, in linear time; the library compares every pair. A silent log level would drop a second document in silence.
  return parseDocument(text, {
    version: '1.2',
    schema: 'core',
    uniqueKeys: false,
    prettyErrors: false,
    stringKeys: true,
    strict: true,
    lineCounter,
    logLevel: 'error',
  })
}

function parseRepaired(text: string, lines: LineCounter) {
  const document = parse(text, lines)
  if (document.errors.length === 0) return { text, mistakes: [], document }
  const errorsAt = document.errors.map((error) => error.pos[0])
  const mistakes = findBraceMistakes(text, errorsAt)
  if (mistakes.length === 0) return { text, mistakes, document }
  const repaired = repairBraces(text, mistakes)
  return { text: repaired, mistakes, document: parse(repaired, new LineCounter()) }
}

function braceProblem(path: string): Omit<Problem, 'at'> {
  const colon = /\{[^}]*[^A-Za-z0-9_}][^}]*\}/.test(path) ? '' : `, or write ${path.replace(/\{([^}]*)\}/g, ':$1')}`
  return {
    code: 'path_unquoted',
    message: `${path} stands without quotes inside { } or [ ], where YAML reads its braces as a mapping.`,
    hint: `Quote it: "${path}"${colon}.`,
  }
}

function checkJson(text: string, at: Spot, report: Report): void {
  try {
    JSON.parse(text)
  } catch {
    report.error({ code: 'json_invalid', at, message: 'The file is named .json but is not JSON.', hint: 'Correct it, or name it .yaml.' })
  }
}

/** Turns the library's tree into nodes with places. */
class Reading {
  readonly dropped: Dropped[] = []
  readonly #options: ReadOptions
  readonly #source: Source
  readonly #report: Report
  /** Paths that were repaired for reading on, by offset; each is taken out when it is reported. */
  readonly #repaired: Map<number, string>

  constructor(options: ReadOptions, source: Source, report: Report, repaired: Map<number, string>) {
    this.#options = options
    this.#source = source
    this.#report = report
    this.#repaired = repaired
  }

  /** Undefined where nothing usable stands. */
  node(parsed: ParsedNode, path: readonly string[]): Node | undefined {
    const at: Spot = { source: this.#source, offset: parsed.range[0] }
    if (isAlias(parsed)) {
      this.#error('yaml_alias', at, path, 'Aliases (*name) are not read.', 'Write the value out; if it begins with "*", put it in quotes.')
      return undefined
    }
    if (parsed.anchor !== undefined)
      this.#error('yaml_anchor', at, path, 'Anchors (&name) are not read.', 'Write the value out; if it begins with "&", put it in quotes.')
    if (parsed.tag !== undefined)
      this.#error('yaml_tag', at, path, 'Tags (!name) are not read.', 'Remove the tag; if the value begins with "!", put it in quotes.')
    if (isScalar(parsed)) return this.#scalar(parsed, at, path)
    if (path.length >= depthLimit) {
      this.#error('too_deep', at, path, `More than ${depthLimit} mappings and lists stand inside each other.`, 'No policy needs that.')
      return undefined
    }
    if (isMap(parsed)) return this.#map(parsed.items, at, path)
    const items = parsed.items.map((item, i) => this.node(item, [...path, String(i)]))
    for (const [i, item] of items.entries()) if (item === undefined) this.dropped.push({ path: [...path, String(i)], key: at, value: undefined })
    return { kind: 'list', at, items: items.filter((item) => item !== undefined) }
  }

  #map(pairs: readonly { readonly key: unknown; readonly value: unknown }[], at: Spot, path: readonly string[]): Node {
    const members = new Map<string, Member>()
    for (const pair of pairs) {
      // The cast is safe: a parsed document's pairs hold parsed nodes; an absent value is null.
      const [key, value] = [pair.key, pair.value] as [ParsedNode | null, ParsedNode | null]
      if (!isScalar(key)) continue
      this.#member(members, key, value, path)
    }
    return { kind: 'map', at, members }
  }

  #member(members: Map<string, Member>, key: YamlScalar.Parsed, value: ParsedNode | null, path: readonly string[]): void {
    const spot: Spot = { source: this.#source, offset: key.range[0] }
    const name = String(key.value)
    const inner = [...path, name]
    if (name === '__proto__' || name === 'constructor' || name === 'prototype') {
      this.#error('key_refused', spot, path, `"${name}" cannot be a key.`, 'Choose another name.')
      this.dropped.push({ path: inner, key: spot, value: undefined })
      return
    }
    const read = value === null ? absent(spot) : this.node(value, inner)
    if (read === undefined) {
      this.dropped.push({ path: inner, key: spot, value: undefined })
      return
    }
    const before = members.get(name)
    if (before === undefined) {
      members.set(name, { key: spot, value: read })
      return
    }
    const first = this.#source.position(before.key.offset)
    this.#error('key_repeated', spot, inner, `"${name}" stands here twice: first in line ${first.line}.`, 'Keep one of the two.')
    // A repeated section keeps the objects of both, so that no rule is lost in silence.
    if (path.length > 0 || before.value.kind !== 'map' || read.kind !== 'map') {
      this.dropped.push({ path: inner, key: spot, value: read })
      return
    }
    members.set(name, { key: before.key, value: { ...before.value, members: new Map([...read.members, ...before.value.members]) } })
    for (const [twice, member] of read.members) {
      const kept = before.value.members.get(twice)
      if (kept === undefined) continue
      this.dropped.push({ path: [name, twice], ...member })
      // Which of the two was meant is not known, and what one denies the other may not.
      const { line } = this.#source.position(kept.key.offset)
      this.#error('name_repeated', member.key, [name, twice], `"${twice}" is given twice in "${name}": first in line ${line}.`, 'Keep one of the two.')
    }
  }

  #scalar(scalar: YamlScalar.Parsed, at: Spot, path: readonly string[]): Node | undefined {
    const text = scalar.source ?? String(scalar.value)
    const mistake = this.#repaired.get(at.offset)
    if (mistake !== undefined) this.#report.error({ ...braceProblem(mistake), at, object: this.#objectOf(path) })
    this.#repaired.delete(at.offset)
    if (typeof scalar.value === 'number' && Number.isInteger(scalar.value) && !Number.isSafeInteger(scalar.value))
      this.#error('number_inexact', at, path, `${text} is too large to be exact as a number.`, `Put it in quotes: "${text}".`)
    if (typeof scalar.value !== 'string') return { kind: 'scalar', at, value: scalarValue(scalar.value), text }
    if (!scalar.value.includes('${')) return { kind: 'scalar', at, value: scalar.value, text }
    const filled = fillVariables(scalar.value, this.#options.variable)
    if ('problem' in filled) {
      if (this.#options.lenient === true && filled.missing) return undefined
      this.#error('variable_missing', at, path, filled.problem, filled.hint)
      return undefined
    }
    return { kind: 'scalar', at, value: scalar.type === YamlScalar.PLAIN ? resolve(filled.text) : filled.text, text }
  }

  #error(code: string, at: Spot, path: readonly string[], message: string, hint: string): void {
    this.#report.error({ code, at, message, hint, object: this.#objectOf(path) })
  }

  #objectOf(path: readonly string[]): string | undefined {
    return this.#options.objects === true && path.length >= 2 ? `${path[0]}.${path[1]}` : undefined
  }
}

function absent(at: Spot): Node {
  return { kind: 'scalar', at, value: null, text: '' }
}

function scalarValue(value: unknown): Scalar {
  return typeof value === 'number' || typeof value === 'boolean' ? value : null
}

/** A plain scalar that held a variable, read again as the core schema would: integers and booleans. */
function resolve(text: string): Scalar {
  if (/^[-+]?\d{1,15}$/.test(text)) return Number(text)
  return text === 'true' || text === 'false' ? text === 'true' : text
}
