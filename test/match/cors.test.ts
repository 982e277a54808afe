import { describe, expect, test } from 'vitest'
import { buildMatch } from '../../src/core/ingress/match.ts'
import { type Cors, corsAllows } from '../../src/core/model/cors.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { testPolicy, testRoute, testRpc } from '../support/routes.ts'
import { fieldsOf } from '../support/steered.ts'
import { faultOf, received } from './ask.ts'

const app = 'https://app.example.com'

function cors(given: Partial<Cors> = {}): Cors {
  return { origins: [app], methods: undefined, headers: [], expose: [], credentials: false, maxAgeSeconds: 600, privateNetwork: false, ...given }
}

interface Asked {
  readonly method?: string
  readonly headers?: string
  readonly origin?: string
  readonly more?: Readonly<Record<string, string>>
}

function preflight(routes: readonly Route[], target: string, { method = 'GET', headers, origin = app, more = {} }: Asked = {}): Outbound | undefined {
  const asked = headers === undefined ? {} : { 'access-control-request-headers': headers }
  return buildMatch(testPolicy({ routes })).preflight(
    received('OPTIONS', target, { headers: { origin, 'access-control-request-method': method, ...asked, ...more } }),
  )
}

describe('an origin', () => {
  test.each([
    [[app], app, true],
    [[app], 'https://app.example.com:8443', false],
    [[app], 'http://app.example.com', false],
    [[app], 'https://app.example.com.evil.example', false],
    [[app], 'https://evil.example?https://app.example.com', false],
    [['https://*.example.com'], 'https://a.example.com', true],
    [['https://*.example.com'], 'https://example.com', false],
    [['https://*.example.com'], 'https://a.b.example.com', false],
    [['https://*.example.com'], 'https://.example.com', false],
    [['https://*.example.com'], 'https://evil.example/.example.com', false],
    [['https://*.example.com'], 'https://a.example.com:8443', false],
    [['https://*.example.com:8443'], 'https://a.example.com:8443', true],
    [['*'], 'https://anything.example', true],
    [['*'], 'null', true],
    [[app], 'null', false],
    [[app], '', false],
  ])('of %j is judged for %s: %s', (origins, origin, allowed) => {
    expect(corsAllows(cors({ origins }), origin)).toBe(allowed)
  })

  test('is allowed nothing without settings', () => {
    expect(corsAllows(undefined, app)).toBe(false)
  })
})

describe('a preflight', () => {
  const orders = testRoute('orders', { path: '/orders/{id}', methods: ['GET', 'PUT'] }, { cors: cors({ headers: ['x-tenant', 'authorization'] }) })

  test('is answered 204 with exactly what it asked for', () => {
    const answer = preflight([orders], '/orders/1', { method: 'PUT', headers: 'Authorization,X-Tenant' })
    expect(answer?.status).toBe(204)
    expect(answer?.body).toBeUndefined()
    expect(fieldsOf(answer?.headers)).toMatchObject({
      vary: 'origin, access-control-request-method, access-control-request-headers',
      'access-control-allow-origin': app,
      'access-control-allow-methods': 'PUT',
      'access-control-allow-headers': 'authorization, x-tenant',
      'access-control-max-age': '600',
    })
    expect(answer?.headers.has('access-control-allow-credentials')).toBe(false)
    expect(answer?.headers.has('access-control-allow-private-network')).toBe(false)
  })

  test('finds a quarantined route broken', () => {
    expect(faultOf(() => preflight([{ ...orders, quarantined: 'broken' }], '/orders/1')).code).toBe('config_quarantined')
  })

  test.each<[string, Asked]>([
    ['another origin', { origin: 'https://evil.example' }],
    ['a header that is not named', { headers: 'x-other' }],
    ['two headers, one of them not named', { headers: 'x-tenant, x-other' }],
  ])('with %s is refused', (_, asked) => {
    expect(faultOf(() => preflight([orders], '/orders/1', asked)).code).toBe('cors_denied')
  })

  test('for a method that no route takes there goes by normal matching', () => {
    expect(preflight([orders], '/orders/1', { method: 'DELETE' })).toBeUndefined()
    expect(preflight([orders], '/elsewhere')).toBeUndefined()
  })

  test('for a method outside of the list is refused though the route takes it', () => {
    const reading = { ...orders, cors: cors({ methods: ['GET'] }) }
    expect(preflight([reading], '/orders/1')?.status).toBe(204)
    expect(preflight([reading], '/orders/1', { method: 'HEAD' })?.status).toBe(204)
    expect(faultOf(() => preflight([reading], '/orders/1', { method: 'PUT' })).code).toBe('cors_denied')
  })

  test('goes to a route that takes OPTIONS itself and has no settings', () => {
    const own = testRoute('own', { path: '/own' })
    expect(preflight([own], '/own')).toBeUndefined()
    const deaf = testRoute('deaf', { path: '/deaf', methods: ['GET'] })
    expect(faultOf(() => preflight([deaf], '/deaf')).code).toBe('cors_denied')
  })

  test('is no other OPTIONS request', () => {
    const match = buildMatch(testPolicy({ routes: [testRoute('all', { path: '/{**}' }, { cors: cors() })] }))
    expect(match.preflight(received('OPTIONS', '/x', { headers: { origin: app } }))).toBeUndefined()
    expect(match.preflight(received('OPTIONS', '/x', { headers: { 'access-control-request-method': 'GET' } }))).toBeUndefined()
    expect(match.preflight(received('GET', '/x', { headers: { origin: app, 'access-control-request-method': 'GET' } }))).toBeUndefined()
    expect(match(received('OPTIONS', '/x', { headers: { origin: app } })).route.name).toBe('all')
  })

  test('with any origin and header allowed names them all, but authorization only where it is listed', () => {
    const open = testRoute('open', { path: '/open' }, { cors: cors({ origins: ['*'], headers: ['*'] }) })
    expect(fieldsOf(preflight([open], '/open', { headers: 'x-any' })?.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'x-any',
    })
    expect(faultOf(() => preflight([open], '/open', { headers: 'authorization' })).code).toBe('cors_denied')
    expect(faultOf(() => preflight([open], '/open', { headers: 'a b' })).code).toBe('cors_denied')
  })

  test('says credentials and private network where both are allowed and the latter is asked for', () => {
    const route = testRoute('r', { path: '/r' }, { cors: cors({ credentials: true, privateNetwork: true }) })
    const asked = { more: { 'access-control-request-private-network': 'true' } }
    expect(fieldsOf(preflight([route], '/r', asked)?.headers)).toMatchObject({
      'access-control-allow-credentials': 'true',
      'access-control-allow-private-network': 'true',
    })
    expect(preflight([route], '/r')?.headers.has('access-control-allow-private-network')).toBe(false)
    const without = testRoute('r', { path: '/r' }, { cors: cors() })
    expect(preflight([without], '/r', asked)?.headers.has('access-control-allow-private-network')).toBe(false)
  })

  test('of a header that routes are chosen by must be allowed by every route that it leaves open', () => {
    const narrow = testRoute(
      'narrow',
      { path: '/p', methods: ['PUT'], headers: [{ name: 'x-version', exact: '2' }] },
      { cors: cors({ headers: ['x-version'] }) },
    )
    const wide = testRoute('wide', { path: '/p', methods: ['PUT'] })
    const asked = { method: 'PUT', headers: 'x-version' }
    expect(preflight([narrow], '/p', asked)?.status).toBe(204)
    // The value may be another one, and then the request meets a route that allows nothing.
    expect(faultOf(() => preflight([narrow, wide], '/p', asked)).code).toBe('cors_denied')
    expect(preflight([narrow, { ...wide, cors: cors({ headers: ['*'], maxAgeSeconds: 5 }) }], '/p', asked)?.headers.get('access-control-max-age')).toBe('5')
    // Without the header the narrow one cannot be meant.
    expect(
      preflight(
        [
          { ...narrow, cors: undefined },
          { ...wide, cors: cors() },
        ],
        '/p',
        { method: 'PUT' },
      )?.status,
    ).toBe(204)
  })

  test('finds RPCs by the method and the query that it announces, in any dialect', () => {
    const rpcs = [testRpc('pkg.S', 'Get', ['GET /v1/things/{id}'], { noSideEffects: true }), testRpc('pkg.S', 'Put', ['PUT /v1/things/{id}'])]
    const route = testRoute('things', { grpc: { service: 'pkg.S', rpcs, descriptors: 'd' } }, { cors: cors({ headers: ['content-type'] }) })
    for (const [method, target] of [
      ['GET', '/v1/things/1'],
      ['PUT', '/v1/things/1'],
      ['POST', '/pkg.S/Get'],
      ['GET', '/pkg.S/Get?connect=v1&encoding=json&message=%7B%7D'],
    ] as const)
      expect(preflight([route], target, { method, headers: 'content-type' })?.status, `${method} ${target}`).toBe(204)
    expect(preflight([route], '/v1/things/1', { method: 'DELETE' })).toBeUndefined()
  })
})
