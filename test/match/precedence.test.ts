import { describe, expect, test } from 'vitest'
import { testRoute, testRpc } from '../support/routes.ts'
import { asker, faultOf } from './ask.ts'

const plain = (...paths: readonly string[]) => asker(paths.map((path) => testRoute(path, { path })))
const grpc = (...rpcs: Parameters<typeof testRpc>[]) =>
  asker([testRoute('orders', { grpc: { service: 'shop.v1.Orders', rpcs: rpcs.map((rpc) => testRpc(...rpc)), descriptors: 'd' } })])

describe('paths', () => {
  const cases: readonly (readonly [templates: readonly string[], path: string, winner: string | undefined])[] = [
    [['/a/{x}', '/a/b'], '/a/b', '/a/b'],
    [['/a/{x}', '/a/b'], '/a/c', '/a/{x}'],
    [['/{**}', '/a/{x}', '/a/{**}'], '/a/c', '/a/{x}'],
    [['/{**}', '/a/{x}', '/a/{**}'], '/a/c/d', '/a/{**}'],
    [['/{**}', '/a/{x}', '/a/{**}'], '/b', '/{**}'],
    [['/a', '/a/{**}'], '/a', '/a'],
    [['/a/{**}'], '/a', '/a/{**}'],
    [['/a/b/{**}', '/a/{x}/c'], '/a/b/c', '/a/b/{**}'],
    [['/a/b/d', '/a/{x}/c'], '/a/b/c', '/a/{x}/c'],
    [['/{name=v1/*/x/**}', '/{**}'], '/v1/q/x/y', '/{name=v1/*/x/**}'],
    [['/{name=v1/*/x/**}', '/{**}'], '/v1/q/y', '/{**}'],
    [['/'], '/', '/'],
    [['/{**}'], '/', '/{**}'],
    [['/{x}'], '/', undefined],
    [['/a'], '/a/', undefined],
    [['/a/{x}'], '/a/', undefined],
    [['/a/{**}'], '/a/', '/a/{**}'],
    [['/a/{**}'], '/a/b/', '/a/{**}'],
    [['/a'], '/A', undefined],
    [['/a'], '/a/b', undefined],
    [['/a/:id'], '/a/7', '/a/:id'],
    [['/a%2Cb'], '/a%2cb', '/a%2Cb'],
    [['/v1/{id}:cancel', '/v1/{id}'], '/v1/7:cancel', '/v1/{id}:cancel'],
    [['/v1/{id}:cancel', '/v1/{id}'], '/v1/7:stop', '/v1/{id}'],
    [['/v1/{id}:cancel'], '/v1/a:b:cancel', '/v1/{id}:cancel'],
    [['/v1/{id}:cancel'], '/v1/7%3Acancel', undefined],
    [['/v1/{id}:cancel'], '/v1/:cancel', undefined],
    [['/v1/{id}:cancel'], '/v1/7:cancel/x', undefined],
    [['/v1/{**}:cancel', '/v1/{**}'], '/v1/a/b:cancel', '/v1/{**}:cancel'],
    [['/v1/{**}:cancel', '/v1/{**}'], '/v1:cancel', '/v1/{**}:cancel'],
    [['/v1:batch', '/{x}'], '/v1:batch', '/v1:batch'],
    [['/v1/{x}/a', '/v1/{id}:cancel'], '/v1/7:cancel/a', '/v1/{x}/a'],
  ]
  test.each(cases)('of %j, %s goes to %s, in any order of the routes', (templates, path, winner) => {
    for (const order of [templates, templates.toReversed()]) {
      const ask = plain(...order)
      expect(winner === undefined ? faultOf(() => ask('GET', path)).code : ask('GET', path).route.name).toBe(winner ?? 'route_not_found')
    }
  })

  test('a literal that has not the method leaves the request to the variable beside it', () => {
    const ask = asker([testRoute('literal', { path: '/a/b', methods: ['POST'] }), testRoute('variable', { path: '/a/{x}', methods: ['GET'] })])
    expect(ask('GET', '/a/b').route.name).toBe('variable')
    expect(ask('POST', '/a/b').route.name).toBe('literal')
  })

  test('a trailing slash never fits a binding of google.api.http', () => {
    const ask = grpc(['shop.v1.Orders', 'Get', ['GET /v1/{name=**}']])
    expect(ask('GET', '/v1/a').route.name).toBe('orders')
    expect(faultOf(() => ask('GET', '/v1/a/')).code).toBe('route_not_found')
  })
})

describe('hosts', () => {
  const ask = asker([
    testRoute('any', { path: '/{**}' }),
    testRoute('wildcard', { path: '/w/{**}', hosts: ['*.example.com'] }),
    testRoute('exact', { path: '/e', hosts: ['api.example.com'], methods: ['GET'] }),
    testRoute('single', { path: '/w/{**}', hosts: ['*.localhost'] }),
  ])
  test.each([
    ['api.example.com', '/e', 'exact'],
    ['api.example.com', '/w/1', 'wildcard'],
    ['api.example.com', '/x', 'any'],
    ['api.example.com:8443', '/e', 'exact'],
    ['API.EXAMPLE.COM', '/e', 'exact'],
    ['www.example.com', '/w/1', 'wildcard'],
    ['a.b.example.com', '/w/1', 'any'],
    ['example.com', '/w/1', 'any'],
    ['localhost', '/w/1', 'any'],
    ['a.localhost', '/w/1', 'single'],
  ])('%s%s is taken by the route of the %s host', (host, path, route) => {
    expect(ask('GET', path, { host }).route.name).toBe(route)
  })

  test('a request whose method the exact host does not take falls to a route of any host', () => {
    expect(ask('POST', '/e').route.name).toBe('any')
  })
})

describe('methods', () => {
  test('a specific method beats any method, and GET brings HEAD', () => {
    const ask = asker([
      testRoute('any', { path: '/a' }),
      testRoute('get', { path: '/a', methods: ['GET'] }),
      testRoute('head', { path: '/b', methods: ['HEAD'] }),
      testRoute('b', { path: '/b', methods: ['GET'] }),
    ])
    expect(ask('GET', '/a').route.name).toBe('get')
    expect(ask('HEAD', '/a').route.name).toBe('get')
    expect(ask('PUT', '/a').route.name).toBe('any')
    expect(ask('HEAD', '/b').route.name).toBe('head')
  })

  test('405 names every method of every route that fits host and path', () => {
    const ask = asker([
      testRoute('one', { path: '/a/b', methods: ['GET'], hosts: ['api.example.com'] }),
      testRoute('two', { path: '/a/{x}', methods: ['PUT'] }),
      testRoute('three', { path: '/{**}', methods: ['DELETE'], hosts: ['*.example.com'] }),
      testRoute('elsewhere', { path: '/{**}', methods: ['PATCH'], hosts: ['www.example.com'] }),
      testRoute('guarded', { path: '/a/b', methods: ['OPTIONS'], headers: [{ name: 'x-debug' }] }),
    ])
    const fault = faultOf(() => ask('POST', '/a/b'))
    expect(fault.code).toBe('method_not_allowed')
    expect(fault.detail.headers).toEqual([['allow', 'DELETE, GET, HEAD, PUT']])
  })

  test('GET does not bring HEAD on a gRPC route', () => {
    const ask = grpc(['shop.v1.Orders', 'Get', ['GET /v1/orders/{id}']])
    const fault = faultOf(() => ask('HEAD', '/v1/orders/7'))
    expect(fault.code).toBe('method_not_allowed')
    expect(fault.detail.headers).toEqual([['allow', 'GET']])
  })

  test('a rule of any method takes what no specific rule takes', () => {
    const ask = grpc(['shop.v1.Orders', 'Any', ['* /v1/orders/{id}']], ['shop.v1.Orders', 'Get', ['GET /v1/orders/{id}']])
    expect(ask('GET', '/v1/orders/7').rpc?.rpc.method).toBe('Get')
    expect(ask('PURGE', '/v1/orders/7').rpc?.rpc.method).toBe('Any')
  })
})

describe('header and query predicates', () => {
  const ask = asker([
    testRoute('plain', { path: '/a' }),
    testRoute('header', { path: '/a', headers: [{ name: 'x-version', exact: 'v2' }] }),
    testRoute('two headers', {
      path: '/a',
      headers: [
        { name: 'x-version', exact: 'v2' },
        { name: 'x-debug', present: true },
      ],
    }),
    testRoute('query', { path: '/a', query: [{ name: 'q', prefix: 'é ' }] }),
    testRoute('absent', { path: '/b', headers: [{ name: 'x-version', present: false }] }),
    testRoute('pattern', { path: '/c', headers: [{ name: 'x-version', pattern: 'v[0-9]+' }] }),
  ])
  test.each([
    ['plain', '/a', {}],
    ['plain', '/a', { 'x-version': 'v1' }],
    ['header', '/a', { 'x-version': 'v2' }],
    ['header', '/a?q=%C3%A9+1', { 'x-version': 'v2' }],
    ['two headers', '/a', { 'x-version': 'v2', 'x-debug': '' }],
    ['query', '/a?x=1&%71=%C3%A9+1', {}],
    ['plain', '/a?q=%C3', {}],
    ['absent', '/b', {}],
    ['pattern', '/c', { 'x-version': 'v12' }],
  ])('%s takes %s with %j', (route, target, headers) => {
    expect(ask('GET', target, { headers }).route.name).toBe(route)
  })

  test('a request that fails every predicate is 404', () => {
    expect(faultOf(() => ask('GET', '/b', { headers: { 'x-version': '1' } })).code).toBe('route_not_found')
    expect(faultOf(() => ask('GET', '/c', { headers: { 'x-version': 'xv1' } })).code).toBe('route_not_found')
  })
})

describe('gRPC routes', () => {
  const ask = asker([
    testRoute('orders', {
      grpc: { service: 'shop.v1.Orders', rpcs: [testRpc('shop.v1.Orders', 'Get', ['GET /v1/orders/{id}', 'GET /v1/{name=orders/*}:peek'])], descriptors: 'd' },
    }),
  ])
  test.each([
    ['GET', '/v1/orders/7', undefined, 'GET /v1/orders/{id}'],
    ['GET', '/v1/orders/7:peek', undefined, 'GET /v1/{name=orders/*}:peek'],
    ['POST', '/shop.v1.Orders/Get', 'application/json', 'POST /shop.v1.Orders/Get'],
    ['POST', '/shop.v1.Orders/Get', 'application/grpc-web', undefined],
    ['POST', '/shop.v1.Orders/Get', 'application/grpc-web-text+proto', undefined],
    ['POST', '/shop.v1.Orders/Get', 'application/proto', undefined],
    ['POST', '/shop.v1.Orders/Get', 'application/connect+json', undefined],
    ['POST', '/shop.v1.Orders/Get', 'application/grpc', undefined],
    ['POST', '/shop.v1.Orders/Get', 'Application/gRPC+proto', undefined],
    ['POST', '/shop.v1.Orders/Get', 'application/grpc; x=y', undefined],
  ])('%s %s as %s is bound by %s', (method, target, type, binding) => {
    const { rpc, params } = ask(method, target, { headers: type === undefined ? {} : { 'content-type': type } })
    expect(rpc?.rpc.path).toBe('/shop.v1.Orders/Get')
    expect(rpc?.binding === undefined ? undefined : `${rpc.binding.method} ${rpc.binding.template}`).toBe(binding)
    expect(Object.getPrototypeOf(params)).toBeNull()
  })

  test('the automatic binding takes the whole body', () => {
    expect(ask('POST', '/shop.v1.Orders/Get').rpc?.binding).toEqual({ method: 'POST', template: '/shop.v1.Orders/Get', body: '*', responseBody: '' })
  })

  test('an annotation of the same shape stands in place of the automatic binding', () => {
    const rpc = testRpc('s.S', 'M', [], { bindings: [{ method: 'POST', template: '/s.S/M', body: 'inner', responseBody: '' }] })
    const bound = asker([testRoute('r', { grpc: { service: 's.S', rpcs: [rpc], descriptors: 'd' } })])
    expect(bound('POST', '/s.S/M').rpc?.binding?.body).toBe('inner')
  })

  test('an unknown method of a known service is 404, and native gRPC by GET is 405', () => {
    expect(faultOf(() => ask('POST', '/shop.v1.Orders/Nope')).code).toBe('route_not_found')
    expect(faultOf(() => ask('GET', '/shop.v1.Orders/Get')).detail.headers).toEqual([['allow', 'POST']])
  })

  test('a literal that a rule spells with escapes fits the plain spelling', () => {
    const bound = grpc(['shop.v1.Orders', 'Get', ['GET /v1/%6Frders']])
    expect(bound('GET', '/v1/orders').rpc?.rpc.method).toBe('Get')
  })
})
