import * as z from 'zod'
import { didYouMean, suggest } from '../../suggest.ts'
import { type FieldFacts, factsOf } from '../document/build.ts'
import { secretHeader } from '../document/limits.ts'
import { plannedKey } from '../document/planned.ts'
import { type Node, nodeAt, type Path } from '../read/node.ts'
import { candidatesAt, knownKeys } from './schema-at.ts'
import { an, kindOf, quote, typeWord } from './words.ts'

/** One thing wrong with an object's shape, in words. */
export interface Finding {
  /** From the object on. */
  readonly path: Path
  readonly which: 'key' | 'value'
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  /** What to leave out to read on. */
  readonly drop: Path
  /** The key that is missing, or that was meant by an unknown one. */
  readonly key?: string | undefined
}

type Issue = z.core.$ZodIssue

/** Puts the schema library's issues into plain sentences, one per place. */
export function findingsOf(issues: readonly Issue[], schema: z.core.$ZodType, node: Node, object: string): readonly Finding[] {
  const found = issues.flatMap((issue) => explain(issue, issue.path as Path, schema, node, object))
  const meant = new Set(found.flatMap(({ code, path, key }) => (code === 'key_unknown' && key !== undefined ? [[...path.slice(0, -1), key].join('\0')] : [])))
  const places = new Set<string>()
  return found.filter(({ code, path, which, key }) => {
    // A misspelled key is one mistake, not also a missing one.
    if (code === 'key_missing' && meant.has([...path, key].join('\0'))) return false
    const place = `${which} ${path.join('\0')}`
    return !places.has(place) && places.add(place)
  })
}

function explain(issue: Issue, path: Path, schema: z.core.$ZodType, node: Node, object: string): readonly Finding[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, path, schema, object))
  if (issue.code === 'invalid_key') return [badKey(path, issue.issues, schema)]
  if (issue.code === 'invalid_union') return union(issue, path, schema, node, object)
  const at = nodeAt(node, path)
  if (at === undefined) return [missing(path, schema)]
  const drop = { path, which: 'value' as const, drop: path }
  const facts = factsAt(schema, path)
  if (facts['x-secret'] === true) return [{ ...drop, ...secretProblem(at, facts) }]
  if (at.kind === 'scalar' && at.value === null) return [{ ...drop, code: 'value_missing', ...emptyProblem(path, facts) }]
  return [{ ...drop, ...valueProblem(issue, at, facts, `${object}.${path.join('.')}`) }]
}

function unknownKey(key: string, path: Path, schema: z.core.$ZodType, object: string): Finding {
  const around = path.length === 0 ? object : `${object}.${path.join('.')}`
  const inner = [...path, key]
  const planned = plannedKey(around, key)
  if (planned !== undefined) return { path: inner, which: 'key', code: 'not_available', drop: inner, ...planned }
  const known = knownKeys(schema, path)
  const close = suggest(key, known)
  const hint = close === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean "${close}"?`
  return { path: inner, which: 'key', code: 'key_unknown', message: `"${key}" is not known here.`, hint, drop: inner, key: close }
}

function badKey(path: Path, issues: readonly Issue[], schema: z.core.$ZodType): Finding {
  const key = String(path.at(-1))
  const record = candidatesAt(schema, path.slice(0, -1)).find((candidate) => candidate instanceof z.ZodRecord)
  const facts = record === undefined ? {} : factsOf(record.keyType)
  const message = `"${key}" is not ${an(facts.title ?? 'name')}.`
  return { path, which: 'key', code: 'key_invalid', message, hint: like(facts) ?? issues[0]?.message, drop: path }
}

function missing(path: Path, schema: z.core.$ZodType): Finding {
  const key = String(path.at(-1))
  const facts = factsAt(schema, path)
  const example = facts.examples?.[0]
  const hint = facts.description ?? (example === undefined ? `Add ${key}.` : `Add ${key}: ${example}.`)
  // The place of a thing that is not there is the key of what it is missing from.
  return {
    path: path.slice(0, -1),
    which: 'key',
    code: 'key_missing',
    message: `"${key}" is missing.`,
    hint: `Add it. ${hint}`,
    drop: path.length === 1 ? path : path.slice(0, -1),
    key,
  }
}

/** Of the branches of a union, the one whose type is that of the value speaks; where none is, all are named. */
function union(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, schema: z.core.$ZodType, node: Node, object: string): readonly Finding[] {
  const at = nodeAt(node, path)
  if (at === undefined) return [missing(path, schema)]
  const branches = issue.errors.map((errors) => ({ errors, distance: errors.some((inner) => isOtherType(inner, at)) ? 1000 : errors.length }))
  const best = branches.toSorted((a, b) => a.distance - b.distance)[0]
  if (best !== undefined && best.distance < 1000)
    return best.errors.flatMap((inner) => explain(inner, [...path, ...(inner.path as Path)], schema, node, object))
  const facts = factsAt(schema, path)
  if (at.kind === 'scalar' && at.value === null) return [{ path, which: 'value', code: 'value_missing', drop: path, ...emptyProblem(path, facts) }]
  const types = new Set(
    issue.errors.flatMap((errors) => errors.flatMap((inner) => (inner.code === 'invalid_type' && inner.path.length === 0 ? [typeWord(inner.expected)] : []))),
  )
  const message = `${quote(at)} is ${kindOf(at)}; ${Array.from(types).join(' or ')} is expected here.`
  return [{ path, which: 'value', code: 'type_wrong', message, hint: quotes(at) ?? facts.description, drop: path }]
}

/** Whether the branch wants another kind of value altogether. */
function isOtherType(issue: Issue, at: Node): boolean {
  if (issue.path.length > 0) return false
  if (issue.code === 'invalid_type') return true
  return issue.code === 'invalid_value' && (at.kind !== 'scalar' || !issue.values.some((value) => typeof value === typeof at.value))
}

function emptyProblem(path: Path, facts: FieldFacts): { readonly message: string; readonly hint: string } {
  return { message: `"${path.at(-1)}" has no value.`, hint: like(facts) ?? facts.description ?? 'Write a value, or remove it.' }
}

/** Never shows what stands there: it may be the secret. */
function secretProblem(at: Node, facts: FieldFacts): { readonly code: string; readonly message: string; readonly hint: string } {
  const written = at.kind === 'scalar' ? at.text : ''
  const variable = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(written)?.[1]
  if (facts.title?.startsWith('format') === true)
    return {
      code: 'value_invalid',
      message: `This is not ${an(facts.title)}.`,
      hint: 'Write {secret} where the secret goes, such as "Bearer {secret}"; the secret itself never stands in a policy.',
    }
  const hint = variable === undefined ? `Write a reference: ${(facts.examples ?? []).join(' or ')}.` : `Write env:${variable}, which is read when it is needed.`
  return { code: 'secret_literal', message: 'Here stands something other than a reference to a secret.', hint }
}

function valueProblem(
  issue: Issue,
  at: Node,
  facts: FieldFacts,
  full: string,
): { readonly code: string; readonly message: string; readonly hint: string | undefined } {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'int') return { code: 'value_invalid', message: `${quote(at)} is not a whole number.`, hint: like(facts) ?? facts.description }
      return {
        code: 'type_wrong',
        message: `${quote(at)} is ${kindOf(at)}; ${typeWord(issue.expected)} is expected here.`,
        hint: (facts.title === 'name' ? quotes(at) : undefined) ?? like(facts) ?? (issue.expected === 'string' ? quotes(at) : undefined) ?? facts.description,
      }
    case 'invalid_value':
      return invalidValue(issue.values.map(String), at, full)
    case 'invalid_format':
      return invalidFormat(at, facts)
    case 'too_small':
      if (issue.origin === 'array' && /\.(?:allow|deny|audit|match)\b/.test(full))
        return {
          code: 'value_out_of_range',
          message: 'This list is empty: an empty list matches nothing.',
          hint: 'Leave it out not to restrict, or name what fits.',
        }
      return {
        code: 'value_out_of_range',
        message: `${quote(at)} is ${issue.origin === 'array' ? 'empty' : 'too small'}; at least ${issue.minimum} is needed here.`,
        hint: facts.description ?? like(facts),
      }
    case 'too_big':
      return {
        code: 'value_out_of_range',
        message: `${quote(at)} is too large; at most ${issue.maximum} is possible here.`,
        hint: facts.description ?? like(facts),
      }
    case 'custom':
      return { code: 'value_invalid', message: issue.message, hint: typeof issue.params?.['hint'] === 'string' ? issue.params['hint'] : like(facts) }
    case 'invalid_element':
    case 'invalid_key':
    case 'invalid_union':
    case 'not_multiple_of':
    case 'unrecognized_keys':
      break
  }
  return { code: 'value_invalid', message: `${quote(at)} does not fit here.`, hint: like(facts) ?? facts.description }
}

function invalidFormat(at: Node, facts: FieldFacts) {
  const written = at.kind === 'scalar' ? String(at.value) : ''
  if (facts.title === 'key part' && secretHeader.test(written))
    return {
      code: 'key_secret',
      message: `${quote(at)} holds a credential, which must never become a key.`,
      hint: 'Count by who it proves: issuer and subject, clientId, or a claim.',
    }
  if (facts.title === 'attribute') return { code: 'value_invalid', message: `${quote(at)} is not an attribute of a request.`, ...attributeHint(written, facts) }
  const close = facts.title === 'key part' ? didYouMean(written, facts.examples ?? []) : undefined
  return { code: 'value_invalid', message: `${quote(at)} is not ${an(facts.title ?? 'valid here')}.`, hint: close ?? capitals(written, facts) ?? like(facts) }
}

/** The right spelling of what stands before the dot; header names are lower-case. */
function attributeHint(written: string, facts: FieldFacts): { readonly hint: string | undefined } {
  const dot = written.indexOf('.')
  const [head, rest] = dot < 0 ? [written, ''] : [written.slice(0, dot), written.slice(dot)]
  const meant = written.startsWith('request.params.') ? 'path' : suggest(head, dot < 0 ? ['host'] : ['path', 'header', 'query', 'claim'])
  if (meant === undefined) return { hint: like(facts) }
  const name = meant === 'path' ? rest.slice(rest.lastIndexOf('.')) : meant === 'header' ? rest.toLowerCase() : rest
  return { hint: `Did you mean "${meant}${name}"?` }
}

function invalidValue(allowed: readonly string[], at: Node, full: string) {
  const written = at.kind === 'scalar' ? String(at.value) : ''
  if (/\.algorithms\.\d+$/.test(full) && /^(?:HS\d+|none)$/i.test(written))
    return {
      code: 'algorithm_unsafe',
      message:
        written.toLowerCase() === 'none'
          ? 'A token without a signature proves nothing.'
          : `${written} is a shared-secret algorithm: whoever can verify a token could make one.`,
      hint: 'Use an asymmetric algorithm, such as RS256 or ES256.',
    }
  return {
    code: 'value_invalid',
    message: `${quote(at)} is not ${allowed.length === 1 ? quote(allowed[0]) : 'one of the values possible here'}.`,
    hint: didYouMean(written, allowed) ?? `Write ${allowed.join(', ')}.`,
  }
}

function capitals(written: string, facts: FieldFacts): string | undefined {
  const fold =
    facts.title?.includes('in capitals') === true ? written.toUpperCase() : facts.title?.includes('lower case') === true ? written.toLowerCase() : written
  return fold === written ? undefined : `Write ${fold}.`
}

/** Text was meant, but YAML reads a number or true: 1.10 is 1.1. */
function quotes(at: Node): string | undefined {
  return at.kind === 'scalar' && (typeof at.value === 'number' || typeof at.value === 'boolean') ? `Put it in quotes: "${at.text}".` : undefined
}

function like(facts: FieldFacts): string | undefined {
  return facts.examples === undefined ? undefined : `Write it like ${facts.examples.join(', ')}.`
}

/** Facts of the field at `path`, the nearest that stands in the file's schema there. */
function factsAt(schema: z.core.$ZodType, path: Path): FieldFacts {
  const candidates = candidatesAt(schema, path)
  const merged: FieldFacts = {}
  for (const candidate of candidates) Object.assign(merged, { ...factsOf(candidate), ...merged })
  return merged
}
