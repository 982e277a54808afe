import type { JournalRecord, JournalValue } from '../core/ports.ts'

/**
 * A record as one line of JSON, without the newline. By concatenation: members of our own records have plain names, and most
 * values need no escape, so this costs a fraction of a general serializer. Members that are undefined are left out.
 */
export function lineOf(record: JournalRecord): string {
  let text = '{'
  for (const name in record) {
    const value = record[name]
    if (value === undefined) continue
    text += text.length === 1 ? `"${name}":` : `,"${name}":`
    text += valueText(value)
  }
  return `${text}}`
}

// Printable ASCII without quote and backslash: anything else goes through the full escape.
const plain = /^[ !#-[\]-~]*$/

function valueText(value: JournalValue): string {
  if (typeof value === 'string') return plain.test(value) ? `"${value}"` : escaped(value)
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null'
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (value === undefined) return 'null'
  return isList(value) ? `[${value.map(valueText).join(',')}]` : lineOf(value)
}

/** JSON.stringify leaves U+007F to U+009F and the line separators as they are; a terminal or a line reader would act on them. */
function escaped(value: string): string {
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

// Array.isArray does not narrow readonly arrays.
function isList(value: JournalValue): value is readonly JournalValue[] {
  return Array.isArray(value)
}
