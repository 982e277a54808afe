/** A JSON value whose objects have no prototype; everything in it is frozen. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [member: string]: Json }

interface Cursor {
  readonly text: string
  readonly deepest: number
  at: number
}

/**
 * Reads one JSON text (RFC 8259) that every parser reads alike: no duplicate members (however escaped), no byte order mark, no number
 * beyond the doubles, no lone surrogates, at most `deepest` levels of objects and arrays.
 * @throws Error with a sentence about what is wrong.
 */
export function parseStrictJson(text: string, deepest: number): Json {
  const cursor: Cursor = { text, deepest, at: 0 }
  const value = readValue(cursor, 0)
  skipSpace(cursor)
  if (cursor.at !== text.length) throw new Error(`something follows the JSON value at offset ${cursor.at}`)
  return value
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readValue(cursor: Cursor, depth: number): Json {
  skipSpace(cursor)
  switch (cursor.text.charAt(cursor.at)) {
    case '{':
      return readObject(cursor, depth + 1)
    case '[':
      return readArray(cursor, depth + 1)
    case '"':
      return readString(cursor)
    case 't':
      return readWord(cursor, 'true', true)
    case 'f':
      return readWord(cursor, 'false', false)
    case 'n':
      return readWord(cursor, 'null', null)
    default:
      return readNumber(cursor)
  }
}

function readObject(cursor: Cursor, depth: number): JsonObject {
  checkDepth(cursor, depth)
  const members: Record<string, Json> = Object.create(null)
  cursor.at++
  skipSpace(cursor)
  if (take(cursor, '}')) return Object.freeze(members)
  for (;;) {
    skipSpace(cursor)
    if (cursor.text[cursor.at] !== '"') throw new Error(`a member name is missing at offset ${cursor.at}`)
    const name = readString(cursor)
    // Without a prototype `in` sees own members alone, `__proto__` included.
    if (name in members) throw new Error('a member is given twice')
    skipSpace(cursor)
    if (!take(cursor, ':')) throw new Error(`":" is missing at offset ${cursor.at}`)
    members[name] = readValue(cursor, depth)
    skipSpace(cursor)
    if (take(cursor, '}')) return Object.freeze(members)
    if (!take(cursor, ',')) throw new Error(`"," or "}" is missing at offset ${cursor.at}`)
  }
}

function readArray(cursor: Cursor, depth: number): readonly Json[] {
  checkDepth(cursor, depth)
  const items: Json[] = []
  cursor.at++
  skipSpace(cursor)
  if (take(cursor, ']')) return Object.freeze(items)
  for (;;) {
    items.push(readValue(cursor, depth))
    skipSpace(cursor)
    if (take(cursor, ']')) return Object.freeze(items)
    if (!take(cursor, ',')) throw new Error(`"," or "]" is missing at offset ${cursor.at}`)
  }
}

function readString(cursor: Cursor): string {
  const from = cursor.at
  let escaped = false
  for (let i = from + 1; i < cursor.text.length; i++) {
    const code = cursor.text.charCodeAt(i)
    if (code === 0x22) {
      cursor.at = i + 1
      const value = escaped ? unescape(cursor.text.slice(from, i + 1)) : cursor.text.slice(from + 1, i)
      if (!value.isWellFormed()) throw new Error('a string holds half a surrogate pair')
      return value
    }
    if (code < 0x20) throw new Error('a string holds a control character')
    if (code === 0x5c) {
      escaped = true
      i++
    }
  }
  throw new Error('a string is not closed')
}

/** Escapes mean what the language's own parser says they mean. */
function unescape(quoted: string): string {
  // The text starts and ends with its only bare quotes, so it is one string or nothing.
  return JSON.parse(quoted) as string
}

const numberShape = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

function readNumber(cursor: Cursor): number {
  numberShape.lastIndex = cursor.at
  const digits = numberShape.exec(cursor.text)?.[0]
  if (digits === undefined) throw new Error(`no JSON value at offset ${cursor.at}`)
  const value = Number(digits)
  if (!Number.isFinite(value)) throw new Error('a number is too large')
  cursor.at += digits.length
  return value
}

function readWord<T>(cursor: Cursor, word: string, value: T): T {
  if (!cursor.text.startsWith(word, cursor.at)) throw new Error(`no JSON value at offset ${cursor.at}`)
  cursor.at += word.length
  return value
}

function checkDepth(cursor: Cursor, depth: number): void {
  if (depth > cursor.deepest) throw new Error(`more than ${cursor.deepest} levels deep`)
}

function take(cursor: Cursor, char: string): boolean {
  if (cursor.text[cursor.at] !== char) return false
  cursor.at++
  return true
}

function skipSpace(cursor: Cursor): void {
  for (;;) {
    const code = cursor.text.charCodeAt(cursor.at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    cursor.at++
  }
}
