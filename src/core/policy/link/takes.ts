import type { FieldTest } from '../../model/field-test.ts'
import type { Route } from '../../model/route.ts'
import { isTemplateError, parseTemplate, type Template } from '../../model/template.ts'

/** One way into a route: a path template with the methods it goes by. */
export interface Way {
  readonly template: Template
  /** As said; undefined means any. GET takes HEAD too, after routes that say HEAD. */
  readonly methods: ReadonlySet<string> | undefined
  /** `package.Service/Method`; undefined on a path route. */
  readonly rpc: string | undefined
}

/** Every path a route takes; bindings and native paths of its RPCs on a grpc route. */
export function waysInto(route: Route): readonly Way[] {
  const { path, grpc, methods } = route.match
  const own = methods.length === 0 ? undefined : new Set(methods)
  if (path !== undefined) return way(path, own, undefined)
  return (grpc?.rpcs ?? []).flatMap((rpc) =>
    rpc.bindings.flatMap(({ method, template }) => {
      const bound = method === '*' ? undefined : new Set([method])
      return way(template, both(own, bound), `${rpc.service}/${rpc.method}`)
    }),
  )
}

function way(source: string, methods: ReadonlySet<string> | undefined, rpc: string | undefined): readonly Way[] {
  const template = parseTemplate(source)
  return isTemplateError(template) || methods?.size === 0 ? [] : [{ template, methods, rpc }]
}

/** GET implies HEAD. */
export function withHead(methods: Iterable<string>): ReadonlySet<string> {
  const all = new Set(methods)
  return all.has('GET') ? all.add('HEAD') : all
}

function both(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): ReadonlySet<string> | undefined {
  return a === undefined ? b : b === undefined ? a : a.intersection(b)
}

/** Segments with every variable as its pattern: templates of one shape take the same paths. */
export function shapeOf({ segments, verb }: Template): string {
  const parts = segments.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? '*' : '**'))
  return `/${parts.join('/')}${verb === undefined ? '' : `:${verb}`}`
}

/** Whether some path fits both templates. */
export function overlap(a: Template, b: Template): boolean {
  if (a.verb !== b.verb && !endsLoose(a) && !endsLoose(b)) return false
  for (let i = 0; ; i++) {
    const [one, other] = [a.segments[i], b.segments[i]]
    if (one?.kind === 'rest' || other?.kind === 'rest') return true
    if (one === undefined || other === undefined) return one === other
    if (one.kind === 'literal' && other.kind === 'literal' && one.text !== other.text) return false
  }
}

/** A variable at the end may take what another template calls its verb. */
function endsLoose({ segments, verb }: Template): boolean {
  return verb === undefined && segments.at(-1)?.kind !== 'literal'
}

/** Whether a request can carry what both lists of tests ask for. Unsure means yes. */
export function compatible(a: readonly FieldTest[], b: readonly FieldTest[]): boolean {
  return a.every((one) => b.every((other) => one.name !== other.name || agree(one, other)))
}

function agree(a: FieldTest, b: FieldTest): boolean {
  if (a.present === false || b.present === false) return a.present === b.present || (asksNothing(a) && asksNothing(b))
  if (a.exact !== undefined && b.exact !== undefined) return a.exact === b.exact
  if (a.exact !== undefined && b.prefix !== undefined) return a.exact.startsWith(b.prefix)
  if (b.exact !== undefined && a.prefix !== undefined) return b.exact.startsWith(a.prefix)
  return a.prefix === undefined || b.prefix === undefined || a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)
}

function asksNothing({ exact, prefix, pattern, present }: FieldTest): boolean {
  return exact === undefined && prefix === undefined && pattern === undefined && present !== true
}

/** Whether everything that fits `narrow` fits `wide`. Unsure means no. */
export function implies(narrow: readonly FieldTest[], wide: readonly FieldTest[]): boolean {
  return wide.every((test) => narrow.some((other) => other.name === test.name && narrower(other, test)))
}

function narrower(narrow: FieldTest, wide: FieldTest): boolean {
  if (wide.pattern !== undefined && wide.pattern !== narrow.pattern) return false
  if (wide.exact !== undefined && wide.exact !== narrow.exact) return false
  if (wide.prefix !== undefined && !(narrow.exact ?? narrow.prefix ?? '').startsWith(wide.prefix)) return false
  if (wide.present === true) return narrow.present !== false
  return wide.present === undefined || narrow.present === false
}

export function hostsOverlap(a: readonly string[], b: readonly string[]): boolean {
  return a.length === 0 || b.length === 0 || a.some((one) => b.some((other) => hostOverlap(one, other)))
}

function hostOverlap(a: string, b: string): boolean {
  if (a === b) return true
  const [wild, exact] = a.startsWith('*.') ? [a, b] : [b, a]
  return wild.startsWith('*.') && !exact.startsWith('*.') && exact.slice(exact.indexOf('.')) === wild.slice(1)
}
