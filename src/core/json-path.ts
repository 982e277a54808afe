/*
 * Paths to members of a JSON text, a part of RFC 9535:
 *
 *   Path    = "$" *( Child / Descent )
 *   Child   = "." ( Name / "*" ) / "[" ( "'" text "'" / '"' text '"' / digits / "*" ) "]"
 *   Descent = ".." Name
 */

/** `name`: a member; `index`: a place in a list; `any`: every member or place; `deep`: every member of that name, however deep. */
type Step = { readonly kind: 'name' | 'deep'; readonly name: string } | { readonly kind: 'index'; readonly at: number } | { readonly kind: 'any' }

const step = /\.\.([\p{L}\p{N}_$-]+)|\.(?:\*|([\p{L}\p{N}_$-]+))|\[(?:\*|(\d{1,9})|'([^'\\]*)'|"([^"\\]*)")\]/uy

/** Says why a text is no such path, or undefined. */
export function checkJsonPath(text: string): string | undefined {
  const steps = stepsOf(text)
  if (steps === undefined) return `"${text}" is not a path to a member: write $.card.number, $.items[*].pan, $['a.b'] or $..pan.`
  return steps.length === 0 ? '"$" is the whole body.' : undefined
}

/** What every value that a path leads to is replaced by. */
export const hidden = '[redacted]'

/** Compiles paths into a function that answers a copy of a JSON value in which whatever they lead to is `[redacted]`. Paths that cannot be read lead nowhere. */
export function compileHide(paths: readonly string[]): (value: unknown) => unknown {
  const compiled = paths.flatMap((path) => {
    const steps = stepsOf(path)
    return steps === undefined || steps.length === 0 ? [] : [steps]
  })
  return (value) => compiled.reduce((so, steps) => hide(so, steps), value)
}

function stepsOf(text: string): readonly Step[] | undefined {
  if (!text.startsWith('$')) return undefined
  const steps: Step[] = []
  step.lastIndex = 1
  while (step.lastIndex < text.length) {
    const match = step.exec(text)
    if (match === null) return undefined
    const [, deep, name, index, single, double] = match
    const key = name ?? single ?? double
    if (deep !== undefined) steps.push({ kind: 'deep', name: deep })
    else if (key !== undefined) steps.push({ kind: 'name', name: key })
    else steps.push(index === undefined ? { kind: 'any' } : { kind: 'index', at: Number(index) })
  }
  return steps
}

function hide(value: unknown, steps: readonly Step[]): unknown {
  const [first, ...rest] = steps
  if (first === undefined) return hidden
  if (typeof value !== 'object' || value === null) return value
  const next = (child: unknown, key: string | number): unknown => {
    if (first.kind === 'any' || (first.kind === 'index' ? first.at === key && Array.isArray(value) : first.name === key)) return hide(child, rest)
    return child
  }
  const down = (child: unknown, key: string | number) => next(first.kind === 'deep' ? hide(child, steps) : child, key)
  return mapChildren(value, down)
}

/** A copy of a list or mapping with every child replaced. Numbers that stand for their exact digits are no mappings. */
export function mapChildren(value: object, replace: (child: unknown, key: string | number) => unknown): unknown {
  if (isRaw(value)) return value
  if (Array.isArray(value)) return value.map(replace)
  // `fromEntries` makes a member `__proto__` one like any other.
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, replace(child, key)]))
}

/** What ECMAScript's "JSON.parse source text access" adds, which the compiler's library does not declare. */
interface ExactJson {
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
}

const exact = JSON as unknown as ExactJson

/** Whether a value is a number that keeps its exact digits (`parseExact`): an object without members. */
export function isRaw(value: object): boolean {
  return exact.isRawJSON(value)
}

/** Reads JSON, and keeps numbers that a double cannot hold as they are written: `JSON.stringify` gives them back. @throws SyntaxError */
export function parseExact(text: string): unknown {
  const keep = (_: string, value: unknown, context?: { readonly source?: string }): unknown => {
    if (typeof value !== 'number' || context?.source === undefined || String(value) === context.source) return value
    return exact.rawJSON(context.source)
  }
  return JSON.parse(text, keep)
}

/** `application/json` and what is written in it. */
export function isJson(type: string | undefined): boolean {
  return /^[^;]*[/+]json\s*(?:;|$)/i.test(type ?? '')
}
