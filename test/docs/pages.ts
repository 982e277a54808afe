import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The repository. */
export const root: string = resolve(import.meta.dirname, '../..')

/** The text of a file of the repository. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Every Markdown page of the user guide, by its path in the repository. */
export function guidePages(): readonly string[] {
  return readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`)
    .toSorted((a, b) => (a < b ? -1 : 1))
}

/** The rows of every table of a page whose first heading cell is `first`: each row's cells by heading, without the blanks around them. */
export function rowsOf(page: string, first: string): readonly Readonly<Record<string, string>>[] {
  const rows: Record<string, string>[] = []
  let heads: readonly string[] | undefined
  for (const line of textOf(page).split('\n')) {
    if (!line.startsWith('|')) heads = undefined
    else if (heads === undefined) heads = cellsOf(line)
    else if (!/^\|[\s|:-]+\|$/.test(line) && heads[0] === first) rows.push(Object.fromEntries(heads.map((head, i) => [head, cellsOf(line)[i] ?? ''])))
  }
  return rows
}

/** What stands in code quotes in a cell, in order. */
export function codesIn(cell: string | undefined): readonly string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] as string)
}

/** The same items in one order, whatever order they came in: what two lists have in common is what counts. */
export function sorted<T>(items: Iterable<T>): readonly T[] {
  const keyed = Array.from(items, (item) => ({ item, key: JSON.stringify(item) ?? '' }))
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))).map(({ item }) => item)
}

export interface CodeBlock {
  /** What follows the three backticks, such as `yaml` or `yaml test`. */
  readonly kind: string
  readonly text: string
  /** Line of its first line in the page. */
  readonly line: number
}

/** The fenced code blocks of a page. */
export function blocksOf(page: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = textOf(page).split('\n')
  for (let i = 0; i < lines.length; i++) {
    const kind = /^```(\S.*)?$/.exec(lines[i] ?? '')
    if (kind === null) continue
    const from = i + 1
    for (i = from; i < lines.length && lines[i] !== '```'; ) i++
    blocks.push({ kind: kind[1] ?? '', text: lines.slice(from, i).join('\n'), line: from + 1 })
  }
  return blocks
}

function cellsOf(line: string): readonly string[] {
  return line
    .replace(/^\||\|\s*$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
}
