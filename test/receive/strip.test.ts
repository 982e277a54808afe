import { describe, expect, test } from 'vitest'
import { egressGuard, guard, kept } from './guard.ts'

const trusted = { peer: '10.1.2.3' }

describe('what only the gateway may say', () => {
  const send = guard()
  const always = [
    'x-request-id',
    'x-user-id',
    'X-USER-ID',
    'x.user.id',
    'x--user-.id',
    'grpc-metadata-x-user-id',
    'grpc-metadata-x.user.id',
    'grpc-metadata-grpc-metadata-l5d-dst-override',
    'x-sallyport-decision',
    'x.sallyport.decision',
    'l5d-dst-override',
    'l5d-client-id',
    'x-envoy-original-path',
    'x-envoy-upstream-rq-timeout-ms',
    'x-forwarded-client-cert',
    'x-egress-env',
    'traceparent',
    'tracestate',
    'x-http-method-override',
    'x-original-url',
    'x-rewrite-url',
    'proxy',
    'proxy-authorization',
    'te',
    'expect',
    'keep-alive',
  ]
  test.each(always)('%s never passes, not even from a trusted proxy', (name) => {
    expect(kept(send('GET', '/', { [name]: 'x', 'x-kept': '1' }))).toEqual([['x-kept', '1']])
    expect(kept(send('GET', '/', { [name]: 'x', 'x-kept': '1' }, trusted))).toEqual([['x-kept', '1']])
  })

  test.each(['x-forwarded-for', 'x-forwarded-proto', 'X-Forwarded-Host', 'x.forwarded.for', 'forwarded', 'x-b3-traceid', 'b3', 'x-real-ip'])(
    '%s passes from a trusted proxy alone',
    (name) => {
      const value = name === 'forwarded' ? 'for=192.0.2.9' : '192.0.2.9'
      expect(kept(send('GET', '/', { [name]: value }))).toEqual([])
      expect(kept(send('GET', '/', { [name]: value }, trusted))).toEqual([[name.toLowerCase(), value]])
    },
  )

  test('host, length and everything of one hop are gone, the rest keeps order and repetition', () => {
    const headers: readonly (readonly [string, string])[] = [
      ['Accept', 'a/b'],
      ['Host', 'api.example.com'],
      ['Content-Length', '1'],
      ['Connection', 'keep-alive, X-Hop'],
      ['X-Hop', '1'],
      ['accept', 'c/d'],
      ['Authorization', 'Bearer t'],
      ['Content-Type', 'application/json'],
    ]
    expect(kept(send('POST', '/', headers))).toEqual([
      ['accept', 'a/b'],
      ['accept', 'c/d'],
      ['authorization', 'Bearer t'],
      ['content-type', 'application/json'],
    ])
  })

  test('a split cookie is one again', () => {
    const options = { httpVersion: '2', authority: 'api.example.com' }
    expect(kept(send('GET', '/', { cookie: ['a=1', 'b=2'] }, options))).toEqual([['cookie', 'a=1; b=2']])
  })
})

describe('the request id', () => {
  const send = guard()
  test('is generated for strangers', () => {
    const { id } = send('GET', '/', { 'x-request-id': 'mine' })
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
  })
  test('is the proxy’s when a trusted proxy sends one sane token', () => {
    expect(send('GET', '/', { 'x-request-id': 'edge-7/a' }, trusted).id).toBe('edge-7/a')
  })
  test.each([['a b'], [''], ['a'.repeat(129)], ['<script>'], [['a', 'b']]])('is generated when the proxy sends %j', (value) => {
    expect(send('GET', '/', { 'x-request-id': value }, trusted).id).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('the trace', () => {
  const send = guard()
  const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  test('continues the caller’s', () => {
    const { trace } = send('GET', '/', { traceparent: parent, tracestate: ['a=1', 'b=2'] })
    expect(trace).toMatchObject({ traceId: 'a'.repeat(32), parentId: 'b'.repeat(16), sampled: true, tracestate: 'a=1,b=2' })
  })
  test('starts anew when the caller names two parents', () => {
    expect(send('GET', '/', { traceparent: [parent, parent] }).trace.parentId).toBeUndefined()
  })
})

describe('the egress guard', () => {
  const send = egressGuard()
  test('keeps the caller’s wishes and its own fields, and believes no proxy', () => {
    const x = send(
      'GET',
      '/a%2Fb;c',
      {
        'x-egress-env': 'test',
        'x-egress-timeout-ms': '1500',
        'x-egress-retry': 'off',
        'x-egress-service': 'spoofed',
        'x-user-id': '7',
        'x-forwarded-for': '1.1.1.1',
        'proxy-authorization': 'Basic x',
        'proxy-foo': '1',
        'l5d-dst-override': 'x',
      },
      { peer: '10.1.2.3', listener: 'egress' },
    )
    expect(kept(x)).toEqual([
      ['x-egress-env', 'test'],
      ['x-egress-timeout-ms', '1500'],
      ['x-egress-retry', 'off'],
      ['x-user-id', '7'],
    ])
    expect(x.client.address).toBe('10.1.2.3')
    expect(x.deadline).toBe(2500)
    expect(x.request.target).toEqual({ path: '/a%2Fb;c', query: '', encodedSlash: true, semicolon: true })
  })

  test('keeps a wish for an environment in every spelling, for `address` to refuse, and other wishes in the right one alone', () => {
    const x = send('GET', '/', { 'x.egress.env': 'prod', 'X-Egress.Env': 'prod', 'x.egress.retry': 'off', 'x-egress.timeout-ms': '1' }, { listener: 'egress' })
    expect(kept(x)).toEqual([
      ['x.egress.env', 'prod'],
      ['x-egress.env', 'prod'],
    ])
  })
})

test('the request is normalised once: authority, host, scheme, target and body as every room reads them', () => {
  const x = guard()('POST', '/%61/b%2fc?x=%41', { Host: 'API.example.com:8443' }, { body: 'hi' })
  expect(x.request).toMatchObject({
    method: 'POST',
    scheme: 'https',
    authority: 'api.example.com:8443',
    host: 'api.example.com',
    target: { path: '/a/b%2Fc', query: 'x=%41', encodedSlash: true, semicolon: false },
  })
  expect(x.request.body?.length).toBe(2)
})
