import type { Route } from '../../model/route.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import type { LostRoute } from '../lost.ts'
import { nameOfPlace } from './linking.ts'
import type { LinkedRoute } from './routes.ts'
import { lookAtTexts, type Sight } from './sight.ts'
import { hostsOverlap } from './takes.ts'

/** A broken route that may take more than can be seen. */
interface Blind {
  readonly reason: string
  /** Empty means any. */
  readonly hosts: readonly string[]
  /** Nothing of it shows, so it might be narrower than any route that is not literal. Otherwise only its HTTP bindings are unknown. */
  readonly entirely: boolean
}

export interface Quarantining {
  readonly routes: readonly LinkedRoute[]
  readonly lost: readonly LostRoute[]
  /** Why an object cannot serve. */
  readonly reasonOf: (object: string) => string | undefined
  /** Templates of a gRPC service in any descriptor set there is; undefined when none has it. */
  readonly templatesOf: (service: string) => readonly string[] | undefined
}

/**
 * All routes of the policy. A broken one takes on what it can be seen to take, to refuse it; where that cannot be seen, the
 * routes that its requests would fall to are quarantined with it.
 */
export function quarantineRoutes(input: Quarantining): readonly Route[] {
  const blind: Blind[] = []
  const routes = [
    ...input.routes.map((linked) => {
      const { entry, route, hidden, sight = lookAtTexts([], []) } = linked
      const reason = input.reasonOf(entry.id)
      if (route !== undefined) return whole(route, reason, hidden, blind)
      return half(entry.name, reason ?? `${nameOfPlace(entry.key)} its match cannot be read`, sight, input, blind)
    }),
    ...input.lost.map(({ name, at, why, sight }) => half(name, `${nameOfPlace(at)} ${why}`, sight, input, blind)),
  ]
  return routes.map((route) => (route.quarantined === undefined ? cover(route, blind) : route))
}

/** What is quarantined keeps its name and what finds it, and nothing that half an object could do harm with. */
function whole(route: Route, reason: string | undefined, hidden: readonly string[], blind: Blind[]): Route {
  if (reason === undefined) return route
  const { match } = route
  if (match.grpc?.descriptors === '') blind.push({ reason: because(route.name, reason), hosts: match.hosts, entirely: false })
  return quarantined({ ...route, match: hidden.length === 0 ? match : { ...match, seen: { paths: hidden, sure: true } } }, reason)
}

function quarantined(route: Route, reason: string): Route {
  return { ...route, quarantined: reason, access: [], limits: [], retry: undefined, sticky: undefined, split: [], handOn: { ...route.handOn, token: false } }
}

function half(name: string, reason: string, sight: Sight, { templatesOf }: Quarantining, blind: Blind[]): Route {
  const services = sight.services.map((service) => ({ service, templates: templatesOf(service) }))
  const paths = [...sight.paths, ...services.flatMap(({ service, templates }) => templates ?? [`/${service}/{method}`])]
  const hosts = sight.sure ? sight.hosts : []
  if (sight.blind) blind.push({ reason: because(name, reason), hosts, entirely: true })
  else if (services.some(({ templates }) => templates === undefined)) blind.push({ reason: because(name, reason), hosts, entirely: false })
  return {
    name,
    quarantined: reason,
    match: { hosts, path: undefined, grpc: undefined, methods: sight.methods, headers: [], query: [], seen: { paths, sure: sight.sure } },
    access: [],
    limits: [],
    timeoutMs: 0,
    retry: undefined,
    sticky: undefined,
    split: [],
    handOn: { token: false, claims: [] },
    allow: { encodedSlash: false, semicolon: false },
    bodyLimit: undefined,
    translate: { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false },
  }
}

function because(name: string, reason: string): string {
  return `the route "${name}" is broken and its requests could fall to this one: ${reason}`
}

/** Quarantines a sound route that requests of a broken one could fall to. */
function cover(route: Route, blind: readonly Blind[]): Route {
  const { match } = route
  const by = blind.find(({ hosts, entirely }) => hostsOverlap(hosts, match.hosts) && (entirely ? !isLiteral(match.path) : isOpen(match.path)))
  return by === undefined ? route : quarantined(route, by.reason)
}

function isLiteral(path: string | undefined): boolean {
  const template = path === undefined ? undefined : parseTemplate(path)
  return template !== undefined && !isTemplateError(template) && template.segments.every((segment) => segment.kind === 'literal')
}

/** Begins with a variable or wildcard: takes whatever nobody else does, HTTP bindings that are not known among it. */
function isOpen(path: string | undefined): boolean {
  const template = path === undefined ? undefined : parseTemplate(path)
  const first = template === undefined || isTemplateError(template) ? undefined : template.segments[0]
  return first !== undefined && first.kind !== 'literal'
}
