/*
 * Placeholders of a canned answer:
 *
 *   Placeholder = "{{" Source "." Name "}}"
 *   Source      = "path" | "query" | "header" | "body"
 *
 * Values are put in once and never read again: a value that looks like a placeholder stays text. In a JSON answer a
 * value can never end the string it stands in.
 */

/** What placeholders stand for. A body member may be any JSON value; undefined where the request has none. */
export interface Fillings {
  readonly path: (name: string) => string | undefined
  readonly query: (name: string) => string | undefined
  readonly header: (name: string) => string | undefined
  readonly body: (path: string) => unknown
}

export interface Filler {
  readonly json: boolean
  /** Some placeholder needs the request's body. */
  readonly needsBody: boolean
  readonly render: (from: Fillings) => string
}

/** `text`: as it is, or escaped inside a JSON string. `value`: a JSON value of its own. */
type Part = string | { readonly source: keyof Fillings; readonly name: string; readonly as: 'text' | 'escaped' | 'value' }

const placeholder = /\{\{\s*(path|query|header|body)\.([^{}\s]+)\s*\}\}/g

/**
 * Compiles an answer. It is JSON when its content type says so or, without one, when it is an object or a list. There a
 * string that is one placeholder and nothing else becomes the value itself, so that a number stays a number.
 */
export function compileAnswer(answer: string, contentType: string | undefined): Filler {
  const json = contentType === undefined ? /^\s*[{[]/.test(answer) : /\bjson\b/i.test(contentType)
  const parts = json ? jsonParts(answer) : textParts(answer)
  const needsBody = parts.some((part) => typeof part !== 'string' && part.source === 'body')
  return { json, needsBody, render: (from) => parts.map((part) => (typeof part === 'string' ? part : written(part, from))).join('') }
}

function textParts(answer: string): readonly Part[] {
  return split(answer, () => 'text')
}

function jsonParts(answer: string): readonly Part[] {
  let inString = false
  let seen = 0
  const parts = split(answer, (at, end) => {
    inString = endsInString(answer.slice(seen, at), inString)
    seen = end
    if (!inString) return 'value'
    return answer[at - 1] === '"' && answer[end] === '"' && !isEscaped(answer, at - 1) ? 'whole' : 'escaped'
  })
  return parts
}

/** Whether JSON text leaves off inside a string, when it began inside one or not. */
function endsInString(text: string, from: boolean): boolean {
  let inside = from
  for (let i = 0; i < text.length; i++) {
    if (inside && text[i] === '\\') i++
    else if (text[i] === '"') inside = !inside
  }
  return inside
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

/** `whole`: the quotes around the placeholder go, the value brings its own. */
function split(answer: string, how: (at: number, end: number) => 'text' | 'escaped' | 'value' | 'whole'): readonly Part[] {
  const parts: Part[] = []
  let copied = 0
  for (const match of answer.matchAll(placeholder)) {
    const end = match.index + match[0].length
    const as = how(match.index, end)
    const quote = as === 'whole' ? 1 : 0
    parts.push(answer.slice(copied, match.index - quote))
    // The pattern has both groups, and the first is a source.
    parts.push({ source: match[1] as keyof Fillings, name: match[2] as string, as: as === 'whole' ? 'value' : as })
    copied = end + quote
  }
  parts.push(answer.slice(copied))
  return parts
}

function written(part: Exclude<Part, string>, from: Fillings): string {
  const value = from[part.source](part.name)
  if (part.as === 'value') return JSON.stringify(value ?? null)
  const text = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
  return part.as === 'text' ? text : JSON.stringify(text).slice(1, -1)
}
