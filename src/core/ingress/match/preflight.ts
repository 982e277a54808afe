import { type Cors, preflightGrant, preflightProblem, readPreflight } from '../../model/cors.ts'
import { dialectOf } from '../../model/dialect.ts'
import type { Received } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { FieldTest } from '../../model/field-test.ts'
import type { Route } from '../../model/route.ts'
import type { Fields, Outbound } from '../../model/wire.ts'
import { compileFieldTests } from '../../pattern.ts'
import { lookUp, type RouteBook } from './book.ts'
import type { Asked, Entry } from './entry.ts'

/**
 * Answers a preflight for the request that it announces: the route is found by host, path and the requested method. Where header tests leave open
 * which of several routes that will be, all of them have to allow it. Undefined for what is no preflight, and where no route in question says `cors` but
 * one takes OPTIONS itself. @throws Fault `cors_denied`, `config_quarantined`
 */
export function answerPreflight(book: RouteBook, x: Received): Outbound | undefined {
  const { headers, target } = x.request
  const asked = readPreflight(x.request)
  if (asked === undefined) return undefined
  const routes = routesFor(book, x, asked.method, new Set(asked.headers))
  const [first] = routes
  if (first === undefined) return undefined
  if (routes.every(({ cors }) => cors === undefined) && lookUp(book, x, dialectOf({ ...x.request, query: target.query })).kind === 'found') return undefined
  Object.assign(x, { route: first })
  const broken = routes.find(({ quarantined }) => quarantined !== undefined)
  if (broken !== undefined) throw new Fault('config_quarantined', 'the configuration of this route is broken', { internal: broken.quarantined ?? '' })
  const settings: Cors[] = []
  for (const { cors, name } of routes) {
    const problem = preflightProblem(cors, asked)
    if (cors === undefined || problem !== undefined) {
      throw new Fault('cors_denied', problem ?? 'this route takes no cross-origin requests', {
        internal: `route ${name}, origin ${asked.origin.slice(0, 256)}`,
      })
    }
    settings.push(cors)
  }
  const isPrivate = headers.get('access-control-request-private-network') === 'true'
  return { status: 204, headers: preflightGrant(settings, asked, isPrivate).set('x-request-id', x.id), body: undefined }
}

/** The routes that the announced request may meet, the most specific first: those that it may and the first that it would certainly. */
function routesFor(book: RouteBook, x: Received, method: string, announced: ReadonlySet<string>): readonly Route[] {
  const { headers, target } = x.request
  const met = new Set<Route>()
  const fits = (entry: Entry, asked: Asked): boolean => {
    const chance = chanceOf(entry, asked, headers, announced)
    if (chance !== 'none') met.add(entry.route)
    return chance === 'sure'
  }
  // Its content type is not known yet: calls of every dialect are in question.
  const dialect = method === 'POST' ? anyCall : dialectOf({ method, headers, query: target.query })
  lookUp(book, { request: { ...x.request, method } }, dialect, fits)
  return [...met]
}

const anyCall = { kind: 'grpc', codec: 'proto' } as const

function chanceOf(entry: Entry, asked: Asked, headers: Fields, announced: ReadonlySet<string>): 'sure' | 'maybe' | 'none' {
  const { match } = entry.route
  if (!compileFieldTests(match.query)(asked.query)) return 'none'
  const isAnnounced = (name: string) => announced.has(name) || unannounced.test(name)
  const open = match.headers.filter(({ name }) => isAnnounced(name))
  const known = match.headers.filter(({ name }) => !isAnnounced(name))
  if (!compileFieldTests(known)((name) => headers.all(name))) return 'none'
  if (open.some((test) => announced.has(test.name) && isAbsence(test))) return 'none'
  return open.length > 0 || entry.native ? 'maybe' : 'sure'
}

/** The test holds only where the header is not there. */
function isAbsence({ present }: FieldTest): boolean {
  return present === false
}

/** Sent without being announced, so that nothing is known about them (Fetch, "CORS-safelisted request-header"), and what browsers write themselves. */
const unannounced = /^(?:accept|accept-language|content-language|content-type|cookie|range|referer|sec-.*)$/
