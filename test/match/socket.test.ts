import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import type { Route } from '../../src/core/model/route.ts'
import { testRoute, testRpc } from '../support/routes.ts'
import { socketOffer } from '../support/socket-offer.ts'
import { asker, faultOf } from './ask.ts'

const up = { serverStream: true }
const both = { serverStream: true, clientStream: true }
const grpc = (name: string, rpcs: readonly Parameters<typeof testRpc>[], given: Partial<Route['match']> = {}) =>
  testRoute(name, { grpc: { service: 's.S', rpcs: rpcs.map((rpc) => testRpc(...rpc)), descriptors: 'd' }, ...given })

function opening(...routes: readonly Route[]) {
  const ask = asker(routes)
  return (path: string, headers: Readonly<Record<string, string>> = {}) => ask('GET', path, { headers, options: { socket: socketOffer() } })
}

describe('a WebSocket', () => {
  const open = opening(
    grpc('stream', [
      ['s.S', 'Get', ['GET /v1/x/{id}']],
      ['s.S', 'Watch', ['GET /v1/x', 'DELETE /v1/odd'], up],
      ['s.S', 'Import', ['POST /v1/x', 'PUT /v1/x/all'], { clientStream: true }],
      ['s.S', 'List', ['GET /v1/list']],
      ['s.S', 'Feed', ['POST /v1/list'], both],
      ['s.S', 'Chat', [], both],
    ]),
    testRoute('plain', { path: '/v1/{**}' }),
    testRoute('writes', { path: '/v1/list/{**}', methods: ['POST'] }),
  )

  test.each([
    ['/s.S/Chat', 'Chat', 'POST'],
    ['/s.S/Watch', 'Watch', 'POST'],
    ['/v1/x/all', 'Import', 'PUT'],
    ['/v1/odd', 'Watch', 'DELETE'],
    // Several RPCs on one path: GET goes first among streams, and a stream before an RPC without one.
    ['/v1/x', 'Watch', 'GET'],
    ['/v1/list', 'Feed', 'POST'],
  ])('on %s opens %s, and is judged as %s', (path, method, as) => {
    const { rpc, request, dialect, route } = open(path)
    expect([rpc?.rpc.method, request.method, dialect.kind, route.name]).toEqual([method, as, 'http', 'stream'])
  })

  test.each(['/v1/x/7', '/s.S/Get', '/v1/other', '/v1/list/7'])('on %s opens nothing', (path) => {
    expect(faultOf(() => open(path)).code).toBe('not_implemented')
  })

  test('finds no route where there is none', () => {
    expect(faultOf(() => open('/nowhere')).code).toBe('route_not_found')
  })

  test('does not reach past a more specific route', () => {
    const rivals = opening(grpc('stream', [['s.S', 'Watch', ['GET /v1/{name=**}'], up]]), testRoute('closer', { path: '/v1/{x}' }))
    expect(faultOf(() => rivals('/v1/7')).code).toBe('not_implemented')
    expect(rivals('/v1/7/8').rpc?.rpc.method).toBe('Watch')
  })

  test('keeps to the methods and the tests of its route', () => {
    const narrow = opening(
      grpc('reads', [['s.S', 'Watch', ['GET /v1/x'], up]], { methods: ['GET'] }),
      grpc('tested', [['s.S', 'Chat', ['POST /v1/x'], both]], { headers: [{ name: 'x-v', exact: '2' }] }),
    )
    expect(narrow('/v1/x').route.name).toBe('reads')
    expect(narrow('/v1/x', { 'x-v': '2' }).route.name).toBe('tested')
    expect(faultOf(() => narrow('/s.S/Watch')).code).toBe('route_not_found')
  })

  test('of a route that is quarantined is refused as such', () => {
    const broken = opening({ ...grpc('stream', [['s.S', 'Chat', [], both]]), quarantined: 'why' })
    expect(faultOf(() => broken('/s.S/Chat')).code).toBe('config_quarantined')
  })

  test.each([
    ['https://api.example.com', undefined],
    ['http://api.example.com', undefined],
    ['http://API.example.com:80', undefined],
    ['https://api.example.com:8443', 'forbidden'],
    ['https://api.example.com.evil.example', 'forbidden'],
    ['https://evil.example', 'forbidden'],
    ['null', 'forbidden'],
    ['file://api.example.com', 'forbidden'],
    ['https://api.example.com/', 'forbidden'],
  ])('of a page of %s: %s', (origin, code) => {
    expect(verdictOf(() => open('/s.S/Chat', { origin }))).toBe(code)
  })

  test.each([
    ['https://a.shop.example', undefined],
    ['https://b.a.shop.example', 'forbidden'],
    ['https://evil.example', 'forbidden'],
  ])('of a page of another origin, where the route has CORS settings: %s', (origin, code) => {
    const cors = {
      origins: ['https://*.shop.example'],
      methods: undefined,
      headers: [],
      expose: [],
      credentials: false,
      maxAgeSeconds: 600,
      privateNetwork: false,
    }
    const opens = opening({ ...grpc('stream', [['s.S', 'Chat', [], both]]), cors })
    expect(verdictOf(() => opens('/s.S/Chat', { origin }))).toBe(code)
  })
})

/** The code of the fault that is thrown; undefined when none is. */
function verdictOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return Fault.from(error).code
  }
}

describe('a change of protocol that is passed on', () => {
  const upgrade = { protocols: ['websocket', 'SPDY/3.1'], idleMs: 1, lifetimeMs: undefined }
  const passing = { ...testRoute('passing', { path: '/pass/{**}' }), upgrade }
  const ask = asker([passing, { ...testRoute('reads', { path: '/reads', methods: ['GET'] }), upgrade }, grpc('stream', [['s.S', 'Chat', [], both]])])
  const change = (protocol: string, method: string, path: string, headers: Readonly<Record<string, string>> = {}) =>
    ask(method, path, { headers, options: { socket: { ...socketOffer(), protocol } } })

  test('finds the route by its own method', () => {
    expect(change('spdy/3.1', 'POST', '/pass/a').route.name).toBe('passing')
    expect(change('websocket', 'GET', '/reads').route.name).toBe('reads')
    expect(faultOf(() => change('SPDY/3.1', 'POST', '/reads')).code).toBe('method_not_allowed')
  })

  test('is none that the route does not name, and none of an RPC', () => {
    expect(faultOf(() => change('tcp', 'POST', '/pass/a')).code).toBe('not_implemented')
    expect(faultOf(() => change('SPDY/3.1', 'POST', '/s.S/Chat')).code).toBe('not_implemented')
  })

  test('takes any subprotocol, where an RPC takes ours alone', () => {
    const offering = { 'sec-websocket-protocol': 'graphql-ws' }
    expect(change('websocket', 'GET', '/pass/a', offering).request.upgrade?.subprotocols).toEqual(['graphql-ws'])
    expect(faultOf(() => change('websocket', 'GET', '/s.S/Chat', offering)).code).toBe('request_invalid')
    expect(change('websocket', 'GET', '/s.S/Chat', { 'sec-websocket-protocol': 'graphql-ws, sallyport.json' }).rpc?.rpc.method).toBe('Chat')
  })

  test.each([
    ['https://evil.example', 'forbidden'],
    ['https://api.example.com', undefined],
  ])('is held to the origin of a page (%s)', (origin, code) => {
    const run = () => change('websocket', 'GET', '/pass/a', { origin })
    expect(code === undefined ? run().route.name : faultOf(run).code).toBe(code ?? 'passing')
  })
})
