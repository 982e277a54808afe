import { describe, expect, test } from 'vitest'
import { buildMatch } from '../../src/core/ingress/match.ts'
import { testPolicy, testRoute, testRpc } from '../support/routes.ts'
import { asker, faultOf } from './ask.ts'

describe('encoded slashes and semicolons', () => {
  const ask = asker([
    testRoute('strict', { path: '/strict/{**}' }),
    testRoute('slash', { path: '/slash/{**}' }, { allow: { encodedSlash: true, semicolon: false } }),
    testRoute('semicolon', { path: '/semicolon/{**}' }, { allow: { encodedSlash: false, semicolon: true } }),
    testRoute('grpc', { grpc: { service: 's.S', rpcs: [testRpc('s.S', 'M', ['GET /grpc/{x}'])], descriptors: 'd' } }),
  ])
  test.each([
    ['/strict/a%2Fb', 'path_ambiguous'],
    ['/strict/a;b', 'path_ambiguous'],
    ['/slash/a;b', 'path_ambiguous'],
    ['/semicolon/a%2fb', 'path_ambiguous'],
  ])('a proxied route refuses %s', (path, code) => {
    expect(faultOf(() => ask('GET', path)).code).toBe(code)
  })
  test.each(['/strict/a', '/slash/a%2Fb', '/semicolon/a;b', '/grpc/a%2Fb', '/grpc/a;b'])('%s passes where it is allowed or data', (path) => {
    expect(ask('GET', path).route.name).toBe(path.split('/')[1])
  })
})

describe('quarantine', () => {
  const broken = { quarantined: 'a broken thing' }
  test('a quarantined route answers 503 for its own requests only, and keeps its reason to the record', () => {
    const ask = asker([testRoute('broken', { path: '/a/{x}', methods: ['GET'] }, broken), testRoute('rest', { path: '/{**}' })])
    const fault = faultOf(() => ask('GET', '/a/1'))
    expect(fault.code).toBe('config_quarantined')
    expect(fault.message).not.toContain('broken thing')
    expect(fault.detail.internal).toBe('a broken thing')
    expect(ask('POST', '/a/1').route.name).toBe('rest')
    expect(ask('GET', '/b').route.name).toBe('rest')
  })

  test('what can be read of a broken template is kept from less specific routes', () => {
    const ask = asker([testRoute('broken', { path: '/admin/{x' }, broken), testRoute('rest', { path: '/{**}' })])
    expect(faultOf(() => ask('GET', '/admin/users')).code).toBe('config_quarantined')
    expect(ask('GET', '/other').route.name).toBe('rest')
  })

  test('a service whose descriptors are broken keeps its native paths', () => {
    const ask = asker([testRoute('broken', { grpc: { service: 's.S', rpcs: [], descriptors: 'd' } }, broken), testRoute('rest', { path: '/{**}' })])
    expect(faultOf(() => ask('POST', '/s.S/M', { headers: { 'content-type': 'application/grpc' } })).code).toBe('config_quarantined')
    expect(ask('POST', '/s.T/M').route.name).toBe('rest')
  })

  test('a broken pattern restricts nothing', () => {
    const ask = asker([testRoute('broken', { path: '/a', headers: [{ name: 'x', pattern: '(' }] }, broken)])
    expect(faultOf(() => ask('GET', '/a')).code).toBe('config_quarantined')
  })

  test('a broken route that is not quarantined does not build: its requests must not fall to another', () => {
    expect(() => buildMatch(testPolicy({ routes: [testRoute('broken', { path: '/admin/{x' })] }))).toThrow('route broken')
  })
})

describe('body length', () => {
  const ask = asker([
    testRoute('small', { path: '/small' }, { bodyLimit: 4 }),
    testRoute('large', { path: '/large' }, { bodyLimit: 2_000_000 }),
    testRoute('default', { path: '/default' }),
  ])
  const body = 'x'.repeat(1_048_577)
  test('a stated length above the limit of the route, or of the listener, is 413 and ends an HTTP/1 connection', () => {
    expect(ask('POST', '/small', { options: { body: '1234' } }).route.name).toBe('small')
    expect(faultOf(() => ask('POST', '/small', { options: { body: '12345' } }))).toMatchObject({ code: 'body_too_large', detail: { close: true } })
    expect(faultOf(() => ask('POST', '/default', { options: { body } })).code).toBe('body_too_large')
    expect(ask('POST', '/large', { options: { body } }).route.name).toBe('large')
  })
  test('over HTTP/2 the connection stays', () => {
    const options = { body: '12345', httpVersion: '2', authority: 'api.example.com' }
    expect(faultOf(() => ask('POST', '/small', { options })).detail.close).toBe(false)
  })
})
