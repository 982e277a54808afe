import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildMatch, buildMatchReport } from '../../src/core/ingress/match.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Route } from '../../src/core/model/route.ts'
import { testPolicy, testRoute } from '../support/routes.ts'
import { received } from './ask.ts'

/*
 * The oracle knows nothing of tries: it tries every template against the path by itself, writes down how specific each segment
 * was met, and takes the smallest list. Literal before `*` before `**`; at the last segment a verb before no verb.
 */
type Shape = { readonly segments: readonly ('a' | 'b' | '*' | '**')[]; readonly verb: string | undefined; readonly method: string | undefined }

function rank(shape: Shape, path: readonly string[]): readonly number[] | undefined {
  let actual = path
  if (shape.verb !== undefined) {
    const last = path.at(-1) ?? ''
    const colon = last.lastIndexOf(':')
    if (colon < 1 || last.slice(colon + 1) !== shape.verb) return undefined
    actual = [...path.slice(0, -1), last.slice(0, colon)]
  }
  const ranks: number[] = []
  const step = (kind: number, last: boolean) => kind * 2 + (last && shape.verb !== undefined ? 0 : 1)
  for (const [i, segment] of shape.segments.entries()) {
    if (segment === '**') return [...ranks, i === actual.length ? 1 : step(2, true)]
    const given = actual[i]
    if (given === undefined || given === '' || (segment !== '*' && segment !== given)) return undefined
    ranks.push(step(segment === '*' ? 1 : 0, i === actual.length - 1))
  }
  return actual.length === shape.segments.length ? [...ranks, 0] : undefined
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return (a[i] ?? -1) - (b[i] ?? -1)
  return 0
}

function best(shapes: readonly Shape[], method: string, path: readonly string[]): string | undefined {
  const fitting = shapes
    .flatMap((shape, i) => {
      const ranks = shape.method === undefined || shape.method === method ? rank(shape, path) : undefined
      return ranks === undefined ? [] : [{ name: `r${i}`, ranks: [...ranks, shape.method === undefined ? 1 : 0] }]
    })
    .sort((a, b) => compare(a.ranks, b.ranks))
  return fitting[0]?.name
}

const segment = fc.constantFrom<'a' | 'b' | '*'>('a', 'b', '*')
const shape: fc.Arbitrary<Shape> = fc
  .record({
    head: fc.array(segment, { maxLength: 4 }),
    rest: fc.boolean(),
    verb: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
    method: fc.option(fc.constantFrom('GET', 'PUT'), { nil: undefined }),
  })
  .map(({ head, rest, verb, method }) => {
    const segments = rest ? [...head, '**' as const] : head
    return { segments, verb: segments.length === 0 ? undefined : verb, method }
  })
const shapes = fc.uniqueArray(shape, { selector: textOf, minLength: 1, maxLength: 12 })
const asked = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST'),
  path: fc.array(fc.constantFrom('a', 'b', 'c', 'a:x', 'b:y', 'a:x:y', 'c:z', 'a%3Ax'), { maxLength: 6 }),
})

function textOf({ segments, verb, method }: Shape): string {
  return `${method} /${segments.join('/')}${verb === undefined ? '' : `:${verb}`}`
}

function routeOf(given: Shape, i: number): Route {
  const path = `/${given.segments.map((one, at) => (one === '*' ? `{v${at}}` : one)).join('/')}${given.verb === undefined ? '' : `:${given.verb}`}`
  return testRoute(`r${i}`, { path, methods: given.method === undefined ? [] : [given.method] })
}

function outcome(run: () => string): string {
  try {
    return run()
  } catch (error) {
    return Fault.from(error).code
  }
}

test('the chosen route is the one that a brute-force oracle finds most specific, in any order of the routes', () => {
  fc.assert(
    fc.property(shapes, asked, fc.boolean(), (all, { method, path }, reversed) => {
      const routes = all.map(routeOf)
      const match = buildMatch(testPolicy({ routes: reversed ? routes.toReversed() : routes }))
      const fits = all.some((one) => rank(one, path) !== undefined)
      const expected = best(all, method, path) ?? (fits ? 'method_not_allowed' : 'route_not_found')
      expect(outcome(() => match(received(method, `/${path.join('/')}`)).route.name)).toBe(expected)
    }),
    { numRuns: 3000 },
  )
})

test('the report names the route that the match takes, and no other', () => {
  fc.assert(
    fc.property(shapes, asked, (all, { method, path }) => {
      const { candidates } = buildMatchReport(testPolicy({ routes: all.map(routeOf) }))(received(method, `/${path.join('/')}`))
      expect(candidates).toHaveLength(all.length)
      const winner = best(all, method, path)
      expect(candidates.filter(({ matched }) => matched).map(({ route }) => route)).toEqual(winner === undefined ? [] : [winner])
    }),
    { numRuns: 500 },
  )
})

test('among ten thousand routes a request finds its own', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) =>
    testRoute(`r${i}`, { hosts: i % 3 === 0 ? [] : [`h${i % 100}.example.com`], path: `/v1/s${i}/{id}/items/{**}`, methods: ['GET'] }),
  )
  const match = buildMatch(testPolicy({ routes }))
  for (const i of [0, 1, 4999, 9998, 9999]) {
    const x = received('GET', `/v1/s${i}/7/items/8/9`, { host: `h${i % 100}.example.com` })
    expect(match(x).route.name).toBe(`r${i}`)
    expect(match(x).params.id).toBe('7')
  }
})
