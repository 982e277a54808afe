import { expect, test } from 'vitest'
import { buildMatchReport } from '../../src/core/ingress/match.ts'
import { testPolicy, testRoute, testRpc } from '../support/routes.ts'
import { received } from './ask.ts'

test('the report says of each route why it does not take the request', () => {
  const report = buildMatchReport(
    testPolicy({
      routes: [
        testRoute('host', { hosts: ['other.example.com'], path: '/a/b' }),
        testRoute('path', { path: '/a/c' }),
        testRoute('method', { path: '/a/b', methods: ['PUT', 'GET'] }),
        testRoute('header', {
          path: '/a/b',
          headers: [
            { name: 'x-one', present: true },
            { name: 'x-version', exact: 'v2' },
          ],
        }),
        testRoute('query', { path: '/a/b', query: [{ name: 'debug', exact: '1' }] }),
        testRoute('wide', { path: '/{**}' }),
        testRoute('grpc', { grpc: { service: 's.S', rpcs: [testRpc('s.S', 'M', ['GET /a/{x}'])], descriptors: 'd' } }),
        testRoute('winner', { path: '/a/{x}' }),
      ],
    }),
  )
  expect(report(received('POST', '/a/b', { headers: { 'x-one': '1', 'x-version': 'v1' } })).candidates).toEqual([
    { route: 'host', matched: false, why: 'host' },
    { route: 'path', matched: false, why: 'path' },
    { route: 'method', matched: false, why: 'method: takes GET, HEAD, PUT' },
    { route: 'header', matched: false, why: 'header x-version must be "v2", is "v1"' },
    { route: 'query', matched: false, why: 'query debug must be "1", is absent' },
    { route: 'wide', matched: false, why: 'less specific than route winner' },
    { route: 'grpc', matched: false, why: 'method: takes GET' },
    { route: 'winner', matched: true, why: 'matched' },
  ])
})

test('a report about a request that nobody takes matches nothing', () => {
  const report = buildMatchReport(testPolicy({ routes: [testRoute('a', { path: '/a' })] }))
  expect(report(received('GET', '/b')).candidates).toEqual([{ route: 'a', matched: false, why: 'path' }])
})
