import type { Template, Variable } from '../model/template.ts'

/** One `{name}` of an OpenAPI path. */
export interface PathPart {
  readonly name: string
  /** The variable it belongs to; undefined for a wildcard without a name. */
  readonly variable: Variable | undefined
  /** It is all of its variable. */
  readonly whole: boolean
  /** Holds any number of segments. */
  readonly rest: boolean
  /** The variable as the template writes it, such as `name=shelves/*`. */
  readonly pattern: string | undefined
}

export interface OpenapiPath {
  readonly path: string
  /** The path with nameless variables: what OpenAPI takes for the same path. */
  readonly shape: string
  readonly parts: readonly PathPart[]
}

/**
 * An HttpRule template as OpenAPI writes paths (3.1, "Path Templating"): there a variable is one segment. `{name=shelves/*}` becomes
 * `shelves/{name}`, and a variable of several wildcards one parameter for each, named after the literal before it.
 */
export function openapiPath(template: Template): OpenapiPath {
  const parts: PathPart[] = []
  const texts = template.segments.map((segment, i) => {
    if (segment.kind === 'literal') return segment.text
    const variable = template.variables.find(({ from, to }) => from <= i && (to < 0 || i < to))
    const part = partOf(template, i, variable, new Set(parts.map(({ name }) => name)))
    parts.push(part)
    return `{${part.name}}`
  })
  const verb = template.verb === undefined ? '' : `:${template.verb}`
  const path = `/${texts.join('/')}${verb}`
  return { path, shape: path.replaceAll(/\{[^}]*\}/g, '{}'), parts }
}

/** The same path with other names for its variables, position by position. */
export function renamed({ path, shape, parts }: OpenapiPath, names: readonly string[]): OpenapiPath {
  let i = 0
  return {
    path: path.replaceAll(/\{[^}]*\}/g, () => `{${names[i++]}}`),
    shape,
    parts: parts.map((part, at) => ({ ...part, name: names[at] ?? part.name })),
  }
}

function partOf({ segments }: Template, at: number, variable: Variable | undefined, taken: ReadonlySet<string>): PathPart {
  const rest = segments[at]?.kind === 'rest'
  const own = variable === undefined ? [] : segments.slice(variable.from, variable.to < 0 ? undefined : variable.to)
  const wildcards = own.filter(({ kind }) => kind !== 'literal').length
  const name = variable === undefined ? (rest ? 'path' : 'segment') : wildcards === 1 ? variable.name : `${variable.name}.${nameAt(segments, at, variable)}`
  const text = own.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? '*' : '**')).join('/')
  return {
    name: free(name, taken),
    variable,
    whole: own.length === 1,
    rest,
    pattern: variable === undefined || text === '*' ? undefined : `${variable.name}=${text}`,
  }
}

function nameAt(segments: Template['segments'], at: number, { from }: Variable): string {
  const before = at > from ? segments[at - 1] : undefined
  return before?.kind === 'literal' ? before.text.replaceAll(/[^A-Za-z0-9_-]/g, '_') : `${at - from + 1}`
}

function free(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name
  for (let i = 2; ; i++) if (!taken.has(`${name}${i}`)) return `${name}${i}`
}
