/*
 * Path templates of routes, rules and google.api.HttpRule:
 *
 *   Template  = "/" [ Segments ] [ ":" Verb ]
 *   Segments  = Segment { "/" Segment }
 *   Segment   = "*" | "**" | Variable | Literal
 *   Variable  = "{" FieldPath [ "=" Segments ] "}"        (no variable inside)
 *   FieldPath = Ident { "." Ident }
 *
 * `**` matches zero or more segments and stands last. `{**}` is short for `**` without a name. A segment `:id` that
 * starts with a colon is `{id}` (easier to write in YAML flow style).
 */

export type Segment = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'one' } | { readonly kind: 'rest' }

export interface Variable {
  /** Dotted field path. */
  readonly name: string
  /** First segment it covers. */
  readonly from: number
  /** One past the last; -1 when it covers `**`. */
  readonly to: number
  /** Covers more than one segment, or could: decoded without `%2F`. */
  readonly multi: boolean
}

export interface Template {
  readonly source: string
  readonly segments: readonly Segment[]
  readonly variables: readonly Variable[]
  readonly verb: string | undefined
}

/** Where and why a template is wrong. `at` is an offset into the source. */
export interface TemplateError {
  readonly at: number
  readonly message: string
}

const ident = /^[A-Za-z_][A-Za-z0-9_]*$/
// RFC 3986 pchar without "*" (grammar); escapes must be whole and upper-case.
const literalText = /^(?:[A-Za-z0-9\-._~!$&'()+,;=@:]|%[0-9A-F]{2})+$/

/** A literal without another colon (google/api/http.proto: Verb = ":" LITERAL). */
const verbText = /^(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-F]{2})+$/

/** Parses `source`; a result with `message` is an error. */
export function parseTemplate(source: string): Template | TemplateError {
  if (!source.startsWith('/')) return { at: 0, message: 'a path starts with "/"' }
  const segments: Segment[] = []
  const variables: Variable[] = []
  const verbAt = verbOffset(source)
  const end = verbAt < 0 ? source.length : verbAt
  const verb = verbAt < 0 ? undefined : source.slice(verbAt + 1)
  let at = 1
  if (end === 1 && verb === undefined) return { source, segments, variables, verb }
  while (at <= end) {
    const open = source[at] === '{'
    const stop = open ? source.indexOf('}', at) + 1 : until(source, '/', at, end)
    if (open && stop === 0) return { at, message: '"{" is not closed' }
    const error = open ? variable(source, at, stop, segments, variables) : plain(source, at, stop, segments, variables)
    if (error !== undefined) return error
    if (stop === end) break
    if (source[stop] !== '/') return { at: stop, message: 'a variable is a whole segment: "/" must follow "}"' }
    at = stop + 1
  }
  const rest = segments.findIndex((segment) => segment.kind === 'rest')
  if (rest >= 0 && rest !== segments.length - 1) return { at: source.indexOf('**'), message: '"**" must be the last segment' }
  return { source, segments, variables, verb }
}

export function isTemplateError(parsed: Template | TemplateError): parsed is TemplateError {
  return 'message' in parsed
}

/**
 * The template, or everything under those of its leading segments that can be read; undefined when not even one can. For a
 * broken route, whose requests must not fall to a wider one.
 */
export function readableTemplate(source: string): Template | undefined {
  const parsed = parseTemplate(source)
  if (!isTemplateError(parsed)) return parsed
  for (let cut = source.lastIndexOf('/', parsed.at); cut > 0; cut = source.lastIndexOf('/', cut - 1)) {
    const prefix = parseTemplate(`${source.slice(0, cut)}/{**}`)
    if (!isTemplateError(prefix)) return prefix
  }
  return undefined
}

/** Offset of the colon before the verb, or -1: the last colon that follows the last "/" and "}" and does not start its segment. */
function verbOffset(source: string): number {
  const floor = Math.max(source.lastIndexOf('/'), source.lastIndexOf('}'))
  const colon = source.lastIndexOf(':')
  const startsSegment = colon === floor + 1 && source[floor] === '/'
  return colon > floor && !startsSegment && colon > 0 && verbText.test(source.slice(colon + 1)) ? colon : -1
}

function until(source: string, stop: string, from: number, end: number): number {
  const at = source.indexOf(stop, from)
  return at < 0 || at > end ? end : at
}

function plain(source: string, at: number, stop: number, segments: Segment[], variables: Variable[]): TemplateError | undefined {
  const text = source.slice(at, stop)
  if (text === '') return { at, message: 'a segment is empty' }
  if (text === '*') segments.push({ kind: 'one' })
  else if (text === '**') segments.push({ kind: 'rest' })
  else if (text.startsWith(':')) return named(text.slice(1), at + 1, segments, variables, [{ kind: 'one' }])
  else if (text === '.' || text === '..') return { at, message: 'a dot segment never matches a canonical path' }
  else if (!literalText.test(text)) return { at, message: `"${text}" is not a canonical segment (escapes upper-case, no space, no "{" inside)` }
  else segments.push({ kind: 'literal', text })
  return undefined
}

function variable(source: string, at: number, stop: number, segments: Segment[], variables: Variable[]): TemplateError | undefined {
  const inside = source.slice(at + 1, stop - 1)
  if (inside === '**') {
    segments.push({ kind: 'rest' })
    return undefined
  }
  const equals = inside.indexOf('=')
  const name = equals < 0 ? inside : inside.slice(0, equals)
  const pattern: Segment[] = []
  const parts = equals < 0 ? ['*'] : inside.slice(equals + 1).split('/')
  for (const part of parts) {
    const error = part.includes('{') ? { at, message: 'a variable inside a variable' } : plain(part, 0, part.length, pattern, [])
    if (error !== undefined || part.startsWith(':')) return { at: at + 1, message: error?.message ?? `"${part}" is not a segment` }
  }
  return named(name, at + 1, segments, variables, pattern)
}

function named(name: string, at: number, segments: Segment[], variables: Variable[], pattern: readonly Segment[]): TemplateError | undefined {
  if (!name.split('.').every((part) => ident.test(part))) return { at, message: `"${name}" is not a variable name` }
  if (variables.some((other) => other.name === name)) return { at, message: `variable "${name}" is given twice` }
  const from = segments.length
  segments.push(...pattern)
  const rest = pattern.some((segment) => segment.kind === 'rest')
  variables.push({ name, from, to: rest ? -1 : segments.length, multi: rest || pattern.length > 1 })
  return undefined
}
