import { dialectOf } from '../../model/dialect.ts'
import type { Received } from '../../model/exchange.ts'
import type { FieldTest } from '../../model/field-test.ts'
import type { Route } from '../../model/route.ts'
import { compileFieldTests, wordsOfField, wordsOfFieldTest } from '../../pattern.ts'
import { buildBook, lookUp, type RouteBook } from './book.ts'
import { queryReader } from './query.ts'

export interface MatchReport {
  /** Every route in the order of the policy. */
  readonly candidates: readonly MatchCandidate[]
}

export interface MatchCandidate {
  readonly route: string
  /** It takes the request. */
  readonly matched: boolean
  /** `matched`, or the first thing that keeps it from taking the request. */
  readonly why: string
}

/** Compiles each route by itself, so that the report and the match are made by one engine and cannot differ. */
export function reporter(routes: readonly Route[]): (x: Pick<Received, 'request'>) => MatchReport {
  const all = buildBook(routes)
  const alone = routes.map((route) => ({ route, book: buildBook([route]) }))
  return (x) => {
    const found = lookUp(all, x, dialectOf({ ...x.request, query: x.request.target.query }))
    const winner = found.kind === 'found' ? found.entry.route.name : undefined
    const candidates = alone.map(({ route, book }): MatchCandidate => {
      const matched = route.name === winner
      return { route: route.name, matched, why: matched ? 'matched' : explain(route, book, x, winner) }
    })
    return { candidates }
  }
}

function explain(route: Route, book: RouteBook, x: Pick<Received, 'request'>, winner: string | undefined): string {
  const found = lookUp(book, x, dialectOf({ ...x.request, query: x.request.target.query }))
  if (found.kind === 'found') return `less specific than route ${winner}`
  if (found.kind === 'method') return `method: takes ${found.allow.join(', ')}`
  if (found.fits !== 'path') return found.fits === 'nothing' ? 'host' : 'path'
  const { headers, target } = x.request
  const header = failing(route.match.headers, (name) => headers.all(name))
  if (header !== undefined) return `header ${header}`
  const query = failing(route.match.query, queryReader(target.query))
  return query === undefined ? 'method' : `query ${query}`
}

/** The first test that does not hold, such as `x-version must be "v2", is absent`. */
function failing(tests: readonly FieldTest[], get: (name: string) => readonly string[]): string | undefined {
  const test = tests.find((one) => !compileFieldTests([one])(get))
  return test === undefined ? undefined : `${test.name} must be ${wordsOfFieldTest(test)}, is ${wordsOfField(get(test.name))}`
}
