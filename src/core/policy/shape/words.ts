import type { Node } from '../read/node.ts'

/** What stands in a file, short enough for a message. */
export function quote(at: Node | string | undefined): string {
  if (typeof at === 'string') return `"${clip(at)}"`
  if (at === undefined) return 'Nothing'
  if (at.kind === 'map') return 'This'
  if (at.kind === 'list') return 'This list'
  return at.value === null ? 'Nothing' : `"${clip(typeof at.value === 'string' ? at.value : at.text)}"`
}

function clip(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  return line.length > 80 ? `${line.slice(0, 77)}…` : line
}

/** `a list`, `a number` and so on, of what stands in a file. */
export function kindOf(at: Node): string {
  if (at.kind !== 'scalar') return at.kind === 'map' ? 'a mapping' : 'a list'
  if (at.value === null) return 'nothing'
  return typeof at.value === 'string' ? 'text' : typeof at.value === 'number' ? 'a number' : 'true or false'
}

const words: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

/** The schema library's word for a type in ours. */
export function typeWord(expected: string): string {
  return words[expected] ?? expected
}

export function an(noun: string): string {
  return noun === 'text of one line' || noun === 'valid here' ? noun : `${/^[aeiou]/i.test(noun) || /^(?:HTTP|RE2)/.test(noun) ? 'an' : 'a'} ${noun}`
}
