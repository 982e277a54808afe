import type { FieldTest } from '../../model/field-test.ts'
import { canonicalPath } from '../../model/path.ts'
import type { Route } from '../../model/route.ts'
import type { HttpBinding, Rpc } from '../../model/rpc.ts'
import { isTemplateError, parseTemplate, readableTemplate, type Segment, type Template } from '../../model/template.ts'
import type { Fields } from '../../model/wire.ts'
import { compileFieldTests } from '../../pattern.ts'

/** What the tests of an entry look at. */
export interface Asked {
  readonly headers: Fields
  readonly query: (name: string) => readonly string[]
  /** The request calls an RPC by its path in gRPC, gRPC-Web or Connect. */
  readonly native: boolean
}

/** One way into a route: a template, the methods it takes, and tests of the rest. */
export interface Entry {
  readonly route: Route
  readonly template: Template
  /** Upper-case; empty means any. */
  readonly methods: readonly string[]
  /** Takes HEAD where it takes GET. */
  readonly headWithGet: boolean
  readonly rpc: Rpc | undefined
  /** Undefined on plain routes and for gRPC, gRPC-Web and Connect. */
  readonly binding: HttpBinding | undefined
  /** Takes gRPC, gRPC-Web and Connect only. */
  readonly native: boolean
  /** Seen of a quarantined route whose match cannot be read: goes before whatever else has its template. */
  readonly seen?: true
  readonly accepts: (asked: Asked) => boolean
}

/**
 * Every way into a route. @throws Error on a template or pattern that the loader should have refused, for a route left
 * out would hand its requests to a less specific one. A quarantined route takes what can be read of it.
 */
export function entriesOf(route: Route): readonly Entry[] {
  if (route.quarantined === undefined) return compileRoute(route)
  const seen = seenEntriesOf(route)
  try {
    const entries = compileRoute(route)
    return entries.length > 0 ? [...entries, ...seen] : [...salvage(route), ...seen]
  } catch {
    return [...salvage(route), ...seen]
  }
}

/** Of a quarantined route, what shows through a match that cannot be read. */
export function seenEntriesOf(route: Route): readonly Entry[] {
  return route.quarantined !== undefined && route.match.seen?.sure === true ? seenEntries(route) : []
}

/** Of a quarantined route, what shows through a match whose hosts are unknown: it could be more specific than any route of its paths. */
export function hiddenEntriesOf(route: Route): readonly Entry[] {
  return route.quarantined === undefined || route.match.seen === undefined || route.match.seen.sure ? [] : seenEntries(route)
}

function seenEntries(route: Route): readonly Entry[] {
  const { seen, methods } = route.match
  const taken = seen?.sure === true ? methods : []
  return templatesOf(seen?.paths ?? []).map((template) =>
    Object.assign(
      plainEntry(route, template, taken, () => true),
      { seen: true as const },
    ),
  )
}

/** A literal template is the most specific there is: nothing that could not be read may take its requests away. */
export function isLiteral({ template }: Entry): boolean {
  return template.segments.every((segment) => segment.kind === 'literal')
}

function compileRoute(route: Route): readonly Entry[] {
  const { match } = route
  const accepts = compileAccepts(match.headers, match.query)
  const entries = match.path === undefined ? [] : [plainEntry(route, templateOf(match.path, route), match.methods, accepts)]
  for (const rpc of match.grpc?.rpcs ?? []) entries.push(...entriesOfRpc(rpc, route, accepts))
  return entries
}

function plainEntry(route: Route, template: Template, methods: readonly string[], accepts: Entry['accepts']): Entry {
  return { route, template, methods, accepts, headWithGet: true, rpc: undefined, binding: undefined, native: false }
}

/**
 * Entries of a broken route, so that its requests are answered 503 instead of by a less specific route: without tests that
 * do not compile, under the part of a template that can be read, and for a service without RPCs under its native paths.
 */
function salvage(route: Route): readonly Entry[] {
  const { match } = route
  const paths = [
    ...(match.path === undefined ? [] : [match.path]),
    ...(match.grpc === undefined ? [] : [`/${match.grpc.service}/{method}`, ...match.grpc.rpcs.flatMap((rpc) => rpc.bindings.map(({ template }) => template))]),
  ]
  const accepts = salvageAccepts(route)
  return templatesOf(paths).map((template) => plainEntry(route, template, match.methods, accepts))
}

function templatesOf(paths: readonly string[]): readonly Template[] {
  return paths.flatMap((source) => {
    const template = readableTemplate(source)
    return template === undefined ? [] : [canonicalTemplate(template)]
  })
}

function salvageAccepts({ match }: Route): Entry['accepts'] {
  try {
    return compileAccepts(match.headers, match.query)
  } catch {
    return () => true
  }
}

function entriesOfRpc(rpc: Rpc, route: Route, accepts: Entry['accepts']): readonly Entry[] {
  const base = { route, accepts, rpc, headWithGet: false }
  const automatic: HttpBinding = { method: 'POST', template: rpc.path, body: '*', responseBody: '' }
  const bound = rpc.bindings.some(({ method, template }) => method === automatic.method && template === automatic.template)
  const bindings = bound ? rpc.bindings : [...rpc.bindings, automatic]
  const { methods } = route.match
  const headFromGet = route.translate.head === 'fromGet'
  // `methods` of a gRPC route narrows what its bindings take; gRPC, gRPC-Web and Connect are POST, and Connect also GET.
  const takes = (method: string) => methods.length === 0 || methods.includes(method)
  const called = rpc.noSideEffects === true && !rpc.clientStream && !rpc.serverStream ? ['POST', 'GET'] : ['POST']
  const calls = called.filter(takes)
  const entries: Entry[] = calls.length === 0 ? [] : [{ ...base, template: templateOf(rpc.path, route), methods: calls, binding: undefined, native: true }]
  for (const binding of bindings) {
    const any = binding.method === '*'
    if (any || takes(binding.method))
      entries.push({
        ...base,
        template: templateOf(binding.template, route),
        methods: any ? methods : [binding.method],
        binding,
        native: false,
        headWithGet: headFromGet,
      })
  }
  return entries
}

function compileAccepts(headers: readonly FieldTest[], query: readonly FieldTest[]): (asked: Asked) => boolean {
  const byHeaders = compileFieldTests(headers)
  const byQuery = compileFieldTests(query)
  if (headers.length === 0 && query.length === 0) return () => true
  return (asked) => byHeaders((name) => asked.headers.all(name)) && byQuery(asked.query)
}

function templateOf(source: string, route: Route): Template {
  const parsed = parseTemplate(source)
  if (isTemplateError(parsed)) throw new Error(`route ${route.name}: template "${source}": ${parsed.message}`)
  return canonicalTemplate(parsed)
}

function canonicalTemplate(template: Template): Template {
  return { ...template, segments: template.segments.map(canonicalSegment) }
}

/** Bindings come from descriptors: a literal there may spell with escapes what a canonical path spells plainly. */
function canonicalSegment(segment: Segment): Segment {
  if (segment.kind !== 'literal') return segment
  const canonical = canonicalPath(`/${segment.text}`)
  return 'path' in canonical ? { kind: 'literal', text: canonical.path.slice(1) } : segment
}

/**
 * Order among entries of one template: what shows through a broken match, native gRPC, then more header tests, then more query tests, then (for routes that
 * tie, which the loader refuses) the quarantined one and the name. Independent of the order of files.
 */
export function bySpecificity(a: Entry, b: Entry): number {
  return (
    Number(b.seen === true) - Number(a.seen === true) ||
    Number(b.native) - Number(a.native) ||
    b.route.match.headers.length - a.route.match.headers.length ||
    b.route.match.query.length - a.route.match.query.length ||
    Number(b.route.quarantined !== undefined) - Number(a.route.quarantined !== undefined) ||
    (a.route.name < b.route.name ? -1 : Number(a.route.name > b.route.name))
  )
}
