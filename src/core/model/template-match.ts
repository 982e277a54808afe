import { isTemplateError, parseTemplate, type Segment, type Template, type Variable } from './template.ts'

/** Variables of the matched template, decoded once after the match. A null-prototype object. */
export type Params = Readonly<Record<string, string>>

/**
 * Compiles a path template to a matcher over canonical paths. It answers the decoded variables (a null-prototype object), or
 * undefined where the path does not fit. `**` takes zero or more segments; a trailing "/" is a segment of its own (empty) and
 * fits `**` alone. Variables that cover several segments keep `%2F` encoded (google.api.HttpRule). @throws Error for a template that does not parse.
 */
export function compileTemplate(source: string): (path: string) => Params | undefined {
  const template = parseTemplate(source)
  if (isTemplateError(template)) throw new Error(`${source}: ${template.message}`)
  return (path) => {
    const segments = segmentsOf(path, template.verb)
    return segments !== undefined && fits(template.segments, segments) ? paramsOf(template, segments) : undefined
  }
}

/** Segments of a canonical path as `compilePathTest` takes them: none for "/", and an empty last one after a trailing "/". */
export function segmentsOfPath(path: string): readonly string[] {
  return path.length <= 1 ? [] : path.slice(1).split('/')
}

/** The same test without the variables, for a path that is split once and held against many templates. @throws Error for a template that does not parse. */
export function compilePathTest(source: string): (segments: readonly string[]) => boolean {
  const template = parseTemplate(source)
  if (isTemplateError(template)) throw new Error(`${source}: ${template.message}`)
  const { verb, segments: pattern } = template
  if (verb === undefined) return (segments) => fits(pattern, segments)
  const end = `:${verb}`
  return (segments) => {
    const last = segments.at(-1)
    if (last === undefined || !last.endsWith(end)) return false
    const kept = last.slice(0, -end.length)
    return fits(pattern, kept === '' && segments.length === 1 ? [] : [...segments.slice(0, -1), kept])
  }
}

/** Undefined when the template has a verb and the path does not end in it. */
function segmentsOf(path: string, verb: string | undefined): readonly string[] | undefined {
  if (verb !== undefined && !path.endsWith(`:${verb}`)) return undefined
  const end = verb === undefined ? path.length : path.length - verb.length - 1
  const inside = path.slice(1, end)
  return inside === '' ? [] : inside.split('/')
}

function fits(pattern: readonly Segment[], path: readonly string[]): boolean {
  for (let i = 0; i < pattern.length; i++) {
    const segment = pattern[i] as Segment // i stays inside the list
    if (segment.kind === 'rest') return true
    const actual = path[i]
    if (actual === undefined || actual === '') return false
    if (segment.kind === 'literal' && segment.text !== actual) return false
  }
  return path.length === pattern.length
}

function paramsOf(template: Template, path: readonly string[]): Params {
  const params: Record<string, string> = Object.create(null)
  for (const variable of template.variables) params[variable.name] = valueOf(variable, path)
  return params
}

function valueOf({ from, to, multi }: Variable, path: readonly string[]): string {
  if (!multi) return decodeURIComponent(path[from] ?? '')
  const covered = path.slice(from, to < 0 ? undefined : to)
  return covered.map((segment) => segment.split('%2F').map(decodeURIComponent).join('%2F')).join('/')
}
