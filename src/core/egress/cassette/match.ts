import { hidden, isRaw } from '../../json-path.ts'
import type { CassetteUse } from '../../model/egress-target.ts'
import type { RecordedBody, RecordedRequest } from './interaction.ts'

/**
 * What makes a request another one than the recorded: names and places, never values. Empty when they are the same. Where something was hidden in the
 * recorded one, anything fits: whoever asks again need not know it.
 */
export function differences(asked: RecordedRequest, recorded: RecordedRequest, use: CassetteUse): readonly string[] {
  return [
    ...(asked.method === recorded.method ? [] : ['method']),
    ...(fits(asked.path, recorded.path) ? [] : ['path']),
    ...pairDifferences('query', asked.query, recorded.query),
    ...pairDifferences(
      'header',
      asked.headers,
      recorded.headers.filter(([name]) => use.headers.includes(name)),
    ),
    ...(use.body ? bodyDifferences(asked.body, recorded.body) : []),
  ]
}

type Pairs = readonly (readonly [string, string])[]

/** The order of different names says nothing; that of one name does. */
function pairDifferences(where: string, asked: Pairs, recorded: Pairs): readonly string[] {
  const [a, b] = [grouped(asked), grouped(recorded)]
  const names = [...new Set([...a.keys(), ...b.keys()])].toSorted()
  return names.filter((name) => !allFit(a.get(name) ?? [], b.get(name) ?? [])).map((name) => `${where} ${name}`)
}

function grouped(pairs: Pairs): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const [name, value] of pairs) groups.set(name, [...(groups.get(name) ?? []), value])
  return groups
}

function allFit(asked: readonly string[], recorded: readonly string[]): boolean {
  return asked.length === recorded.length && asked.every((value, i) => fits(value, recorded[i] ?? ''))
}

function bodyDifferences(asked: RecordedBody, recorded: RecordedBody): readonly string[] {
  if (asked === undefined || recorded === undefined) return asked === recorded ? [] : ['body']
  if ('json' in asked && 'json' in recorded) return jsonDifferences(asked.json, recorded.json, 'body')
  if ('form' in asked && 'form' in recorded) return pairDifferences('body', asked.form, recorded.form)
  if ('text' in asked && 'text' in recorded) return fits(asked.text, recorded.text) ? [] : ['body']
  return 'base64' in asked && 'base64' in recorded && asked.base64 === recorded.base64 ? [] : ['body']
}

function jsonDifferences(asked: unknown, recorded: unknown, at: string): readonly string[] {
  if (recorded === hidden) return asked === undefined ? [at] : []
  if (typeof asked === 'string' && typeof recorded === 'string') return fits(asked, recorded) ? [] : [at]
  if (!isMapping(asked) || !isMapping(recorded) || Array.isArray(asked) !== Array.isArray(recorded)) {
    return JSON.stringify(asked) === JSON.stringify(recorded) ? [] : [at]
  }
  const [a, b] = [new Map(Object.entries(asked)), new Map(Object.entries(recorded))]
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((key) => {
    if (a.has(key) !== b.has(key)) return [`${at}.${key}`]
    return jsonDifferences(a.get(key), b.get(key), `${at}.${key}`)
  })
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isRaw(value)
}

/** Whether a text is the recorded one, in which anything may stand where something was hidden. */
function fits(asked: string, recorded: string): boolean {
  if (asked === recorded) return true
  const parts = recorded.split(hidden)
  const [first, last] = [parts[0] ?? '', parts.at(-1) ?? '']
  if (parts.length === 1 || !asked.startsWith(first) || asked.length < first.length + last.length || !asked.endsWith(last)) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = asked.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= asked.length - last.length
}
