import { expect, test } from 'vitest'
import { loadBeside } from '../support/load.ts'

const usual = { share: 0.5, confirmMs: 30_000, empty: 'keep' }

const endpointsOf = async (said: string) => {
  const { policy, diagnostics } = await loadBeside(`clusters: { c: { endpoints: { ${said} } } }`)
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return policy?.clusters['c']?.endpoints
}

test.each([
  ['srv: _grpc._tcp.orders.example', { kind: 'srv', name: '_grpc._tcp.orders.example' }],
  ['file: /run/orders.yaml', { kind: 'file', path: '/run/orders.yaml' }],
  ['dns: orders.shop, port: 80', { kind: 'dns', name: 'orders.shop', port: 80 }],
  ['consul: { service: orders }', { kind: 'consul', address: 'http://127.0.0.1:8500', service: 'orders', passing: true, stale: true }],
  [
    'consul: { service: orders, address: "https://consul.example:8501/", tag: v2, datacenter: dc2, token: env:T, ca: env:C, passing: false, stale: false }',
    {
      kind: 'consul',
      address: 'https://consul.example:8501',
      service: 'orders',
      tag: 'v2',
      datacenter: 'dc2',
      token: 'env:T',
      ca: 'env:C',
      passing: false,
      stale: false,
    },
  ],
  [
    'kubernetes: { service: orders, namespace: shop, port: http }',
    {
      kind: 'kubernetes',
      apiServer: 'https://kubernetes.default.svc',
      namespace: 'shop',
      service: 'orders',
      port: 'http',
      token: 'file:/var/run/secrets/kubernetes.io/serviceaccount/token',
      ca: 'file:/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
    },
  ],
])('%s is linked, and believed as usual', async (said, linked) => {
  expect(await endpointsOf(said)).toEqual({ ...linked, shrinking: usual })
})

test('how much may go at once is said beside the source', async () => {
  expect(await endpointsOf('srv: _a._tcp.b, shrink: 20%, confirm: 2m, empty: take')).toMatchObject({
    shrinking: { share: 0.2, confirmMs: 120_000, empty: 'take' },
  })
})

test('fixed endpoints may have a zone and labels, and subsets choose by them', async () => {
  const said = 'endpoints: { static: [{ address: "10.0.0.1:80", zone: a, labels: { version: v2 } }] }, subsets: { v2: { labels: { version: v2 } } }'
  const { policy } = await loadBeside(`clusters: { c: { ${said} } }`)
  expect(policy?.clusters['c']).toMatchObject({
    quarantined: undefined,
    endpoints: { kind: 'static', addresses: [{ kind: 'tcp', host: '10.0.0.1', port: 80, weight: 1, zone: 'a', labels: { version: 'v2' } }] },
    subsets: { v2: { authority: undefined, endpoints: undefined, labels: { version: 'v2' } } },
  })
})

test.each([
  ['static: ["a:1"], shrink: 10%', 'no_effect'],
  ['srv: _a._tcp.b, shrink: 100%', 'endpoints_shrink'],
  ['consul: { service: a, address: "http://consul.example:8500", token: env:T }', 'endpoints_clear_token'],
])('%s is a warning', async (said, code) => {
  const { diagnostics } = await loadBeside(`clusters: { c: { endpoints: { ${said} } } }`)
  expect(diagnostics.filter(({ severity }) => severity === 'warning').map((each) => each.code)).toContain(code)
})

test('a token that goes to an agent on this machine in clear text is none', async () => {
  const { diagnostics } = await loadBeside('clusters: { c: { endpoints: { consul: { service: a, token: env:T } } } }')
  expect(diagnostics.map(({ code }) => code)).not.toContain('endpoints_clear_token')
})
