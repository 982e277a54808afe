import { Fault } from '../model/fault.ts'

/** An integer (or a number beyond double) that a JavaScript number cannot hold: its text as it stood. */
export interface LongNumber {
  readonly [longNumber]: string
}
const longNumber: unique symbol = Symbol('number as written')

export type Json = null | boolean | number | string | LongNumber | Json[] | JsonMembers
export interface JsonMembers {
  [name: string]: Json
}

/** Arrays and objects inside each other, at most. */
const depthLimit = 100
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const surrogateEscape = /\\u[dD][89a-fA-F]/
const maybeLong = /[0-9]{16}|[0-9][eE]/

/**
 * Parses one JSON text (RFC 8259), strictly, so that no two readers can understand it differently: UTF-8 without a byte order mark,
 * no duplicate members, no lone surrogates, at most 100 levels, numbers kept exactly. @throws Fault `body_invalid`
 */
export function parseJson(bytes: Uint8Array): Json {
  const text = decode(bytes)
  const members = countMembers(text)
  const json = parse(text)
  const tally = { members: 0, surrogates: surrogateEscape.test(text) }
  walk(json, tally)
  if (tally.members !== members) throw invalid(`the member "${duplicateIn(text)}" is given twice in one object`)
  return json
}

/** The text of a number that is kept as it was written; undefined for anything else. */
export function longNumberText(json: Json | undefined): string | undefined {
  return typeof json === 'object' && json !== null && longNumber in json ? json[longNumber] : undefined
}

/** Whether `json` is an object: not a list, not a long number, not null. */
export function isMembers(json: Json | undefined): json is JsonMembers {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(longNumber in json)
}

function invalid(message: string): Fault {
  return new Fault('body_invalid', `the body is not acceptable JSON: ${message}`)
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw invalid('it is not UTF-8')
  }
}

function parse(text: string): Json {
  try {
    if (text.startsWith('\uFEFF')) throw invalid('it starts with a byte order mark')
    // The third argument of a reviver (ECMAScript 2026) is not in the type library.
    return (maybeLong.test(text) ? JSON.parse(text, keepLong as (key: string, value: unknown) => unknown) : JSON.parse(text)) as Json
  } catch (error) {
    if (error instanceof Fault) throw error
    throw invalid(error instanceof Error ? error.message : 'it cannot be parsed')
  }
}

function keepLong(_key: string, value: unknown, context: { readonly source: string }): unknown {
  const lossy = typeof value === 'number' && !Number.isSafeInteger(value) && (Number.isInteger(value) || !Number.isFinite(value))
  return lossy ? { [longNumber]: context.source } : value
}

/** Counts members by their colons and refuses what is nested too deep, before anything is built. */
function countMembers(text: string): number {
  let members = 0
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22:
        i = endOfString(text, i)
        break
      case 0x3a:
        members++
        break
      case 0x5b:
      case 0x7b:
        if (++depth > depthLimit) throw invalid(`it is nested deeper than ${depthLimit} levels`)
        break
      case 0x5d:
      case 0x7d:
        depth--
        break
    }
  }
  return members
}

/** Index of the quote that closes the string opened at `open`, or the end of the text. */
function endOfString(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return at
  }
  return text.length
}

function walk(json: Json, tally: { members: number; readonly surrogates: boolean }): void {
  if (typeof json === 'string') {
    if (tally.surrogates && !json.isWellFormed()) throw invalid('a string holds half of a surrogate pair')
  } else if (Array.isArray(json)) {
    for (const item of json) walk(item, tally)
  } else if (isMembers(json)) {
    for (const name of Object.keys(json)) {
      tally.members++
      if (tally.surrogates && !name.isWellFormed()) throw invalid('a member name holds half of a surrogate pair')
      walk(json[name] as Json, tally)
    }
  }
}

/** The first member name that an object of this well-formed text repeats; escapes resolved. */
function duplicateIn(text: string): string {
  const open: Set<string>[] = []
  for (let i = 0; i < text.length; i++) {
    const at = text[i]
    if (at === '{' || at === '[') open.push(new Set())
    else if (at === '}' || at === ']') open.pop()
    else if (at === '"') {
      const end = endOfString(text, i)
      const after = text.slice(end + 1, end + 1 + 64).trimStart()
      const name = JSON.parse(text.slice(i, end + 1)) as string
      if (after.startsWith(':')) {
        const seen = open.at(-1)
        if (seen?.has(name) === true) return name
        seen?.add(name)
      }
      i = end
    }
  }
  return ''
}
