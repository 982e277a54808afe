import type { DescField } from '@bufbuild/protobuf'
import type { ReflectMessage } from '@bufbuild/protobuf/reflect'
import { Fault } from '../../model/fault.ts'
import type { Route } from '../../model/route.ts'
import type { TranslateOptions } from '../../model/translate-options.ts'
import { collide, isAnything, isTextual, isTextualType, resolvePath, valueFromText } from '../../protobuf.ts'
import type { BindingPlan } from './plan.ts'
import { stepInto } from './step-into.ts'

export interface QueryOptions extends Pick<TranslateOptions, 'unknownQuery' | 'queryMaps'> {
  /** Parameters that the route was chosen by: they are known, whether a field takes them or not. */
  readonly matched?: readonly string[]
}

export function queryOptionsOf({ translate: { unknownQuery, queryMaps = false }, match }: Pick<Route, 'translate' | 'match'>): QueryOptions {
  return { unknownQuery, queryMaps, matched: match.query.map(({ name }) => name) }
}

/** Fields inside each other, as for JSON: protobuf's own readers take no more. */
const depthLimit = 100

/**
 * Sets the fields that query parameters name: by proto or JSON name per step, repeated scalars in order of appearance.
 * A parameter never touches what the path has set, nor what belongs to the body. With `queryMaps`, `field[key]` is one entry of a map.
 * @throws Fault `request_invalid`
 */
export function bindQuery(plan: BindingPlan, target: ReflectMessage, query: string, options: QueryOptions): void {
  const seen = new Set<string>()
  for (const [key, text] of parametersOf(query)) {
    const entry = options.queryMaps === true ? entryOf(key) : undefined
    const path = resolvePath(plan.input, entry?.field ?? key, true)
    const why = 'problem' in path ? path.problem : refusal(plan, path, key)
    if ('problem' in path || why !== undefined) {
      if (options.matched?.includes(key) !== true && !isIgnored(options.unknownQuery, key)) throw invalid(key, why ?? 'it cannot be bound')
      continue
    }
    if (entry === undefined) bindOne(target, path, key, text, seen)
    else bindEntry(target, path, { ...entry, name: key, text })
  }
}

/** A parameter that names one entry of a map: everything between the first bracket and the last is its key, decoded with the rest of the name. */
function entryOf(name: string): { readonly field: string; readonly key: string } | undefined {
  const open = name.indexOf('[')
  return open > 0 && name.endsWith(']') ? { field: name.slice(0, open), key: name.slice(open + 1, -1) } : undefined
}

interface MapEntry {
  /** The whole parameter, as messages name it. */
  readonly name: string
  readonly key: string
  readonly text: string
}

function bindEntry(target: ReflectMessage, path: readonly DescField[], { name, key, text }: MapEntry): void {
  const leaf = path.at(-1)
  if (leaf?.fieldKind !== 'map' || !(leaf.mapKind !== 'message' || isTextualType(leaf.message)))
    throw invalid(name, 'it is no map of values that fit in the query')
  // `field[]` is how some write lists; an empty key would never be meant.
  if (key === '') throw invalid(name, 'the key is empty')
  const mapKey = valueFromText({ scalar: leaf.mapKey, enum: undefined, message: undefined }, key)
  if ('problem' in mapKey) throw invalid(name, `the key: ${mapKey.problem}`)
  const value = valueFromText(leaf, text)
  if ('problem' in value) throw invalid(name, value.problem)
  const parent = stepInto(target, path, (rival) => {
    throw invalid(name, `"${rival.name}" of the same oneof is already set`)
  })
  const map = parent.get(leaf)
  // No map is keyed by messages or bytes (protobuf.dev/programming-guides/proto3#maps).
  if (typeof mapKey.value === 'object' || map.has(mapKey.value)) throw invalid(name, 'the key is given twice')
  map.set(mapKey.value, value.value)
}

/** Form encoding (application/x-www-form-urlencoded): `+` is a space, a name without `=` has an empty value, empty pairs do not count. */
function* parametersOf(query: string): Iterable<readonly [key: string, value: string]> {
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const [key, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
    yield [decoded(key), decoded(value)]
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new Fault('request_invalid', 'the query holds a broken percent escape, or bytes that are not UTF-8')
  }
}

/** Why the query cannot say this although the field exists; what a path variable owns is refused at once, whatever is ignored. */
function refusal(plan: BindingPlan, path: readonly DescField[], key: string): string | undefined {
  for (const variable of plan.variables) {
    const how = collide(path, variable.path)
    if (how === 'oneof') throw invalid(key, `it would clear "${variable.name}", which the path sets`)
    if (how !== undefined) throw invalid(key, `the path sets "${variable.name}"`)
  }
  if (plan.body.kind === 'whole') return 'the body holds the whole message, so nothing is read from the query'
  if (plan.body.kind === 'field' && path[0] === plan.body.field) return `"${plan.body.field.name}" is read from the body`
  const through = path.slice(0, -1).find((field) => isTextual(field) || isAnything(field))
  if (through === undefined) return undefined
  return isTextual(through) ? `"${through.name}" has one text value and no parts` : `"${through.name}" is any JSON, which has no text`
}

function isIgnored(unknown: TranslateOptions['unknownQuery'], key: string): boolean {
  if (typeof unknown === 'string') return unknown === 'ignore'
  return unknown.some((name) => (name.endsWith('*') ? key.startsWith(name.slice(0, -1)) : key === name))
}

function bindOne(target: ReflectMessage, path: readonly DescField[], key: string, text: string, seen: Set<string>): void {
  if (path.length > depthLimit) throw invalid(`${key.slice(0, 80)}…`, `it goes deeper than ${depthLimit} levels`)
  // resolvePath answers at least one field.
  const leaf = path.at(-1) as DescField
  const isList = leaf.fieldKind === 'list' && leaf.listKind !== 'message'
  if (!isList && !isTextual(leaf)) throw invalid(key, 'a message, a map or a list of messages cannot be given in the query')
  const parent = stepInto(target, path, (rival) => {
    throw invalid(key, `"${rival.name}" of the same oneof is already set`)
  })
  const value = valueFromText(leaf, text)
  if ('problem' in value) throw invalid(key, value.problem)
  if (isList) {
    parent.get(leaf).add(value.value)
    return
  }
  const place = path.map((field) => field.number).join('.')
  if (seen.has(place)) throw invalid(key, 'it is given twice')
  seen.add(place)
  parent.set(leaf, value.value)
}

function invalid(key: string, why: string): Fault {
  return new Fault('request_invalid', `query parameter "${key}": ${why}`)
}
